"""Command inspect: a report, a picture, and one line for what cannot be read."""

from pathlib import Path

import pytest
import yaml
from matplotlib.image import imread
from typer.testing import CliRunner, Result

from echoes import params
from echoes.cli import app

STREET = "data/raw/radar"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["inspect", *arguments])


def test_a_simulated_recording_is_sane(project: Path) -> None:
    result = run(STREET)
    assert result.exit_code == 0, result.output
    assert "inspect: reader simulated, as there is street.yaml; --reader takes another one\n" in result.stderr
    assert "data/raw/radar: reader simulated, 6 of 6 frames read" in result.stdout
    assert "6 in 2 sequences" in result.stdout
    assert "no warnings" in result.stdout
    assert result.stdout.endswith("street-001 at 0.000 s: inspect.png\n")
    assert imread(project / "inspect.png").shape[2] == 4


def test_frames_are_read_evenly_spread_up_to_the_number_given(project: Path) -> None:
    result = run(STREET, "--track", "radar", "--frames", "2", "--output", "pictures/street.png")
    assert result.exit_code == 0, result.output
    assert "2 of 6 frames read" in result.stdout
    assert (project / "pictures" / "street.png").is_file()


def test_the_reader_takes_the_parameters_of_the_first_track_that_has_it(project: Path) -> None:
    numbers = params.document(project / "params.yaml")
    numbers["astyx"]["source"] = numbers["radar"]["source"] | {"sequences": 1}
    (project / "params.yaml").write_text(
        yaml.safe_dump({n: numbers[n] for n in ("tracks", "runtime", "astyx", "radar")}, sort_keys=False)
    )
    assert "3 in 1 sequences" in run(STREET, "--reader", "simulated").stdout
    assert "6 in 2 sequences" in run(STREET, "--reader", "simulated", "--track", "radar").stdout


def assert_one_line(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("echoes: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("data",),
            "data: expected the recording of one reader, got none that has such files; --reader says which",
        ),
        (
            (STREET, "--reader", "sonar"),
            "--reader: expected one of simulated, astyx, raflow, ros, vod, clouds, lidar, generated, mixed, "
            "got 'sonar'",
        ),
        ((STREET, "--track", "sonar"), "sonar: missing in params.yaml"),
        (
            (STREET, "--track", "radar", "--reader", "vod"),
            "radar.source.reader: expected vod as in --reader, got simulated",
        ),
        (
            ("nowhere", "--reader", "simulated"),
            "nowhere: no such folder; expected a recording for the reader simulated",
        ),
        ((STREET, "--reader", "astyx"), "data/raw/radar/radar_6455: no such folder"),
    ],
)
def test_what_cannot_be_inspected_is_told_in_one_line(project: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_line(run(*arguments), message)
    assert not (project / "inspect.png").exists()


def test_a_reader_without_a_track_is_told_in_one_line(project: Path) -> None:
    numbers = params.document(project / "params.yaml")
    (project / "params.yaml").write_text(yaml.safe_dump({"radar": numbers["radar"]}))
    assert_one_line(run(STREET, "--reader", "vod"), "params.yaml: expected a track with source.reader: vod, got none")
    (project / "params.yaml").unlink()
    assert_one_line(run(STREET, "--reader", "vod"), "params.yaml: no such file")


def test_a_recording_without_any_point_is_refused(project: Path) -> None:
    folder = project / "recording" / "radar_6455"
    folder.mkdir(parents=True)
    for i in range(3):
        (folder / f"{i:06d}.txt").write_text("X Y Z V_r Mag\n")
    assert_one_line(run("recording", "--reader", "astyx"), "recording: expected radar points, got none in 3 frames")
    assert not (project / "inspect.png").exists()


def test_a_broken_frame_is_named(project: Path) -> None:
    folder = project / "recording" / "radar_6455"
    folder.mkdir(parents=True)
    (folder / "000000.txt").write_text("X Y Z V_r Mag\n1 2 3 nan 5\n")
    assert_one_line(run("recording", "--reader", "astyx"), "radar_6455/000000.txt: expected finite numbers, got nan")


@pytest.mark.parametrize(
    ("folder", "reader", "jumps", "warning"),
    [
        ("astyx-hires2019-ccbyncsa4", "astyx", ["astyx-379"], "gaps of more than"),
        ("raflow-4dradar", "raflow", [], "no neighbouring scan to accumulate"),
    ],
)
def test_real_recordings_fit_one_ego_velocity_that_points_forward(
    recordings: Path, project: Path, folder: str, reader: str, jumps: list[str], warning: str
) -> None:
    result = run(str(recordings / folder), "--reader", reader, "--frames", "12")
    assert result.exit_code == 0, result.output
    assert "from Doppler in 12 of 12 frames" in result.stdout
    assert "drives forward in 100% of" in result.stdout
    told = "clock          the clock jumps back 1 time; a new sequence begins there: "
    lines = result.stdout.splitlines()
    assert [line.removeprefix(told) for line in lines if line.startswith("clock")] == jumps
    warnings = [line for line in lines if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert warning in warnings[0]
