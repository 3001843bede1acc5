"""Command pack: a folder that works without the project, tells what it is, and is checked by its manifest."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner, Result

import tracks
from echoes import arrays, metrics, params, provenance, weights
from echoes.cli import app
from echoes.commands.chosen import Pack
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.inference import Enhancer, RadarGenerator, SpectrogramGenerator, load
from echoes.provenance import Header

CPU = torch.device("cpu")
STREET = "data/raw/radar"
FILES = {"vae.safetensors", "cd.safetensors", "profile.json", "MODEL_CARD.md", "manifest.json"}
ASTYX = """\
reader: astyx
ego_motion: none
doppler: {span_mps: null, static_mps: 0.5, static_share: 0.2, max_speed_mps: 30.0}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a track of each kind, all of them packed, and no recordings."""
    root = tmp_path_factory.mktemp("made")
    tracks.radar(root / "data" / "radar")
    tracks.people(root / "data" / "people")
    tracks.radar_from_lidar(root / "data" / "lidar")
    numbers = params.document(Path(__file__).resolve().parents[2] / "params.yaml")
    sections = {"radar": "radar", "astyx": "astyx", "people": "microdoppler", "lidar": "radar_from_lidar"}
    document = {"runtime": numbers["runtime"], **{name: numbers[like] for name, like in sections.items()}}
    (root / "params.yaml").write_text(yaml.safe_dump(document))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for track in ("radar", "people", "lidar"):
            result = run("pack", "--track", track, f"packed-{track}")
            assert result.exit_code == 0, result.output
    return root


@pytest.fixture
def copied(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own copy of it, as the current folder."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def packed(*options: str) -> Path:
    result = run("pack", "--track", "radar", "model", *options)
    assert result.exit_code == 0, result.output
    return Path("model")


def leave_the_project(project: Path) -> None:
    """Nothing but the recording and the pack stays."""
    (project / "params.yaml").unlink()
    shutil.rmtree(project / "data" / "radar")


def test_a_packed_model_makes_the_clouds_of_its_track_without_the_project(
    train: Callable[..., Grids], project: Path
) -> None:
    train("encoder")
    assert run("enhance", "--track", "radar", STREET, "out", "--format", "npy").exit_code == 0
    folder = packed("--licence", "CC BY 4.0, by the\nroad authority")
    assert {path.name for path in folder.iterdir()} == FILES
    for name in ("vae.safetensors", "cd.safetensors"):
        assert (folder / name).read_bytes() == (project / "data" / "radar" / name).read_bytes()
    leave_the_project(project)
    result = run("enhance", "--model", "model", STREET, "again", "--format", "npy")
    assert result.exit_code == 0, result.output
    assert "against the LiDAR's points" in result.stdout
    names = sorted(path.name for path in Path("out").glob("*.npy"))
    assert len(names) == 6
    for name in names:
        np.testing.assert_array_equal(np.load(Path("again", name)), np.load(Path("out", name)))
    card = (folder / "MODEL_CARD.md").read_text()
    assert "what is derived from them: CC BY 4.0, by the road authority\n" in card
    assert "frames of the training split: 2\n" in card
    assert "Nothing that belongs to this model was there when it was packed." in card
    told = json.loads((folder / "profile.json").read_text())
    seen = Enhancer.load(folder, device=CPU).seen
    assert told["seen"]["power_db_q10"]["median"] == seen.median[seen.names.index("power_db_q10")]
    assert told["doppler_span_mps"] == told["source"]["doppler"]["span_mps"]
    assert [axis["name"] for axis in told["axes"]] == ["z", "y", "x"]


def test_a_packed_model_reads_another_recording_by_its_section_and_tells_how_unlike_it_is(
    train: Callable[..., Grids], project: Path
) -> None:
    train("encoder", ego_motion="none")
    packed()
    leave_the_project(project)
    (project / "other" / "radar_6455").mkdir(parents=True)
    for i, rows in enumerate(("10 0 0 1 10\n", "12 3 1 2 11\n11 2 1 0 10\n")):
        (project / "other" / "radar_6455" / f"{i:06d}.txt").write_text("X Y Z V_r Mag\n" + rows)
    (project / "astyx.yaml").write_text(ASTYX)
    result = run("enhance", "--model", "model", "--source", "astyx.yaml", "other", "out")
    assert result.exit_code == 0, result.output
    assert "2 clouds (ply)" in result.stdout
    assert "dB in training: " in result.stdout
    refused = run("enhance", "--model", "model", "--reader", "astyx", "other", "out2")
    told = "echoes: source.ego_motion: expected none, as the track was trained, got recorded\n"
    assert (refused.exit_code, refused.stderr) == (2, told)


def test_another_reader_takes_the_values_of_the_pack_for_the_keys_that_both_have(made: Path) -> None:
    folder = made / "packed-radar"
    own, other = (Pack(folder, None, reader).reading().source for reader in (None, "astyx"))
    assert (own.reader, other.reader) == ("simulated", "astyx")
    assert (other.ego_motion, other.doppler) == (own.ego_motion, own.doppler)
    missing = run("enhance", "--model", str(folder), "--reader", "vod", STREET, "out")
    assert missing.exit_code == 2
    assert missing.stderr.startswith("echoes: --reader vod: source.radar: missing; ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", r"profile\.json: expected a profile of format 2, got None"),
        ('{"format": 3}', r"profile\.json: expected a profile of format 2, got 3"),
        ('{"format": 1}', r"profile\.json: ground: expected a mapping"),
        ('{"format": 1, "ground": {"method": "none"}}', r"profile\.json: source\.reader: missing"),
        ('{"format": 1, "ground": {"method": "none"}, "source": {"reader": "os"}}', "reader: expected one of "),
    ],
)
def test_a_profile_that_tells_no_way_to_read_is_refused(copied: Path, text: str, message: str) -> None:
    profile = Path("packed-radar", "profile.json")
    profile.write_text(text.ljust(profile.stat().st_size))
    with pytest.raises(InputError, match=message):
        Pack(Path("packed-radar"), None, None).reading()


REFUSED = [
    (("enhance", STREET, "out"), "enhance: expected one of --track and --model, got neither"),
    (("enhance", "--track", "radar", "--model", "m", STREET, "out"), "one of --track and --model, got both"),
    (("enhance", "--track", "radar", "--reader", "vod", STREET, "out"), "--source and --reader with --model"),
    (("enhance", "--model", "data/radar", STREET, "out"), "data/radar/manifest.json: no such file; expected a folder"),
    (("pack", "--track", "radar", "data"), "data: expected a new folder, got one that is there"),
    (("pack", "--track", "astyx", "out"), "data/astyx/vae.safetensors: no such file; expected a trained track"),
    (("pack", "--track", "nope", "out"), "nope: missing in params.yaml"),
    (("pack", "--track", "radar", "--licence", "x", "--licence-file", "x", "out"), "--licence-file, got both"),
    (("verify",), "verify: expected one of MODEL and --track, got neither"),
]


def test_what_cannot_be_packed_or_used_is_one_line_and_leaves_nothing(copied: Path) -> None:
    for arguments, message in REFUSED:
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
    assert not [path for path in copied.iterdir() if "out" in path.name]


def evaluated(cd: str) -> None:
    """What sample and evaluate leave of the track `radar`, for a model of that identity."""
    with arrays.writing(Path("data/radar/samples.zarr")) as writer:
        writer.append("frame", np.arange(3))
        writer.seal(Header("samples", {}, {"cd": cd}))
    samples = arrays.Reader(Path("data/radar/samples.zarr"), "samples").header
    path = Path("metrics/radar/evaluate.json")
    metrics.write(path, {"radar": {"chamfer_m": 1.5}, "cd_1": {"chamfer_m": 0.71}, "frames": 3})
    header = Header("evaluation", {}, {"samples": samples.identity})
    provenance.write(header, path.with_name("provenance.json"), path)


def test_the_card_has_the_table_of_this_model_and_of_no_other(copied: Path) -> None:
    evaluated(weights.header(Path("data/radar/cd.safetensors"), "cd").identity)
    card = (packed() / "MODEL_CARD.md").read_text()
    assert "| radar | 1.50 |\n| cd_1 | 0.710 |\n" in card
    assert "licence of the recordings, and of what is derived from them: not told" in card
    shutil.rmtree("model")
    evaluated("f" * 64)
    other = run("pack", "--track", "radar", "model")
    assert other.exit_code == 2
    assert "samples.zarr: was made from cd ffffffffffff, but data/radar/cd.safetensors is " in other.stderr
    Path("metrics/radar/evaluate.json").write_text("{}\n")
    assert "evaluate.json: expected the content " in run("pack", "--track", "radar", "model").stderr
    assert not Path("model").exists()


def test_verify_tells_the_file_that_is_not_as_it_was_packed(copied: Path) -> None:
    folder = Path("packed-radar")
    whole = run("verify", str(folder))
    assert whole.exit_code == 0, whole.output
    assert [line.split()[0] for line in whole.stdout.splitlines()] == ["ok"] * (len(FILES) + 1)
    card, profile = folder / "MODEL_CARD.md", folder / "profile.json"
    card.write_text(card.read_text().replace("no sensor", "NO sensor"))
    profile.unlink()
    (folder / "notes.txt").touch()
    wrong = [line for line in run("verify", str(folder)).stdout.splitlines() if not line.startswith("ok ")]
    assert [line.split()[0] for line in wrong] == ["FAILED", "unknown", "missing"]
    assert f"{card}: expected the content " in wrong[0]
    assert run("verify", str(folder)).exit_code == 1
    assert f"{profile}: no such file" in run("enhance", "--model", str(folder), STREET, "out").stderr
    (folder / "manifest.json").unlink()
    assert run("verify", str(folder)).stdout.startswith("FAILED   packed-radar/manifest.json: expected the header")


def test_a_folder_is_loaded_as_what_it_holds(made: Path) -> None:
    for name in ("data/people", "packed-people"):
        assert isinstance(load(made / name, device=CPU), SpectrogramGenerator)
    assert isinstance(load(made / "packed-lidar", device=CPU), RadarGenerator)


def test_a_packed_model_generates_by_one_call_without_the_project(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "packed-people", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    asked = ("generate", "--model", "model", "--user", "3", "--activity", "walk", "--count", "2", "out")
    result = run(*asked)
    assert result.exit_code == 0, result.output
    assert "2 spectrograms of cd_1 are in " in result.stdout
    generator = SpectrogramGenerator.load("model", device=CPU)
    expected = generator.physical(generator.spectrograms(("3", "walk"), 2))
    np.testing.assert_allclose(np.load("out/spectrograms.npz")["spectrogram"], expected, atol=1e-3)
    assert "--method: expected cd_1 or cd_2 with --model" in run(*asked, "--overwrite", "--method", "ldm").stderr
