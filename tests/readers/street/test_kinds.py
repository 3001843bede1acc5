"""Sequences of several kinds of streets, each as often as its share; without kinds nothing changes."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from echoes.errors import InputError
from echoes.readers import simulated
from echoes.readers.street import scenario, variation
from readers.street.test_variation import ROOT, SOURCE, frames

DOCS = Path(__file__).resolve().parents[3] / "docs" / "realism.md"
WIDE = {"name": "wide", "share": 0.3, "road": {"lane_width_m": 6.0}}
TALL = {"name": "tall", "share": 0.5, "buildings": {"height_m": [20.0, 25.0]}}


def street(folder: Path, kinds: object) -> Path:
    text = (ROOT / scenario.FILE).read_text()
    (folder / scenario.FILE).write_text(text + "\n" + yaml.safe_dump({"kinds": kinds}))
    return folder


def test_a_kind_is_the_street_of_the_file_but_for_what_it_has_otherwise(tmp_path):
    base, found = scenario.load(ROOT), scenario.load(street(tmp_path, [WIDE, TALL]))
    wide, tall = (kind.street for kind in found.kinds)
    assert (wide.road.lane_width_m, wide.road.length_m) == (6.0, base.road.length_m)
    assert (wide.buildings, tall.road, tall.radar, tall.lidar) == (base.buildings, base.road, base.radar, base.lidar)
    assert tall.buildings.height_m == (20.0, 25.0)


def test_each_kind_is_as_frequent_as_its_share_and_the_rest_is_the_street_of_the_file(tmp_path):
    found = scenario.load(street(tmp_path, [WIDE, TALL]))
    names = {id(kind.street): kind.name for kind in found.kinds}
    drawn = Counter(names.get(id(variation.street_of_sequence(found, 3, i)), "file") for i in range(2000))
    assert [round(drawn[name] / 2000, 1) for name in ("wide", "tall", "file")] == [0.3, 0.5, 0.2]


def test_every_frame_of_a_sequence_is_of_one_kind_and_without_kinds_the_bytes_are_as_ever(tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "wide").mkdir()
    assert frames(street(tmp_path / "none", [])) == frames(ROOT)
    every = street(tmp_path / "wide", [{**WIDE, "share": 1.0}])
    wide = yaml.safe_load((ROOT / scenario.FILE).read_text())
    wide["road"]["lane_width_m"] = 6.0
    (tmp_path / scenario.FILE).write_text(yaml.safe_dump(wide))
    assert frames(every) == frames(tmp_path) != frames(ROOT)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([{**WIDE, "road": {"lanes": 2}}], r"kinds\[0\]\.road\.lanes: unknown; road has length_m, "),
        ([{**WIDE, "road": 6}], r"kinds\[0\]\.road: expected a mapping, got 6"),
        ([{**WIDE, "radar": {}}], r"kinds\[0\]\.radar: unknown; "),
        ([WIDE, {**TALL, "share": 0.8}], r"street\.yaml\.kinds: expected shares of at most 1 together, got 1\.1"),
        (
            [{**TALL, "buildings": {"depth_m": -1}}],
            r"kinds\[0\]\.street\.buildings\.depth_m: expected more than 0, got",
        ),
        ("village", r"street\.yaml\.kinds: expected a list, got 'village'"),
        (["village"], r"kinds\[0\]: expected a mapping, got 'village'"),
    ],
)
def test_a_kind_that_no_street_can_be_is_refused_by_its_key(tmp_path, kinds, told):
    with pytest.raises(InputError, match=told):
        scenario.load(street(tmp_path, kinds))


def test_a_street_of_any_kind_must_be_long_enough_for_its_drive(tmp_path):
    root = street(tmp_path, [{**WIDE, "road": {"length_m": 50.0}}])
    with pytest.raises(
        InputError, match=r"street\.yaml\.kinds\[0\]\.road\.length_m: expected at least \d+ for 2 frames"
    ):
        simulated.index(root, SOURCE)


def test_the_kinds_of_the_docs_are_streets(tmp_path):
    (block,) = re.findall(r"```yaml\n(kinds:.*?)```", DOCS.read_text(), flags=re.DOTALL)
    found = scenario.load(street(tmp_path, yaml.safe_load(block)["kinds"]))
    assert [kind.name for kind in found.kinds] == ["village", "avenue", "country road"]
    assert len(frames(tmp_path)) == SOURCE.sequences * SOURCE.frames
