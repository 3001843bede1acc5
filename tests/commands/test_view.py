"""Command view: the test split of a track, or clouds that enhance wrote, as one page."""

from pathlib import Path

import numpy as np
import pytest
from tests.reports.test_scenes import decoded, frames
from typer.testing import CliRunner, Result

import artifacts
from echoes import arrays, metrics, provenance, seeds
from echoes.arrays import Reader
from echoes.cli import app
from echoes.commands import outputs, view
from echoes.dataset.grids import Grids
from echoes.inference import columns
from echoes.models.radar.clouds import POINT_COLUMNS
from echoes.provenance import Header
from echoes.readers.frames import Entry

METHODS = ("radar", "posterior_mean", "fused", "cd_1", "ldm")
SHOWN = ["radar", "posterior mean", "fused", "sample", "LiDAR"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["view", *arguments])


def points(frame: int, method: str) -> np.ndarray:
    """(20, 6) POINT_COLUMNS."""
    rng = seeds.rng(0, method, frame)
    return np.column_stack([rng.uniform(-4, 4, (20, 5)), rng.random(20)]).astype(np.float32)


def write_samples(path: Path, grids: Grids) -> Header:
    """What the stage sample would write of all test frames."""
    tests = grids.frames("test")
    with arrays.writing(path) as writer:
        for method in METHODS:
            for frame in tests.tolist():
                writer.append_ragged(f"{method}_indices", np.zeros((1, 3), np.int32))
                writer.append_ragged(f"{method}_features", np.ones((1, 1), np.float32))
                writer.append_ragged(f"{method}_points", points(frame, method))
        for name in (*METHODS, "real"):
            writer.append(f"{name}_encoded", np.zeros((len(tests), 2), np.float32))
        writer.append("frame", tests)
        content = {"methods": list(METHODS), "columns": ["probability"], "thresholds": {}}
        writer.seal(Header("samples", {}, {"grids": grids.header.identity}, content))
    return Reader(path, "samples").header


def write_numbers(folder: Path, samples: Header, frame: int) -> None:
    """What evaluate tells of one frame of `fused`, of points and of cells."""
    table = folder / "plots" / "evaluate" / "frames.csv"
    table.parent.mkdir(parents=True)
    lines = [f"{frame},0,points,fused,0.25,0.875", f"{frame},0,cells,fused,9,9", f"{frame},0,points,cd_1,,0.5"]
    table.write_text("frame,stretch,protocol,method,chamfer_m,f1@1.0m\n" + "\n".join(lines) + "\n")
    metrics.write(folder / "evaluate.json", {"frames": 4})
    header = Header("evaluation", {}, {"samples": samples.identity})
    provenance.write(header, folder / "provenance.json", folder / "evaluate.json")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose track `street` has grids, samples and numbers of its first test frame."""
    root = tmp_path_factory.mktemp("street")
    grids = artifacts.write_grids(root / "data" / "street" / "grids.zarr")
    samples = write_samples(root / "data" / "street" / "samples.zarr", grids)
    write_numbers(root / "metrics" / "street", samples, int(grids.frames("test")[0]))
    return root


def test_the_test_split_of_a_track_of_clouds_is_shown_with_its_numbers(street, tmp_path, monkeypatch):
    monkeypatch.chdir(street)
    result = run("--track", "street", str(tmp_path / "page.html"), "--frames", "2")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("2 of 4 frames are in ")
    first, last = frames(tmp_path / "page.html")
    assert (first["title"], last["title"]) == ("frame 10, street-2 at 0.00 s", "frame 13, street-2 at 0.30 s")
    assert [layer["name"] for layer in first["layers"]] == SHOWN
    of_layers = [sorted(layer["values"]) for layer in first["layers"]]
    assert of_layers == [["doppler", "power"], *[["doppler", "power", "probability"]] * 3, []]
    np.testing.assert_allclose(decoded(last["layers"][2], last["box"]), points(13, "fused")[:, :3], atol=1e-3)
    target = artifacts.frame_cells(13).target_points
    np.testing.assert_allclose(decoded(last["layers"][4], last["box"]), target, atol=1e-3)
    numbers = {layer["name"]: layer["numbers"] for layer in first["layers"]}
    assert numbers["fused"] == {"Chamfer m": 0.25, "F1 @1m": 0.875}
    assert (numbers["sample"], numbers["radar"]) == ({"F1 @1m": 0.5}, {})
    assert "without numbers" not in result.stdout


def test_numbers_of_other_samples_are_not_shown(street, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(street / "data")
    write_numbers(tmp_path / "metrics" / "street", Header("samples", {}, {}, identity="other"), 10)
    result = run("--track", "street", "page.html")
    assert "without numbers of frames" in result.stdout
    assert not any(layer["numbers"] for frame in frames(tmp_path / "page.html") for layer in frame["layers"])


def test_real_spectrograms_stand_beside_generated_ones_of_the_same_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = artifacts.write_spectrograms(Path("data", "people", "grids.zarr"))
    shape = (data.channels, *data.shape)
    labels = np.unique(data.labels(data.frames("train")), axis=0)[:-1]
    with arrays.writing(Path("data", "people", "samples.zarr")) as writer:
        for name in ("ldm", "cd_1", "cd_2"):
            level = np.linspace(-1, 1, len(labels)).reshape(-1, 1, 1, 1)
            writer.append(name, np.broadcast_to(level, (len(labels), *shape)).astype(np.float16))
        writer.append("vae_bound", np.zeros((len(data.frames("test")), *shape), np.float16))
        writer.append("labels", labels)
        content = {"methods": ["ldm", "cd_1", "cd_2", "vae_bound"]}
        writer.seal(Header("samples", {}, {"grids": data.header.identity}, content))
    result = run("--track", "people", "page.html")
    assert result.exit_code == 0, result.output
    tests, found = data.frames("test"), frames(tmp_path / "page.html")
    assert len(found) == len(tests)
    for frame, told in zip(tests.tolist(), found, strict=True):
        of = data.labels([frame])[0]
        made = ["ldm", "cd_1", "cd_2"] if (labels == of).all(axis=1).any() else []
        assert [one["name"] for one in told["pictures"]] == ["real", *made]
        names = [of_kind[i] for of_kind, i in zip(data.label_names.values(), of, strict=True)]
        assert told["title"] == f"{' '.join(names)}, crop {frame}"


def test_without_rerun_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(view, "find_spec", lambda name: None)
    result = run("--track", "a", str(tmp_path / "a.rrd"))
    assert result.exit_code == 2
    assert result.stderr.startswith("echoes: rerun-sdk: expected it to be installed, got nothing; `pip install")


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("form", ["ply", "pcd", "npy", "csv", "bin"])
def test_the_clouds_that_enhance_wrote_are_shown_in_any_format(tmp_path, form, spread):
    names = (*POINT_COLUMNS, "spread") if spread else POINT_COLUMNS
    made = seeds.rng(0, "cloud").uniform(0, 1, (30, len(names))).astype(np.float32)
    folder, entry = tmp_path / "clouds", Entry("drive", 1.5, "0")
    folder.mkdir()
    nothing = np.full(3, np.nan)
    row = outputs.written(columns.structured(made, names), folder, entry, 0, form, nothing)
    skipped = outputs.written(None, folder, entry, 1, form, nothing)
    outputs.write_index([row, skipped], folder / outputs.INDEX)
    result = run(str(folder), str(tmp_path / "page.html"))
    assert result.exit_code == 0, result.output
    (frame,) = frames(tmp_path / "page.html")
    assert frame["title"] == f"drive_000000.{form}, drive at 1.500000 s"
    (layer,) = frame["layers"]
    np.testing.assert_allclose(decoded(layer, frame["box"]), made[:, :3], atol=1e-4)
    assert list(layer["values"]) == list(names[3:])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["page.html"], "view: expected CLOUDS OUTPUT, or --track and OUTPUT, got neither"),
        (["clouds", "page.html", "--track", "a"], "view: expected CLOUDS OUTPUT, or --track and OUTPUT, got both"),
        (["a", "b", "c"], "view: expected [CLOUDS] OUTPUT, got 3 paths"),
        (["--track", "a", "page.html"], "data/a/grids.zarr: no such artifact; `dvc repro sample@a` makes it"),
        (["clouds", "page.html"], "clouds/frames.tsv: expected names of clouds in the folder, got '../secret.npy'"),
        (["clouds", "old.html"], "old.html: expected a new file, got one that is there; --overwrite replaces it"),
        (["--track", "a", "clouds"], "clouds: expected a file to write to, got a folder"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    Path("clouds").mkdir()
    Path("clouds", "frames.tsv").write_text("file\tsequence\tstamp_s\tpoints\n../secret.npy\ta\t0\t3\n")
    Path("old.html").touch()
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (2, f"echoes: {told}\n")
    assert not Path("page.html").exists()
