"""Command inspect: a report, a picture, and one line for what cannot be read."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.image import imread
from scipy.io import wavfile
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
            "simulated_people, mars, cw24, acconeer, adc, iq, images, got 'sonar'",
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


def sounds(root: Path, rate_hz: int = 8000) -> Path:
    """Two people, and one of them twice under another name; a recording is too short."""
    tone = lambda seconds, hz: np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    for name, samples in {
        "run/1": 0.5 * tone(3, 700),
        "walk/1": 0.5 * tone(3, 300),
        "walk/2": (2 * tone(3, 320)).clip(-1, 1),
        "walk/copy": 0.5 * tone(3, 300),
        "walk/short": tone(0.5, 300),
    }.items():
        path = root / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wavfile.write(path, rate_hz, (32767 * samples).astype(np.int16))
    return root


def test_recordings_of_micro_doppler_are_inspected_too(project: Path) -> None:
    result = run(str(sounds(project / "people")))
    assert result.exit_code == 0, result.output
    assert "inspect: reader cw24, as there is " in result.stderr
    assert "reader cw24, 5 of 5 recordings read" in result.stdout
    names = [line.rpartition("[")[2] for line in result.stdout.splitlines() if line.startswith("WARNING")]
    assert names == ["short_recordings]", "single_recording]", "duplicates]", "clipped]"]
    assert "walk/1.wav = walk/copy.wav" in result.stdout
    assert result.stdout.endswith("up to 4 recordings of 2 labels, as the track would have them: inspect.png\n")
    assert imread(project / "inspect.png").shape[2] == 4


def test_a_grid_that_does_not_fit_takes_the_picture_and_not_the_report(project: Path) -> None:
    numbers = params.document(project / "params.yaml")
    numbers["cw24"]["grid"]["velocity"] = {"start": 0.0, "stop": 60.0, "size": 64}
    (project / "params.yaml").write_text(yaml.safe_dump(numbers))
    result = run(str(sounds(project / "people")), "--track", "cw24")
    assert result.exit_code == 0, result.output
    assert "[duplicates]" in result.stdout
    assert (
        "no picture: the grid of the track does not fit: run/1.wav: grid.velocity: expected at most " in result.stdout
    )
    assert not (project / "inspect.png").exists()


def test_recordings_that_cannot_be_inspected_are_told_in_one_line(project: Path) -> None:
    assert_one_line(
        run("nowhere", "--reader", "mars"), "nowhere: no such folder; expected a recording for the reader mars"
    )
    assert_one_line(run(STREET, "--reader", "iq"), "params.yaml: expected a track with source.reader: iq, got none")
    assert_one_line(
        run(STREET, "--track", "cw24", "--reader", "mars"), "cw24.source.reader: expected mars as in --reader"
    )
    assert_one_line(run(STREET, "--reader", "mars"), "data/raw/radar: expected subject{S}/radar_data{M}.mat in it")


@pytest.mark.parametrize(("folder", "single"), [("cw24-human-gpl3", 2), ("cw24-vehicles", 1), ("mars", 27)])
def test_real_recordings_of_micro_doppler_are_sane_but_for_labels_with_one_of_them(
    recordings: Path, project: Path, folder: str, single: int
) -> None:
    result = run(str(recordings / folder), "--frames", "40")
    assert result.exit_code == 0, result.output
    (warning,) = [line for line in result.stdout.splitlines() if line.startswith("WARNING")]
    assert warning.startswith(f"WARNING: {single} of ")
    assert warning.endswith("[single_recording]")
