"""Frames of several recordings are those of their own readers, under names that keep them apart."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes import params
from echoes.errors import InputError
from echoes.readers import catalog, mixed, simulated
from echoes.voxelization import accumulation

ROOT = Path(__file__).resolve().parents[2]
DOPPLER = {"span_mps": 40.0, "static_mps": 0.5, "static_share": 0.2, "max_speed_mps": 30.0}
STREET = {
    "reader": "simulated",
    "frames": 2,
    "ego_motion": "recorded",
    "doppler": DOPPLER,
}
LIDAR = {
    "reader": "lidar",
    "period_s": 0.1,
    "position_m": [0.0, 0.0, 0.0],
    "reflectivity_max": 1.0,
    "padding": "none",
}
SECTION = {
    "reader": "mixed",
    "measured": "town",
    "sources": {
        "town": {**STREET, "sequences": 3, "seed": 0, "ego_motion": "none"},
        "suburb": {**STREET, "sequences": 4, "seed": 1},
    },
    "weights": {"town": 1.0, "suburb": 0.5},
    "unpaired": [],
}


def built(**changed) -> mixed.Source:
    source: mixed.Source = params.build(mixed.Source, {**SECTION, **changed}, "real.source")
    return source


@pytest.fixture
def root(tmp_path):
    for name in SECTION["sources"]:
        shutil.copytree(ROOT / "data" / "raw" / "radar", tmp_path / name)
    return tmp_path


def test_every_frame_of_every_source_is_listed_once_with_its_source_in_the_name(root):
    entries = mixed.index(root, built())
    assert [entry.sequence for entry in entries[::2]] == [
        *(f"town-street-{i:03d}" for i in range(3)),
        *(f"suburb-street-{i:03d}" for i in range(4)),
    ]
    assert {built().name_of(entry) for entry in entries} == {"town", "suburb"}
    assert len({entry.key for entry in entries}) == len(entries) == 14


def test_a_frame_is_that_of_its_own_reader(root):
    source = built()
    entry = mixed.index(root, source)[-1]
    single = source.sources["suburb"]
    alone = simulated.read(root / "suburb", single, simulated.index(root / "suburb", single)[-1])
    frame = mixed.read(root, source, entry)
    np.testing.assert_array_equal(frame.radar, alone.radar)
    np.testing.assert_array_equal(frame.target, alone.target)
    assert frame.sequence == entry.sequence == f"suburb-{alone.sequence}"
    assert catalog.sensor_of(source, entry) is single


def test_the_doppler_of_a_frame_is_put_over_ground_as_its_own_source_says(root):
    source = built()  # the town knows no velocity of its own, the suburb has recorded one
    for entry in (mixed.index(root, source)[0], mixed.index(root, source)[-1]):
        velocity = accumulation.over_ground(mixed.read(root, source, entry), source, entry)[1]
        assert np.isfinite(velocity).all() == (source.name_of(entry) == "suburb")


def test_the_sensor_of_a_mixed_track_is_that_of_the_measured_source():
    source = built()
    assert source.sensor is source.sources["town"]
    assert (source.ego_motion, source.doppler) == ("none", source.sources["town"].doppler)
    assert replace(source, measured="suburb").ego_motion == "recorded"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"measured": "village"}, r"^real\.source\.measured: expected one of town, suburb, the sources, got village$"),
        ({"weights": {"town": 1.0}}, r"^real\.source\.weights: expected one for each of town, suburb, got town$"),
        ({"weights": {"town": 1.0, "suburb": 0}}, r"^real\.source\.weights\.suburb: expected more than 0, got 0$"),
        ({"unpaired": ["town"]}, r"^real\.source\.unpaired: expected some of suburb, got town$"),
        (
            {"sources": {**SECTION["sources"], "suburb": LIDAR}},
            r"^real\.source\.unpaired: expected suburb in it, whose reader gives no radar$",
        ),
        ({"sources": {"town": SECTION}}, r"^real\.source\.sources\.town\.reader: expected one of simulated, astyx, "),
    ],
)
def test_sources_that_do_not_go_together_are_refused_by_the_path_of_the_key(changed, told):
    with pytest.raises(InputError, match=told):
        built(**changed)
