"""What older profiles of packs mean: sections `source` that lack what was added to them since."""

import pytest

from echoes import formats

DB = {"unit": "dB", "offset_db": 0.0}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"reader": "ros", "radar": {"topic": "/r"}}, {"reader": "ros", "radar": {"power": DB, "topic": "/r"}}),
        ({"reader": "clouds", "radar": {}}, {"join_s": 0.0, "reader": "clouds", "radar": {}}),
        (
            {"reader": "mixed", "sources": {"a": {"reader": "lidar"}, "b": 3}},
            {"reader": "mixed", "sources": {"a": {"padding": "none", "reader": "lidar"}, "b": 3}},
        ),
        ({"reader": "vod"}, {"reader": "vod"}),
        ({"reader": ["ros"]}, {"reader": ["ros"]}),
        (None, None),
    ],
)
def test_a_profile_of_the_first_format_is_read_as_it_was_meant(told, found):
    assert formats.source(told, 1) == found
    assert formats.source(found, 2) == found
