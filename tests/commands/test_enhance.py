"""Command enhance: recordings -> clouds, as voxelize and sample would make them."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from tests.inference.test_pointclouds import read
from typer.testing import CliRunner, Result

import tracks
from echoes import params
from echoes.cli import app
from echoes.commands import against_lidar, enhance
from echoes.commands.chosen import EVERY_CORE, Reading
from echoes.commands.outputs import Row
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.inference import Enhancer
from echoes.inference.enhancer import RadarFrame
from echoes.models.radar.clouds import POINT_COLUMNS
from echoes.rasters.ground import NoGround
from echoes.readers import ego_motion, simulated
from echoes.readers.frames import Entry
from echoes.voxelization import pairs
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.views import Shown, View

CPU = torch.device("cpu")
STREET = "data/raw/radar"
ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["enhance", *arguments])


def radar_of(grids: Grids) -> RadarFrame:
    """The radar of the one frame that is in every place."""
    return RadarFrame(grids.cells("input", 3), grids.points("input", 3))


def alone(entry: Entry) -> Shown:
    """A test frame without copies and without earlier ones."""
    return Shown((View(entry, "test", 0.0, 1.0, 0.0, 0.0, 0.0),), (), False)


def index(folder: Path) -> list[dict[str, str]]:
    with (folder / "frames.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_every_frame_becomes_a_cloud_of_the_same_numbers_in_all_four_formats(train, project: Path) -> None:
    train("encoder")
    found = {}
    for form in ("ply", "pcd", "npy", "csv"):
        result = run("--track", "radar", STREET, f"out/{form}", "--format", form)
        assert result.exit_code == 0, result.output
        assert f"6 clouds ({form})" in result.stdout
        assert "doppler [m/s over ground, positive = receding]" in result.stdout
        assert re.search(r"[\d.]+ frames/s in total, [\d.]+ frames/s in the network alone", result.stdout)
        names = [row["file"] for row in index(project / "out" / form)]
        assert names == [f"street-{i // 3:03d}_{i:06d}.{form}" for i in range(6)]
        assert sorted(p.name for p in (project / "out" / form).iterdir()) == ["frames.tsv", *names]
        found[form] = [read(project / "out" / form / name) for name in names]
    assert all(len(cloud) > 0 for cloud in found["npy"])
    for form in ("ply", "pcd", "csv"):
        for cloud, same in zip(found[form], found["npy"], strict=True):
            np.testing.assert_array_equal(cloud, same)


def test_the_index_tells_stamps_points_and_the_velocity_that_was_taken_out(train, project: Path, source) -> None:
    train("encoder")
    assert run("--track", "radar", STREET, "out", "--format", "npy").exit_code == 0
    entries = simulated.index(project / STREET, source)
    for row, entry in zip(index(project / "out"), entries, strict=True):
        velocity = simulated.read(project / STREET, source, entry).ego_velocity
        assert (row["sequence"], float(row["stamp_s"])) == (entry.sequence, pytest.approx(entry.stamp))
        assert int(row["points"]) == len(np.load(project / "out" / row["file"]))
        found = [float(row[f"ego_{axis}_mps"]) for axis in "xyz"]
        np.testing.assert_allclose(found, velocity, atol=1e-4)


@pytest.mark.parametrize(("readout", "level"), [("sample", 0.5), ("decide", tracks.READOUT.decide)])
def test_a_cloud_lies_in_cells_of_the_grid_with_probabilities_above_the_threshold(
    train, project: Path, readout: str, level: float
) -> None:
    grid = train("encoder").grid
    assert run("--track", "radar", STREET, "out", "--format", "npy", "--readout", readout).exit_code == 0
    cloud = np.load(project / "out" / "street-000_000000.npy")
    cells, inside = grid.cells(cloud)
    assert inside.all()
    assert len(cloud) > 10
    assert np.allclose(cloud[:, :3], grid.centres(cells), atol=1e-5) == (readout == "sample")  # the others have offsets
    assert len(np.unique(cells, axis=0)) == len(cells)
    assert ((cloud[:, 5] >= level - 1e-6) & (cloud[:, 5] <= 1)).all()


def test_the_cloud_of_a_radar_keeps_its_returns_as_measured_and_adds_points_in_other_cells(
    train, project: Path, source, frame: simulated.Frame
) -> None:
    grid = train("encoder").grid
    assert run("--track", "radar", STREET, "out", "--format", "npy").exit_code == 0
    cloud = np.load(project / "out" / "street-000_000000.npy")
    assert frame.ego_velocity is not None
    measured = ego_motion.compensate(frame.radar, frame.ego_velocity, source.doppler.span_mps)[:, [0, 1, 2, 4, 3]]
    kept = {row.tobytes() for row in cloud[:, :5]} & {row.tobytes() for row in measured}
    outside = ~grid.cells(measured)[1]
    assert {row.tobytes() for row in measured[outside]} <= kept
    assert len(measured) >= len(kept) > outside.sum() + 3
    added = cloud[[row.tobytes() not in kept for row in cloud[:, :5]]]
    occupied = {tuple(cell) for cell in grid.cells(measured)[0].tolist()}
    assert len(added) > 10
    assert not occupied & {tuple(cell) for cell in grid.cells(added)[0].tolist()}


def test_two_steps_give_other_clouds_than_one(train, project: Path) -> None:
    train("encoder")
    for steps in ("1", "2"):
        assert run("--track", "radar", STREET, f"out{steps}", "--steps", steps, "--format", "npy").exit_code == 0
    one, two = (np.load(project / f"out{steps}" / "street-000_000000.npy") for steps in (1, 2))
    assert one.shape != two.shape or not np.allclose(one, two)


def test_a_frame_keeps_its_place_and_its_noise_beside_frames_that_are_skipped(train, project: Path) -> None:
    grids: Grids = train("encoder")
    enhancer, radar = Enhancer.load(project / "data" / "radar", device=CPU), radar_of(grids)
    expected, _ = enhancer.timed([radar, radar], [6, 8])
    (first, skipped, third), seconds = enhance.enhanced(enhancer, [radar, None, radar], first=6)
    assert skipped is None
    assert seconds > 0
    for found, cloud in zip((first, third), expected, strict=True):
        assert found is not None
        np.testing.assert_array_equal(found, cloud)
    assert enhance.enhanced(enhancer, [None, None], first=0) == ([None, None], 0.0)


def test_the_spread_over_samples_is_told_and_written(train, project: Path) -> None:
    train("encoder")
    result = run("--track", "radar", STREET, "out", "--samples", "2")
    assert result.exit_code == 0, result.output
    assert "positive = receding], probability, spread" in result.stdout
    assert read(project / "out" / "street-000_000000.ply", (*POINT_COLUMNS, "spread")).shape[1] == 7


def test_the_cells_are_those_of_voxelize(project: Path, source) -> None:
    root = project / STREET
    layout = params.load(GridParams, "radar.grid")
    for motion in ("none", "recorded", "estimated"):
        chosen = replace(source, ego_motion=motion)
        entry = simulated.index(root, chosen)[4]
        (pair,) = pairs.prepare(simulated.read, root, chosen, layout, alone(entry)).pairs
        found = enhance.prepared(simulated.read, root, chosen, layout.grid(), None, layout.ground, (entry, (), False))
        assert pair is not None
        assert found.radar is not None
        np.testing.assert_array_equal(found.radar.cells.indices, pair.cells.input.indices)
        np.testing.assert_array_equal(found.radar.cells.features, pair.cells.input.features)
        inside = layout.grid().cells(found.radar.points)[1]
        np.testing.assert_array_equal(found.radar.points[inside], pair.cells.input_points)
        np.testing.assert_array_equal(found.velocity, pair.ego_velocity)
        assert found.truth is not None
        near = np.hypot(pair.cells.target_points[:, 0], pair.cells.target_points[:, 1]) < against_lidar.RANGE_M
        np.testing.assert_array_equal(found.truth[0], pair.cells.target_points[near])
        np.testing.assert_allclose(found.truth[1].ground, pair.cells.ground)


def test_a_clock_that_jumps_back_is_told(project: Path, source) -> None:
    entries = simulated.index(project / STREET, source)
    rows = [Row("a.npy", replace(entry, jumps_back=i == 3), 1, np.zeros(3)) for i, entry in enumerate(entries)]
    told = enhance.told(rows, Path("out"), "npy", POINT_COLUMNS, source, 1.0, 1.0)
    assert told[-1] == "the clock jumps back 1 time; a new sequence begins there: street-001"


def test_a_frame_without_points_in_the_grid_has_no_cells(project: Path, source) -> None:
    def far(root: Path, source: simulated.Source, entry: Entry) -> simulated.Frame:
        frame = simulated.read(root, source, entry)
        return replace(frame, radar=frame.radar + np.float32([1000, 0, 0, 0, 0]))

    root = project / STREET
    layout = params.load(GridParams, "radar.grid")
    entry = simulated.index(root, source)[0]
    nothing = enhance.prepared(far, root, source, layout.grid(), None, layout.ground, (entry, (), False))
    assert nothing.radar is nothing.truth is None
    assert (
        enhance.prepared(simulated.read, root, source, layout.grid(), None, layout.ground, (entry, (), False)).radar
        is not None
    )


def astyx(project: Path, points: list[str]) -> None:
    """A recording of radar only, with `points` as the rows of its frames, and the parameters of its reader."""
    numbers = params.document(project / "params.yaml")
    numbers["radar"]["source"] = numbers["astyx"]["source"] | {"ego_motion": "none"}
    (project / "params.yaml").write_text(yaml.safe_dump(numbers))
    folder = project / "recording" / "radar_6455"
    folder.mkdir(parents=True)
    for i, rows in enumerate(points):
        (folder / f"{i:06d}.txt").write_text("X Y Z V_r Mag\n" + rows)


def test_frames_without_points_are_skipped_counted_and_reported(train, project: Path) -> None:
    train("encoder", ego_motion="none")
    astyx(project, ["10 0 0 1 60\n", "", "12 3 1 2 70\n11 2 1 0 65\n", "900 0 0 1 60\n"])
    result = run("--track", "radar", "recording", "out")
    assert result.exit_code == 0, result.output
    assert "2 of 4 frames skipped" in result.stdout
    assert "doppler [m/s relative to the radar" in result.stdout
    rows = index(project / "out")
    assert [row["file"] for row in rows] == ["astyx-0_000000.ply", "", "astyx-0_000002.ply", ""]
    assert [row["points"] for row in rows if not row["file"]] == ["0", "0"]
    assert {row["ego_x_mps"] for row in rows} == {""}


def test_how_near_to_the_lidar_the_clouds_are_is_told_where_there_is_one(train, project: Path) -> None:
    train("encoder")
    result = run("--track", "radar", STREET, "out")
    assert result.exit_code == 0, result.output
    told = result.stdout[result.stdout.index("against the LiDAR's points within 40 m, ground taken out, 6 frames:") :]
    head, radar, enhanced, verdict = told.splitlines()[1:]
    assert head.split() == " ".join(against_lidar.TITLES).split()
    numbers = {line.split()[0]: [float(value) for value in line.split()[1:]] for line in (radar, enhanced)}
    assert all(len(values) == 6 for values in numbers.values())
    assert numbers["radar"] != numbers["enhanced"]
    ratio = float(re.findall(r"([\d.]+) x its Chamfer distance", verdict)[0])
    assert ratio == pytest.approx(numbers["enhanced"][0] / numbers["radar"][0], abs=0.05)
    assert ("are no nearer" in verdict) == (ratio >= 1)
    train("encoder", ego_motion="none")
    astyx(project, ["10 0 0 1 60\n", "12 3 1 2 70\n11 2 1 0 65\n"])
    alone = run("--track", "radar", "recording", "out2")
    assert alone.exit_code == 0, alone.output
    assert "LiDAR" not in alone.stdout


def test_how_unlike_the_training_a_recording_is_is_told_and_what_inspect_would_warn_of(train, project: Path) -> None:
    train("encoder", ego_motion="none")
    astyx(project, ["10 0 0 1 10\n", "12 3 1 2 11\n11 2 1 0 10\n"])
    result = run("--track", "radar", "recording", "out")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"^power: [\w ]+ 1\d\.\d dB, \d\d\.\d dB in training: \d+ deviations$", result.stdout, re.MULTILINE
    )
    assert "WARNING: Doppler: points agree on one ego velocity in 0 of 2 frames only [no_ego_velocity]" in result.stdout


def test_a_recording_without_any_point_leaves_nothing_behind(train, project: Path) -> None:
    train("encoder", ego_motion="none")
    astyx(project, ["", ""])
    result = run("--track", "radar", "recording", "out")
    assert_one_line(result, "recording: expected radar points inside the grid of radar, got none in 2 frames")
    assert not [path for path in project.iterdir() if "out" in path.name]


def test_a_recording_without_its_velocity_is_refused_where_the_track_needs_it(train, project: Path) -> None:
    train("encoder")
    astyx(project, ["10 0 0 1 60\n"] * 2)
    numbers = params.document(project / "params.yaml")
    numbers["radar"]["source"]["ego_motion"] = "recorded"
    (project / "params.yaml").write_text(yaml.safe_dump(numbers))
    result = run("--track", "radar", "recording", "out")
    assert_one_line(result, "source.ego_motion: expected none or estimated, as 000000 has no recorded velocity")
    assert not [path for path in project.iterdir() if "out" in path.name]


def assert_one_line(result: Result, message: str) -> None:
    """A status of 2, and one line on stderr beside the progress bar."""
    assert result.exit_code == 2, result.output
    lines = [line for line in re.split(r"[\r\n]", result.stderr) if line.strip() and not line.startswith("enhance:")]
    assert len(lines) == 1
    assert lines[0].startswith("echoes: ")
    assert message in lines[0]
    assert result.stdout == ""


def test_clouds_are_only_overwritten_when_asked_and_nothing_else_ever_is(train, project: Path) -> None:
    train("encoder")
    assert run("--track", "radar", STREET, "out", "--format", "npy").exit_code == 0
    assert_one_line(run("--track", "radar", STREET, "out"), "out: expected an empty or a new folder")
    assert run("--track", "radar", STREET, "out", "--format", "csv", "--overwrite").exit_code == 0
    assert {path.suffix for path in (project / "out").iterdir()} == {".csv", ".tsv"}
    (project / "mine").mkdir()
    (project / "mine" / "thesis.tex").write_text("years")
    refused = run("--track", "radar", STREET, "mine", "--overwrite")
    assert_one_line(refused, "mine: expected what an earlier run wrote to overwrite, got a folder without frames.tsv")
    assert_one_line(run("--track", "radar", STREET, ".", "--overwrite"), "without frames.tsv")
    assert_one_line(run("--track", "radar", STREET, "params.yaml", "--overwrite"), "params.yaml: expected a folder")
    assert (project / "mine" / "thesis.tex").read_text() == "years"
    assert (project / "params.yaml").is_file()


def test_an_empty_folder_is_used(train, project: Path) -> None:
    train("encoder")
    (project / "out").mkdir()
    assert run("--track", "radar", STREET, "out").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--track", "nope", STREET, "out"), "nope: missing in params.yaml"),
        (("--track", "radar", "nowhere", "out"), "nowhere: no such folder; expected a recording"),
        (("--track", "astyx", STREET, "out"), "data/raw/radar/radar_6455: no such folder"),
        (("--track", "radar", STREET, "out"), "data/radar/vae.safetensors: no such file; expected a trained track"),
    ],
)
def test_what_cannot_be_enhanced_is_told_in_one_line(project: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_line(run(*arguments), message)
    assert not [path for path in project.iterdir() if "out" in path.name]


def test_an_output_that_cannot_be_made_is_told_in_one_line(train, project: Path) -> None:
    train("encoder")
    assert_one_line(run("--track", "radar", STREET, "params.yaml/out"), "params.yaml")


@pytest.mark.parametrize(
    "arguments", [("--steps", "3"), ("--format", "obj"), ("--readout", "best"), ("--samples", "0")]
)
def test_an_unknown_option_is_refused(project: Path, arguments: tuple[str, ...]) -> None:
    assert run("--track", "radar", STREET, "out", *arguments).exit_code == 2


def test_batches_hold_every_item_once_in_order() -> None:
    assert list(enhance.batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(enhance.batches([], 2)) == []


def test_doppler_over_ground_may_be_recorded_or_estimated_whichever_was_trained_and_relative_is_refused() -> None:
    source = params.load(simulated.Source, "radar.source", ROOT / "params.yaml")
    for trained in ("none", "recorded", "estimated"):
        for given in ("none", "recorded", "estimated"):
            reading = Reading(replace(source, ego_motion=given), NoGround("none"), EVERY_CORE, "radar.")
            if (trained == "none") == (given == "none"):
                reading.require_ego_motion(trained)
                continue
            wanted = "none" if trained == "none" else "recorded or estimated"
            told = rf"^radar\.source\.ego_motion: expected {wanted}, as the track was trained, got {given}$"
            with pytest.raises(InputError, match=told):
                reading.require_ego_motion(trained)
