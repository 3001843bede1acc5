"""Command calibrate: a scenario that the reader takes, a table, and one line for what cannot be used."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from echoes.cli import app
from echoes.commands import calibrate, radar_fit
from echoes.readers import simulated
from echoes.readers.street import scenario

STREET = "data/raw/radar"
SCENARIO = f"{STREET}/street.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["calibrate", *arguments])


@pytest.fixture
def recording(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recording of a street whose radar is 6 dB weaker, and a fit of one round on few streets."""
    monkeypatch.setattr(radar_fit, "STREETS", 3)
    monkeypatch.setattr(radar_fit, "ROUNDS", 1)
    shutil.copytree(STREET, "weaker")
    text = Path("weaker/street.yaml").read_text()
    Path("weaker/street.yaml").write_text(text.replace("power_at_1m_db: 137.0", "power_at_1m_db: 131.0"))
    return "weaker"


def test_the_output_is_a_street_that_the_reader_takes(recording: str, source: simulated.Source) -> None:
    before = scenario.load(Path(STREET))
    result = run(recording, "--track", "radar", "--scenario", SCENARIO, "--output", "fitted/street.yaml")
    assert result.exit_code == 0, result.output
    after = scenario.load(Path("fitted"))
    assert after.radar.spread is not None
    assert after.radar != before.radar
    assert replace(after, radar=before.radar) == before
    entries = simulated.index(Path("fitted"), source)
    assert len(simulated.read(Path("fitted"), source, entries[0]).radar) > 50
    text = Path("fitted/street.yaml").read_text()
    assert text.startswith("# The radar was fitted to weaker by `echoes calibrate`.\n# The simulated street")
    assert "# two-way 3 dB half width of the antenna pattern" in text
    assert "street before" in result.stdout
    assert "points per frame, 5 / 50 / 95 %" in result.stdout
    assert "- height_m: the frames do not tell" in result.stdout
    assert result.stdout.rstrip().endswith("street.yaml of its folder")


def test_a_fitted_street_can_be_fitted_again_and_the_same_input_gives_the_same_bytes(recording: str) -> None:
    for name in ("a", "b"):
        assert run(recording, "--track", "radar", "--scenario", SCENARIO, "--output", name).exit_code == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()
    text = Path("a").read_text()
    line = next(line for line in text.splitlines() if "spread: {" in line)
    keys = "".join(f"    {key}\n" for key in line.strip("} ").split("{")[1].split(", "))
    Path("a").write_text(text.replace(line, f"  spread:  # between sequences\n{keys.rstrip()}"))
    result = run(recording, "--track", "radar", "--scenario", "a", "--output", "c")
    assert result.exit_code == 0, result.output
    assert scenario.at(Path("c")).radar.spread is not None
    assert Path("c").read_text().count("  spread:  # between sequences") == 1


def test_nothing_is_overwritten_unless_it_is_asked_for(recording: str) -> None:
    Path("fitted.yaml").write_text("mine")
    arguments = (recording, "--track", "radar", "--scenario", SCENARIO, "--output", "fitted.yaml")
    assert_one_line(run(*arguments), "fitted.yaml: expected no such file yet, got one; --overwrite replaces it")
    assert Path("fitted.yaml").read_text() == "mine"
    assert run(*arguments, "--overwrite").exit_code == 0
    assert scenario.at(Path("fitted.yaml"))


def assert_one_line(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("echoes: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((STREET, "--scenario", SCENARIO), "calibrate: expected --reader (simulated, astyx, "),
        ((STREET, "--scenario", "no.yaml", "--track", "radar"), "no.yaml: no such file"),
        ((STREET, "--scenario", "params.yaml", "--track", "radar"), "params.yaml.frame_rate_hz: missing"),
        (("nowhere", "--scenario", SCENARIO, "--track", "radar"), "nowhere: no such folder"),
        ((STREET, "--scenario", SCENARIO, "--track", "microdoppler"), "expected a reader of radar clouds"),
        ((STREET, "--scenario", SCENARIO, "--reader", "astyx"), "data/raw/radar/radar_6455: no such folder"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(project: Path, arguments: tuple[str, ...], message: str) -> None:
    assert_one_line(run(*arguments, "--output", "fitted.yaml"), message)
    assert not Path("fitted.yaml").exists()


def test_a_folder_is_no_output(project: Path) -> None:
    result = run(STREET, "--track", "radar", "--scenario", SCENARIO, "--output", "data")
    assert_one_line(result, "data: expected a file to write to, got a folder")


def test_a_recording_with_hardly_a_point_is_refused(project: Path) -> None:
    folder = Path("recording", "radar_6455")
    folder.mkdir(parents=True)
    for i in range(3):
        (folder / f"{i:06d}.txt").write_text("X Y Z V_r Mag\n1 2 3 0.5 50\n")
    result = run("recording", "--reader", "astyx", "--scenario", SCENARIO, "--output", "fitted.yaml")
    assert_one_line(result, "recording: expected at least 500 radar points to measure, got 3 in 3 frames")


def test_a_scenario_whose_numbers_stand_for_others_is_not_written(recording: str) -> None:
    text = Path(SCENARIO).read_text()
    text = text.replace("azimuth_noise_deg: 0.5", "azimuth_noise_deg: &one 0.5").replace(
        "doppler_noise_mps: 0.05", "doppler_noise_mps: *one"
    )
    Path(SCENARIO).write_text(text)
    result = run(recording, "--track", "radar", "--scenario", SCENARIO, "--output", "fitted.yaml")
    assert_one_line(
        result, "data/raw/radar/street.yaml: expected every number written out, got one that stands for another (*one)"
    )
    assert not Path("fitted.yaml").exists()


def test_every_parameter_that_is_turned_is_written() -> None:
    turned = {path for knob in radar_fit.KNOBS for path in (*knob.paths, *knob.against)}
    assert turned <= set(calibrate.WRITTEN)


@pytest.mark.parametrize(("folder", "reader"), [("raflow-4dradar", "raflow")])
def test_a_real_recording_gives_a_street_with_its_view_and_its_floor(
    recordings: Path, project: Path, monkeypatch: pytest.MonkeyPatch, folder: str, reader: str
) -> None:
    monkeypatch.setattr(radar_fit, "STREETS", 6)
    monkeypatch.setattr(radar_fit, "ROUNDS", 2)
    arguments = ("--scenario", SCENARIO, "--output", "fitted.yaml", "--frames", "20")
    result = run(str(recordings / folder), "--reader", reader, *arguments)
    assert result.exit_code == 0, result.output
    radar = scenario.at(Path("fitted.yaml")).radar
    assert radar.range_m[1] == pytest.approx(76, abs=1.5)
    assert radar.noise_power_db + radar.detection_snr_db == pytest.approx(51.6, abs=0.5)
