"""Command generate: new spectrograms of given labels, the same for the same seed, or one line of what is wrong."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from matplotlib.image import imread
from PIL import Image
from typer.testing import CliRunner, Result

import artifacts
import tracks
from echoes import params
from echoes.cli import app
from echoes.commands import picture_dataset
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.evaluation import kinematics
from echoes.models import autoencoders, denoisers, students
from echoes.models.distilling import CdParams
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.readers import images
from echoes.voxelization import crops
from echoes.voxelization.spectrograms import PictureParams, prepare

COMBINATIONS = [("1", "fall"), ("1", "walk"), ("3", "fall"), ("3", "walk"), ("drone", "fly")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a track of each family, and one of spectrograms with a codebook."""
    folder = tmp_path_factory.mktemp("trained")
    tracks.people(folder / "data" / "people")
    tracks.people(folder / "data" / "codes", "vq", parameterization="ddpm", network="dit")
    tracks.radar(folder / "data" / "radar")
    sample = {"sample": tracks.PEOPLE_SAMPLE}
    (folder / "params.yaml").write_text(yaml.safe_dump(dict.fromkeys(("people", "codes", "radar", "new"), sample)))
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own copy of it, as the current folder."""
    shutil.copytree(trained, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def run(*arguments: str, track: str = "people") -> Result:
    return CliRunner().invoke(app, ["generate", "--track", track, *arguments])


def spectrograms(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a run; numpy refuses to unpickle."""
    with np.load(folder / "spectrograms.npz", allow_pickle=False) as stored:
        return dict(stored)


def assert_one_line(result: Result, message: str) -> None:
    """A status of 2, and one line on stderr beside the progress bar."""
    assert result.exit_code == 2, result.output
    lines = [line for line in re.split(r"[\r\n]", result.stderr) if line.strip() and not line.startswith("generate:")]
    assert len(lines) == 1
    assert lines[0].startswith("echoes: ")
    assert message in lines[0]
    assert result.stdout == ""


@pytest.mark.parametrize("track", ["people", "codes"])
@pytest.mark.parametrize("method", ["ldm", "cd_1", "cd_2"])
def test_arrays_pictures_and_index_of_one_label_are_written(project: Path, track: str, method: str) -> None:
    result = run("--user", "3", "--activity", "walk", "--count", "3", "--method", method, "out", track=track)
    assert result.exit_code == 0, result.output
    assert f"3 spectrograms of {method} are in " in result.stdout
    out = project / "out"
    assert {path.name for path in out.iterdir()} == {"spectrograms.npz", "spectrograms.tsv", "3-walk", "3-walk.png"}
    assert sorted(path.name for path in (out / "3-walk").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    assert imread(out / "3-walk" / "0001.png").ndim == 3
    found = spectrograms(out)
    assert found["spectrogram"].shape == (3, 1, 16, 16)
    assert found["user"].tolist() == ["3"] * 3
    assert found["activity"].tolist() == ["walk"] * 3


def test_powers_are_in_db_and_axes_in_metres_per_second_and_seconds(project: Path) -> None:
    assert run("--user", "1", "--activity", "fall", "--count", "2", "out").exit_code == 0
    found = spectrograms(project / "out")
    assert set(found) == {"spectrogram", "velocity_mps", "time_s", "user", "activity"}
    assert found["spectrogram"].dtype == np.float32
    assert -40 <= found["spectrogram"].min() < found["spectrogram"].max() <= 0
    np.testing.assert_allclose(found["velocity_mps"], np.linspace(-3.75, 3.75, 16))
    np.testing.assert_allclose(found["time_s"], np.linspace(0.05, 1.55, 16))


def test_every_trained_combination_comes_where_no_label_is_asked_for(project: Path) -> None:
    assert run("--count", "2", "out").exit_code == 0
    found = spectrograms(project / "out")
    rows = list(zip(found["user"].tolist(), found["activity"].tolist(), strict=True))
    assert rows == [labels for labels in COMBINATIONS for _ in range(2)]
    with (project / "out" / "spectrograms.tsv").open() as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["user"], row["activity"]) for row in table] == rows
    assert [row["file"] for row in table[:3]] == ["1-fall/0000.png", "1-fall/0001.png", "1-walk/0000.png"]
    assert all((project / "out" / row["file"]).is_file() for row in table)


def test_a_label_that_is_left_out_is_every_known_one(project: Path) -> None:
    assert run("--user", "3", "--count", "1", "one").exit_code == 0
    assert spectrograms(project / "one")["activity"].tolist() == ["fall", "walk"]
    assert run("--activity", "fall", "--count", "1", "other").exit_code == 0
    assert spectrograms(project / "other")["user"].tolist() == ["1", "3"]


@pytest.mark.parametrize("track", ["people", "codes"])
@pytest.mark.parametrize("method", ["ldm", "cd_1", "cd_2"])
def test_the_same_seed_gives_the_same_spectrograms_in_any_batch(project: Path, track: str, method: str) -> None:
    for batch in ("1", "5"):
        wanted = ("--user", "3", "--activity", "walk", "--count", "7", "--seed", "4", "--method", method)
        assert run(*wanted, "--batch", batch, f"batch-{batch}", track=track).exit_code == 0
    one, five = (spectrograms(project / f"batch-{batch}")["spectrogram"] for batch in (1, 5))
    # 1e-5 of the range, which is 40 dB.
    np.testing.assert_allclose(one, five, atol=40 * 1e-5, rtol=0)
    assert all(np.abs(one[i] - one[0]).max() > 1 for i in range(1, 7))


def test_samples_of_a_track_without_phases_are_refused_and_nothing_is_left(project: Path) -> None:
    assert_one_line(run("--format", "iq", "out"), "--format: expected figures, dataset or dataset16 for a track whose")
    assert not (project / "out").exists()


def test_a_sample_is_the_same_whatever_else_is_asked_for(project: Path) -> None:
    assert run("--user", "3", "--activity", "walk", "--count", "2", "few").exit_code == 0
    assert run("--count", "3", "many").exit_code == 0
    few, many = spectrograms(project / "few"), spectrograms(project / "many")
    ours = many["spectrogram"][(many["user"] == "3") & (many["activity"] == "walk")]
    np.testing.assert_allclose(few["spectrogram"], ours[:2], atol=40 * 1e-5, rtol=0)


def test_another_seed_another_label_and_another_method_give_other_spectrograms(project: Path) -> None:
    walk = ("--user", "3", "--activity", "walk", "--count", "1")
    runs = {
        "first": walk,
        "seed": (*walk, "--seed", "1"),
        "activity": ("--user", "3", "--activity", "fall", "--count", "1"),
        "user": ("--user", "1", "--activity", "walk", "--count", "1"),
        "method": (*walk, "--method", "cd_1"),
    }
    for name, arguments in runs.items():
        assert run(*arguments, name).exit_code == 0
    found = {name: spectrograms(project / name)["spectrogram"] for name in runs}
    for name in ("seed", "activity", "user", "method"):
        assert np.abs(found[name] - found["first"]).max() > 1, name


@pytest.mark.parametrize(("user", "activity"), [("1", "fall"), ("3", "walk"), ("drone", "fly")])
def test_the_labels_reach_the_network_as_they_were_trained(project: Path, user: str, activity: str) -> None:
    """Beside the noise, which has the labels in its name: one call of the consistency model under their indices."""
    wanted = ("--user", user, "--activity", activity, "--count", "2", "--seed", "4", "--method", "cd_1")
    assert run(*wanted, "out").exit_code == 0
    data = project / "data" / "people"
    model, of, header = students.load_cd(data / "cd.safetensors", tracks.CPU)
    decoder = Decoder(autoencoders.load(data / "vae.safetensors", tracks.CPU)[0], denoisers.whitening(header))
    once = Sampler(model, students.steps(of.sigmas, []), UNGUIDED, decoder, (4, 4, 4), 4)
    names = Spectrograms(data / "grids.zarr").label_names
    cond = torch.tensor([[names["user"].index(user), names["activity"].index(activity)]] * 2)
    noise = once.noise([0, 1], f"generate-{user}-{activity}")
    with torch.no_grad():
        expected = decoder(once.latents(cond, noise, [0, 1])).clamp(-1, 1)
    found = spectrograms(project / "out")["spectrogram"]
    np.testing.assert_allclose(found, 20 * expected - 20, atol=1e-3)


def test_a_run_that_repeats_gives_the_same_bytes_of_numbers(project: Path) -> None:
    for name in ("one", "other"):
        assert run("--user", "1", "--count", "2", name).exit_code == 0
    one, other = (spectrograms(project / name)["spectrogram"] for name in ("one", "other"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "track", "message"),
    [
        (("--user", "9"), "people", "--user: expected one of 1, 3, drone, got '9'"),
        (("--activity", "dance"), "people", "--activity: expected one of fall, fly, walk, got 'dance'"),
        (
            ("--user", "drone", "--activity", "walk"),
            "people",
            "--user --activity: expected one of 1 fall, 1 walk, 3 fall, 3 walk, drone fly, got drone walk, "
            "never seen together",
        ),
        (("--seed", "-1"), "people", "--seed: expected 0 or more, got -1"),
        ((), "radar", "data/radar/vae.safetensors: expected a track of labelled spectrograms, got one of radar clouds"),
        ((), "new", "data/new/vae.safetensors: no such file; expected a trained track"),
        ((), "nope", "nope: missing in params.yaml"),
    ],
)
def test_what_cannot_be_generated_is_told_in_one_line_and_leaves_nothing(
    project: Path, arguments: tuple[str, ...], track: str, message: str
) -> None:
    assert_one_line(run(*arguments, "out", track=track), message)
    assert not [path for path in project.iterdir() if "out" in path.name]


@pytest.mark.parametrize("arguments", [("--count", "0"), ("--batch", "0"), ("--method", "gan")])
def test_an_unknown_option_is_refused(project: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments, "out").exit_code == 2


def test_a_track_without_one_of_its_models_is_told(project: Path) -> None:
    (project / "data" / "people" / "cd.safetensors").unlink()
    assert_one_line(run("--method", "cd_1", "out"), "data/people/cd.safetensors: no such file")
    assert run("--user", "1", "--count", "1", "out").exit_code == 0  # by the denoiser, which is there


@pytest.mark.parametrize("method", ["ldm", "cd_2"])
def test_models_that_do_not_belong_together_are_refused(project: Path, method: str) -> None:
    shutil.copy(project / "data" / "codes" / "vae.safetensors", project / "data" / "people" / "vae.safetensors")
    assert_one_line(run("--method", method, "out"), "safetensors: was made from vae ")


def test_spectrograms_are_only_overwritten_when_asked_and_nothing_else_ever_is(project: Path) -> None:
    assert run("--user", "1", "--count", "1", "out").exit_code == 0
    assert_one_line(run("--user", "3", "out"), "out: expected an empty or a new folder")
    assert spectrograms(project / "out")["user"].tolist() == ["1", "1"]
    assert run("--user", "3", "--count", "1", "--overwrite", "out").exit_code == 0
    assert spectrograms(project / "out")["user"].tolist() == ["3", "3"]
    assert not (project / "out" / "1-fall").exists()
    (project / "mine").mkdir()
    (project / "mine" / "thesis.tex").write_text("years")
    assert_one_line(run("--overwrite", "mine"), "mine: expected what an earlier run wrote to overwrite, got a folder ")
    assert_one_line(run("--overwrite", "."), "without spectrograms.tsv")
    assert_one_line(run("--overwrite", "params.yaml"), "params.yaml: expected a folder to write to, got a file")
    assert (project / "mine" / "thesis.tex").read_text() == "years"
    (project / "empty").mkdir()
    assert run("--user", "1", "--count", "1", "empty").exit_code == 0


def test_pictures_in_colour_are_written_as_shares_of_full_light(project: Path) -> None:
    grids = artifacts.write_spectrograms(project / "data" / "new" / "grids.zarr", channels=3)
    sections = (tracks.PEOPLE_VAE, tracks.PEOPLE_LDM, tracks.PEOPLE_CD, {"second_sigma": 1.2})
    tracks.built(project / "data" / "new", grids, *sections)
    assert run("--user", "1", "--activity", "walk", "--count", "2", "out", track="new").exit_code == 0
    found = spectrograms(project / "out")["spectrogram"]
    assert found.shape == (2, 3, 16, 16)
    assert 0 <= found.min() < found.max() <= 1


@pytest.mark.parametrize(("form", "bits", "mode"), [("dataset", 8, "L"), ("dataset16", 16, "I;16")])
def test_pictures_of_a_data_set_are_read_back_as_they_were_made(project: Path, form: str, bits: int, mode: str) -> None:
    """By the reader of pictures, up to half of a step of their values; of a power by what generated.json tells."""
    wanted = ("--activity", "fall", "--count", "2", "--seed", "3", "--method", "cd_1")
    for kind in (form, "figures"):
        assert run(*wanted, "--format", kind, kind).exit_code == 0
    told = json.loads((project / form / "generated.json").read_text())
    assert (told["track"], told["method"], told["seed"], told["floor_db"], told["ceiling_db"]) == (
        *("people", "cd_1", 3),
        *(-40.0, 0.0),
    )
    assert (told["rows"]["start"], told["rows"]["stop"], told["rows"]["order"]) == (-4.0, 4.0, "descending")
    span_db = told["ceiling_db"] - told["floor_db"]
    axes = [{key: told[axis][key] for key in ("start", "stop", "size")} for axis in ("rows", "columns")]
    grid = {"raster": "picture", "velocity": axes[0], "time": axes[1], "floor_db": -40.0, "ceiling_db": 0.0}
    layout, source = params.build(PictureParams, grid, "grid"), images.Source("images", 16, "grey", "viridis")
    expected, step_db = spectrograms(project / "figures")["spectrogram"], span_db / (2**bits - 1)
    recorded = images.index(project / form, source)
    keys = [f"{user}-fall/{i:06d}.png" for user in ("1", "3") for i in range(2)]
    assert [(one.key, one.labels["activity"]) for one in recorded] == [(key, key.split("/")[0]) for key in keys]
    for one, power_db in zip(recorded, expected, strict=True):
        with Image.open(project / form / one.key) as picture:
            assert picture.mode == mode
            by_hand = told["floor_db"] + np.asarray(picture, dtype=np.float64)[::-1] / told["highest_value"] * span_db
        np.testing.assert_allclose(by_hand, power_db[0], atol=0.501 * step_db, rtol=0)
        found = prepare(images.read, project / form, source, layout, crops.unsplit(one, layout))
        half = 2e-3 * span_db / 2  # grids are stored in half precision
        np.testing.assert_allclose((found[0] - 1) * span_db / 2, power_db, atol=0.501 * step_db + half, rtol=0)


def test_the_table_of_a_data_set_tells_where_each_picture_is_from(project: Path) -> None:
    assert run("--user", "3", "--count", "2", "--seed", "7", "--format", "dataset", "out").exit_code == 0
    assert {path.name for path in (project / "out").iterdir()} == {"3-fall", "3-walk", "labels.csv", "generated.json"}
    with (project / "out" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    identity = denoisers.load_ldm(project / "data" / "people" / "ldm.safetensors", tracks.CPU)[1].identity
    of = {"seed": "7", "track": "people", "model": identity}
    assert rows[3] == {"file": "3-walk/000001.png", "user": "3", "activity": "walk", "sample": "1", **of}
    assert all((project / "out" / row["file"]).is_file() for row in rows)
    assert len(rows) == 4
    for form in ("figures", "dataset"):
        assert run("--user", "1", "--count", "1", "--format", form, "--overwrite", "out").exit_code == 0
        assert not (project / "out" / "3-fall").exists()


def test_colours_are_written_as_they_are_and_in_8_bits_alone() -> None:
    colours = np.zeros((1, 3, 4, 2), np.float32)
    colours[0, 0, -1], colours[0, 1, 0] = 1, -1  # red at the highest velocity
    found = picture_dataset.pixels(colours, 8)
    assert (found.shape, found.dtype) == ((1, 4, 2, 3), np.uint8)
    assert found[0, 0, 0].tolist() == [255, 128, 128]
    assert found[0, -1, 0].tolist() == [128, 0, 128]
    with pytest.raises(InputError, match=r"^--format: expected dataset, of 8 bits, for pictures in col"):
        picture_dataset.pixels(colours, 16)


def with_sieve(project: Path, limits: dict) -> None:
    """The consistency model of the track, and limits of a sieve."""
    path = project / "data" / "people" / "cd.safetensors"
    model = students.load_cd(path, tracks.CPU)[0]
    teacher = denoisers.load_ldm(path.with_name("ldm.safetensors"), tracks.CPU)[1]
    chosen = {"second_sigma": 1.2, "sieve": {"of": limits}}
    students.save_cd(model, params.build(CdParams, tracks.PEOPLE_CD, "cd"), teacher, chosen, path)


WALK = ("--user", "3", "--activity", "walk", "--method", "cd_1", "--batch", "5")
WIDE = dict.fromkeys(kinematics.QUANTITIES, (-99.0, 99.0))


def test_what_is_beyond_the_limits_is_left_out_and_others_are_drawn_for_it(project: Path) -> None:
    assert run(*WALK, "--count", "12", "all").exit_code == 0
    every = spectrograms(project / "all")["spectrogram"]
    values = kinematics.quantities(every / 20 + 1, artifacts.VELOCITY, artifacts.TIME, 40.0)[:, 2]
    middle = float(np.sort(values)[5:7].mean())
    narrow = {**WIDE, "bandwidth_mps": (-99.0, middle)}
    with_sieve(project, {"walk": narrow, "fall": WIDE, "fly": WIDE})
    result = run(*WALK, "--count", "6", "--sieve", "--format", "dataset16", "sifted")
    assert result.exit_code == 0, result.output
    inside = np.flatnonzero(values <= middle)
    dropped = int(inside[-1]) + 1 - 6
    assert f"dropped {dropped} of {6 + dropped}, beyond: bandwidth_mps {dropped}\n" in result.stdout
    with (project / "sifted" / "labels.csv").open() as file:
        assert [int(row["sample"]) for row in csv.DictReader(file)] == inside.tolist()
    for i, sample in enumerate(inside):
        with Image.open(project / "sifted" / "3-walk" / f"{i:06d}.png") as picture:
            levels = np.asarray(picture, dtype=np.float64)[::-1]
        np.testing.assert_allclose(levels / 65535 * 40 - 40, every[sample, 0], atol=2e-3)
    solved = run("--user", "3", "--count", "1", "--activity", "fall", "--sieve", "solved")  # by the denoiser
    assert solved.exit_code == 0, solved.output
    assert "dropped 0 of 1, beyond: none" in solved.stdout


def test_a_sieve_that_lets_too_few_through_or_is_not_there_is_told_in_one_line(project: Path) -> None:
    message = "data/people/cd.safetensors: expected the limits of the sieve, which distill_cd settles, got none"
    assert_one_line(run(*WALK, "--sieve", "out"), message)
    never = {**WIDE, "torso_mps": (98.0, 99.0)}
    with_sieve(project, {"walk": never, "fall": WIDE, "fly": WIDE})
    told = "3 walk among 40 that were drawn, got 0; beyond: torso_mps 40"
    assert_one_line(run(*WALK, "--count", "2", "--sieve", "out"), told)
    with_sieve(project, {"walk": WIDE, "fall": WIDE})
    assert_one_line(run(*WALK, "--sieve", "out"), "expected limits of fly, got those of fall, walk")
    assert not (project / "out").exists()
