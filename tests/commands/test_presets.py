"""Values of a card in the section of a track: networks that fit, and every other byte as it was."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from echoes import params
from echoes.commands import presets, stand_ins, stepping, trainings
from echoes.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ROOT / "presets"
CARDS = ["6GB", "8GB", "12GB", "16GB", "24GB", "48GB"]
FULL = {"clouds": "vod", "spectrograms": "images"}  # a track at full size of each family
SMALL = {"clouds": "radar", "spectrograms": "microdoppler"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The first two tracks: to read all of them takes seconds."""
    text = (ROOT / "params.yaml").read_bytes().decode()
    made = tmp_path / "params.yaml"
    made.write_bytes(text[: text.index("\nastyx:")].encode())
    return made


def section(text: str, track: str) -> tuple[str, str, str]:
    """What stands before the section of a track, the section, and what stands behind it."""
    start = text.index(f"\n{track}:") + 1
    behind = start + len(track)
    found = re.search(r"^[#a-z]", text[behind:], re.MULTILINE)
    end = len(text) if found is None else behind + found.start()
    return text[:start], text[start:end], text[end:]


@pytest.mark.parametrize("family", FULL)
def test_each_family_has_a_preset_of_each_card_with_its_name_and_its_estimate(family):
    assert sorted(file.stem for file in (PRESETS / family).iterdir()) == sorted(CARDS)
    for card in CARDS:
        name, told = (PRESETS / family / f"{card}.yaml").read_text().splitlines()[:2]
        assert name.startswith(f"# {card.removesuffix('GB')} GB: ")
        assert re.fullmatch(rf"# Of {FULL[family]}, in bfloat16: (\w+ [\d.]+ GB(, )?){{3}}", told)
        peaks = [float(number) for number in re.findall(r"([\d.]+) GB", told)]
        assert max(peaks) <= 0.85 * float(card.removesuffix("GB"))


@pytest.mark.parametrize("family", SMALL)
def test_a_preset_changes_values_and_keeps_comments_and_all_other_tracks(path, family):
    track, before = SMALL[family], path.read_bytes().decode()
    section_before = params.document(path)[track]
    told = presets.write("12GB", track, path, PRESETS)
    after = path.read_bytes().decode()
    (head, old, tail), (head_after, new, tail_after) = section(before, track), section(after, track)
    assert (head_after, tail_after) == (head, tail)
    assert re.findall("#.*", new) == re.findall("#.*", old)
    overlay = params.document(PRESETS / family / "12GB.yaml")
    values, missing = presets.leaves(overlay, section_before)
    assert missing == []
    assert all(f"  {track}.{key}: " in told for key in values)
    assert presets.leaves(overlay, params.document(path)[track]) == (values, [])
    for key, value in values.items():
        found = params.document(path)[track]
        for name in key.split("."):
            found = found[name]
        assert found == value


def test_keys_that_a_track_lacks_are_left_out():
    overlay = {"a": {"b": 1, "c": {"d": 2}}, "e": {"f": 3}, "g": {"h": 4}}
    section = {"a": {"b": 0}, "e": "name", "g": {"h": 0, "i": 5}}
    assert presets.leaves(overlay, section) == ({"a.b": 1, "e": {"f": 3}, "g.h": 4}, ["a.c"])


def test_an_unknown_card_or_track_is_refused_in_one_line_and_nothing_is_written(path):
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"^CARD: expected one of 6GB, 8GB, 12GB, 16GB, 24GB, 48GB, got '7GB'$"):
        presets.write("7GB", "radar", path, PRESETS)
    with pytest.raises(InputError, match=r"^--track: expected a track of .*, got 'nobody'$"):
        presets.write("8GB", "nobody", path, PRESETS)
    assert path.read_bytes() == before


def test_a_preset_whose_networks_do_not_fit_the_grid_is_refused(path, tmp_path):
    folder = tmp_path / "presets" / "clouds"
    folder.mkdir(parents=True)
    (folder / "8GB.yaml").write_text("ldm: {architecture: {unet: {strides: full, size: lightweight}}}\n")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"ldm.architecture.unet.size: expected at most 3 levels"):
        presets.write("8GB", "radar", path, tmp_path / "presets")
    assert path.read_bytes() == before


def steps(family: str, card: str, tracks: dict[str, str], path: Path, stages: list[str]) -> None:
    """A step of trainings with the values of a preset, without numbers."""
    presets.write(card, tracks[family], path, PRESETS)
    p = trainings.load(tracks[family], path)
    made = trainings.stand_ins_of(p, stand_ins.LABELS, path.parent)
    for stage in stages:
        found = stepping.memory(stage, p, made, torch.device("cpu"))
        assert 0 < found.kept < found.peak


@pytest.mark.parametrize("family", SMALL)
def test_a_step_is_made_with_the_values_of_a_preset(family, path):
    steps(family, "12GB", SMALL, path, ["train_ldm"])


@pytest.mark.slow
@pytest.mark.parametrize("family", FULL)
@pytest.mark.parametrize("card", CARDS)
def test_every_preset_makes_a_step_of_every_training(family, card, tmp_path):
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))
    for tracks in (SMALL, FULL):
        steps(family, card, tracks, path, list(trainings.STAGES))
