"""A section like another one with its own reader: it loads, keeps its comments, and all else keeps its bytes."""

from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml
from tests.readers import test_clouds

from echoes import params
from echoes.autoencoder.fitting import VaeParams
from echoes.commands import inspection, new_track, sources
from echoes.commands.sections import tracks
from echoes.errors import InputError
from echoes.judging.stops import Inspect
from echoes.models.distilling import CdParams
from echoes.models.microdoppler.comparison import SpectrogramEvaluation
from echoes.models.objectives import LdmParams
from echoes.models.radar.comparison import CloudEvaluation
from echoes.models.trained import SampleParams
from echoes.readers.catalog import READERS, family_of
from echoes.voxelization.families import voxelizer
from echoes.voxelization.sections import Layout, Split

ROOT = Path(__file__).resolve().parents[2]
KNOWN = tracks(params.document(ROOT / "params.yaml"))
SECTIONS = {
    "inspect": Inspect,
    "grid": Layout,
    "split": Split,
    "vae": VaeParams,
    "ldm": LdmParams,
    "cd": CdParams,
    "sample": SampleParams,
    "evaluate": CloudEvaluation | SpectrogramEvaluation,
}
PAIRS = [  # each reader that has a track or shows its section, and each raster
    ("vod", "astyx"),
    ("astyx", "ros"),
    ("radar", "raflow"),
    ("ntu4dradlm", "vod"),
    ("vod", "clouds"),  # which no track has
    ("radar", "clouds"),
    ("raflow", "simulated"),
    ("cw24", "simulated_people"),
    ("microdoppler", "cw24"),
    ("images", "images"),
    ("microdoppler", "iq"),  # which no track has
    ("microdoppler", "adc"),
    ("mars", "mars"),
]
SMALL = """tracks: [a] # built
init_from: {a: scratch, b: a}
a: # of a street
  # above the source
  source: # behind the source
    # above the reader
    reader: vod # behind the reader
    ego_motion: none # behind the motion

    # above Doppler
    doppler: {span_mps: null, static_mps: 0.3,
      static_share: 0.2, max_speed_mps: 20.0}
    radar: radar
    doppler_sign: 1
    reflectivity_max: 1.0
    # below the source
  grid: {raster: voxels} # behind the grid
  # below the section
# above b
b:
  source: {reader: astyx, ego_motion: estimated}
  grid: {raster: voxels}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path / "params.yaml"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "params.yaml").write_text(SMALL)
    return tmp_path / "params.yaml"


def added(path: Path, before: str) -> str:
    """What was appended to the file, whose other bytes are as before but for the line of the new track."""
    after = path.read_text()
    for line in ("  new: scratch\n", ", new: scratch"):
        after = after.replace(line, "", 1)
    assert after.startswith(before)
    return after[len(before) :]


@pytest.mark.parametrize(("like", "reader"), PAIRS)
def test_a_new_track_loads_in_all_sections_and_all_else_keeps_its_bytes(path, like, reader):
    before = path.read_text()
    new_track.add("new", like, reader, path)
    text = added(path, before)
    loaded = {name: params.load(cls, f"new.{name}", path) for name, cls in SECTIONS.items()}
    loaded["source"] = sources.load("new", path)
    section = params.document(path)["new"]
    others = {"latents", *({"augment"} if family_of(reader, "reader") == "microdoppler" else ())}
    assert set(section) == {"source", *SECTIONS, *others} == set(KNOWN[like])
    assert {**section, "source": None} == {**KNOWN[like], "source": None}
    family = family_of(reader, "reader")
    voxelizer(family).require("new", reader, loaded["grid"], loaded["split"])
    assert text.startswith(f"\n# as {like}, with the reader {reader}: recordings in data/raw/new\nnew:\n  source:")
    copied = text[text.index("\n  grid:") :]
    assert copied in before[before.index(f"\n{like}:") :]  # with its comments
    if "init_from" in params.document(path):
        assert params.document(path)["init_from"]["new"] == "scratch"


@pytest.mark.parametrize(("like", "reader"), PAIRS)
def test_the_source_has_the_keys_of_its_reader_with_the_values_of_the_model_where_they_fit(path, like, reader):
    new_track.add("new", like, reader, path)
    source, model = params.document(path)["new"]["source"], KNOWN[like]["source"]
    hints = get_type_hints(READERS[reader].Source)
    assert list(source) == [field.name for field in fields(READERS[reader].Source)]
    others = [section["source"] for section in KNOWN.values() if section["source"]["reader"] == reader]
    others = others or [yaml.safe_load(READERS[reader].EXAMPLE)["source"]]
    for key in [key for key in source if key != "reader"]:
        fits = key in model and new_track._fits(hints[key], model, key)
        assert source[key] == (model if fits else others[0])[key]


def test_a_folder_of_anyones_clouds_is_inspected_with_the_section_that_is_written(path, monkeypatch):
    new_track.add("mine", "vod", "clouds", path)
    assert "    columns: {x: x, y: y, z: z, doppler: doppler, power: power} # and range, where" in path.read_text()
    monkeypatch.chdir(path.parent)
    for i in range(3):
        test_clouds.write(Path(f"mine/radar/{i:06d}.ply"), test_clouds.points(doppler=-3.0))
        test_clouds.write(Path(f"mine/lidar/{i:06d}.pcd"), test_clouds.lidar_rows(), test_clouds.LIDAR)
    told = inspection.inspect(Path("mine"), sources.chosen("inspect", "", "mine", path), 3, Path("picture.png"))
    assert "mine: reader clouds, 3 of 3 frames read" in told
    assert Path("picture.png").is_file()


def test_comments_of_the_model_and_of_keys_from_elsewhere_are_kept(small):
    new_track.add("new", "a", "vod", small)
    section = SMALL[SMALL.index("  # above the source") : SMALL.index("# above b")]
    assert added(small, SMALL) == f"\n# as a, with the reader vod: recordings in data/raw/new\nnew:\n{section}"
    once = small.read_text()
    new_track.add("other", "b", "vod", small)
    text = small.read_text().replace(", other: scratch", "")
    assert text == once + (
        "\n# as b, with the reader vod: recordings in data/raw/other\n"
        "other:\n  source:\n    reader: vod\n    ego_motion: estimated\n\n    # above Doppler\n"
        "    doppler: {span_mps: null, static_mps: 0.3,\n      static_share: 0.2, max_speed_mps: 20.0}\n"
        "    radar: radar\n    doppler_sign: 1\n    reflectivity_max: 1.0\n"
        "  grid: {raster: voxels}\n"
    )


@pytest.mark.parametrize("starts", ["init_from: {a: scratch, b: a}", "init_from: # of\n  a: scratch\n  b: a # too"])
def test_a_new_track_starts_from_scratch_where_others_tell_where_they_start(small, starts):
    small.write_text(SMALL.replace("init_from: {a: scratch, b: a}", starts))
    new_track.add("new", "a", "vod", small)
    assert params.document(small)["init_from"] == {"a": "scratch", "b": "a", "new": "scratch"}
    small.write_text(SMALL.replace("init_from: {a: scratch, b: a}\n", ""))
    new_track.add("new", "a", "vod", small)
    assert "scratch" not in small.read_text()


@pytest.mark.parametrize(
    ("name", "like", "reader", "message"),
    [
        ("a", "a", "vod", r"NAME: expected one that .*params\.yaml does not have, got a"),
        ("tracks", "a", "vod", r"NAME: expected one that .*params\.yaml does not have, got tracks"),
        ("x.y", "a", "vod", r"NAME: expected a letter, .*; got 'x\.y'"),
        ("null", "a", "vod", r"NAME: expected .* no word of YAML; got 'null'"),
        ("on", "a", "vod", r"NAME: expected .* no word of YAML; got 'on'"),
        ("new", "c", "vod", r"--like: expected a track of .*params\.yaml \(a, b\), got 'c'"),
        ("new", "tracks", "vod", r"--like: expected a track of .* \(a, b\), got 'tracks'"),
        ("new", "a", "sonar", r"--reader: expected one of simulated, .*, got 'sonar'"),
        (
            "new",
            "a",
            "mars",
            r"--like: .* grid\.raster: doppler_time, which the reader mars fills \(no .*\), got a with",
        ),
        (
            "new",
            "a",
            "raflow",
            r".*params\.yaml: expected a track with source\.reader: raflow, to take accumulate, max_residual_mps, "
            r"recentre, reflectivity_dbsm from, as a has none that fits; got none",
        ),
        ("new", "b", "astyx", r".*: expected .* astyx, to take doppler from, as b has none that fits; got"),
    ],
)
def test_what_gives_no_track_that_runs_is_refused_in_one_line_and_nothing_is_written(
    small, name, like, reader, message
):
    with pytest.raises(InputError, match=f"^{message}"):
        new_track.add(name, like, reader, small)
    assert small.read_text() == SMALL
    assert [path.name for path in small.parent.iterdir()] == ["params.yaml"]


BRACES = """a: {source: {reader: astyx, ego_motion: none, doppler: {span_mps: null, static_mps: 0.3,
  static_share: 0.2, max_speed_mps: 20.0}}, grid: {raster: voxels}}
"""


@pytest.mark.parametrize(
    ("text", "like", "reader", "message"),
    [
        (BRACES, "a", "astyx", r"^a: expected a section with a line for each key, got one in braces$"),
        (SMALL + "...\n", "a", "vod", r"params\.yaml"),
    ],
)
def test_a_file_that_is_not_laid_out_in_lines_is_refused_and_left_alone(small, text, like, reader, message):
    small.write_text(text)
    with pytest.raises(InputError, match=message):
        new_track.add("new", like, reader, small)
    assert small.read_text() == text
