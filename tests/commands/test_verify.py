"""Command verify: from the recordings to evaluate.json, what does not match is named with what it should match."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from typer.testing import CliRunner, Result

import artifacts
import tracks
from echoes import arrays, files, latentstore, provenance
from echoes.cli import app
from echoes.commands import verify
from echoes.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
KINDS = ["raw", "init", "grids", "vae", "latents", "ldm", "cd", "samples", "evaluation"]
SOURCES = {"radar": {"reader": "simulated"}, "people": {"reader": "simulated_people"}}
SECTIONS = {
    "radar": {
        "vae": tracks.VAE,
        "latents": tracks.LATENTS,
        "ldm": tracks.LDM,
        "cd": tracks.CD,
        "sample": tracks.SAMPLE,
        "evaluate": {"of": "clouds", "resamples": 40, "seed": 0, "panels": 1, "range_m": 40.0},
    },
    "people": {
        "vae": tracks.PEOPLE_VAE,
        "latents": {**tracks.LATENTS, "format": "zarr"},
        "ldm": tracks.PEOPLE_LDM,
        "cd": tracks.PEOPLE_CD,
        "sample": tracks.PEOPLE_SAMPLE,
        "evaluate": {
            "of": "spectrograms",
            "judge": tracks.SCHEDULE,
            "inception": None,
            "resamples": 40,
            "seed": 0,
            "panels": 1,
        },
    },
}


def stage(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "stages" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all artifacts of a track of each family, latents in either format."""
    folder = tmp_path_factory.mktemp("made")
    for track in SECTIONS:
        raw = folder / "data" / "raw" / track
        raw.mkdir(parents=True)
        (raw / "scene.yaml").write_text(track)
        tracks_of = {"radar": tracks.radar, "people": tracks.people}
        tracks_of[track](folder / "data" / track, raw=files.digest(raw), latents=SECTIONS[track]["latents"])
    document = {track: {"source": SOURCES[track], **SECTIONS[track]} for track in SECTIONS}
    document |= {
        "init_from": dict.fromkeys(SECTIONS, "scratch"),
        "runtime": {"workers": {"processes": 1, "scheduler": ""}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(document))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for track in SECTIONS:
            for name in ("sample", "evaluate"):
                stage(name).main(track)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own copy of it, as the current folder: a copy stays valid."""
    shutil.copytree(made, tmp_path / "project", copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def run(track: str) -> Result:
    return CliRunner().invoke(app, ["verify", "--track", track])


def failures(track: str) -> dict[str, str]:
    """kind -> line of what is not right."""
    result = run(track)
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines] == KINDS, result.output
    wrong = {line.split()[1]: line for line in lines if not line.startswith("ok ")}
    assert result.exit_code == (1 if wrong else 0)
    return wrong


@pytest.mark.parametrize("track", SECTIONS)
def test_a_track_that_belongs_together_is_told_so_wherever_its_copy_lies(project: Path, track: str) -> None:
    assert failures(track) == {}
    header = provenance.read(Path("metrics", track, "provenance.json"), "evaluation")
    last = run(track).stdout.splitlines()[-1]
    assert last == f"ok       evaluation  metrics/{track}/evaluate.json {header.identity[:12]}"


def flip(path: Path) -> None:
    """Change the byte in the middle of a file, and not its length."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def largest(path: Path) -> Path:
    """The file itself, or the one of a folder that holds most."""
    return path if path.is_file() else max((p for p in path.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


@pytest.mark.parametrize(
    ("track", "kind", "name"),
    [
        ("radar", "grids", "data/radar/grids.zarr"),
        ("radar", "vae", "data/radar/vae.safetensors"),
        ("radar", "latents", "data/radar/latents"),
        ("people", "latents", "data/people/latents"),
        ("radar", "ldm", "data/radar/ldm.safetensors"),
        ("radar", "cd", "data/radar/cd.safetensors"),
        ("people", "samples", "data/people/samples.zarr"),
        ("radar", "evaluation", "metrics/radar/evaluate.json"),
    ],
)
def test_one_flipped_bit_is_told_by_the_name_of_its_file(project: Path, track: str, kind: str, name: str) -> None:
    damaged = largest(Path(name))
    flip(damaged)
    wrong = failures(track)
    assert list(wrong) == [kind]
    assert f"{damaged}: expected the " in wrong[kind]
    assert "as written, got " in wrong[kind]


def test_other_recordings_are_told_by_both_digests(project: Path) -> None:
    raw = Path("data/raw/radar")
    before = files.digest(raw)
    (raw / "scene.yaml").write_text("another street")
    assert failures("radar") == {
        "grids": f"FAILED   grids       data/radar/grids.zarr: was made from raw {before[:12]}, but {raw} is "
        f"{files.digest(raw)[:12]}; run `dvc repro` to make them match"
    }


def test_a_parent_from_elsewhere_is_told_at_each_artifact_made_from_another(project: Path) -> None:
    old = latentstore.read(Path("data/radar/latents")).header.parents["vae"]
    other = project / "other"
    grids = artifacts.write_grids(other / "grids.zarr")
    tracks.built(
        other, grids, tracks.changed(tracks.VAE, {"schedule.seed": 1}), tracks.LDM, tracks.CD, {"second_sigma": 1.0}
    )
    shutil.copyfile(other / "vae.safetensors", "data/radar/vae.safetensors")
    wrong = failures("radar")
    assert set(wrong) == {"vae", "latents", "ldm", "cd", "samples"}
    made_with = "was made with radar.vae.schedule.seed = 1, but params.yaml has 0"
    assert f"data/radar/vae.safetensors: {made_with}" in wrong["vae"]
    for kind in ("latents", "ldm", "cd", "samples"):
        assert f"was made from vae {old[:12]}, but data/radar/vae.safetensors is " in wrong[kind]


@pytest.mark.parametrize(
    ("kind", "section", "keys", "value"),
    [
        ("grids", "source", ("reader",), "astyx"),
        ("vae", "vae", ("loss", "kl"), 0.5),
        ("latents", "latents", ("batch",), 9),
        ("ldm", "ldm", ("architecture", "unet", "size", "blocks"), 3),
        ("cd", "cd", ("sigmas", "steps"), 7),
        ("samples", "sample", ("frames",), 4),
        ("evaluation", "evaluate", ("resamples",), 6),
    ],
)
def test_a_parameter_that_changed_since_is_told_with_both_values(
    project: Path, kind: str, section: str, keys: tuple[str, ...], value: object
) -> None:
    document = yaml.safe_load(Path("params.yaml").read_text())
    place = document["radar"][section]
    for key in keys[:-1]:
        place = place[key]
    before, place[keys[-1]] = place[keys[-1]], value
    Path("params.yaml").write_text(yaml.safe_dump(document))
    wrong = failures("radar")
    assert list(wrong) == [kind]
    path = ".".join(("radar", section, *keys))
    assert f"was made with {path} = {before!r}, but params.yaml has {value!r}" in wrong[kind]


@pytest.mark.parametrize(("key", "told"), [("ddpm.steps", 0), ("edm.sigma_data", 1)])
def test_of_an_older_artifact_which_names_all_values_those_without_effect_are_not_compared(key: str, told: int) -> None:
    stored = tracks.changed(tracks.LDM, {f"architecture.{key}": 500})
    of_ldm = next(artifact for artifact in verify.CHAIN if artifact.kind == "ldm")
    in_force = verify._in_force(of_ldm, provenance.Header("ldm", stored, {}))
    assert len(verify._differences(in_force, tracks.LDM, "radar.ldm")) == told


def test_a_missing_shard_is_told_by_name_and_what_hangs_on_it_is_told_too(project: Path) -> None:
    shard = largest(Path("data/radar/grids.zarr"))
    shard.unlink()
    wrong = failures("radar")
    assert f"{shard}: no such file; expected the " in wrong["grids"]
    assert "was made from grids " in wrong["vae"]
    assert "of which there is no whole one" in wrong["vae"]
    with pytest.raises(InputError, match="no such file; expected the "):
        arrays.Reader(Path("data/radar/grids.zarr"), "grids")


def test_what_is_not_there_is_told_as_missing(project: Path) -> None:
    shutil.rmtree("data/raw/radar")
    Path("data/radar/cd.safetensors").unlink()
    wrong = failures("radar")
    assert wrong["raw"] == "missing  raw         data/raw/radar"
    assert wrong["cd"] == "missing  cd          data/radar/cd.safetensors"
    assert {"grids", "samples"} <= set(wrong)


def test_numbers_that_nothing_vouches_for_are_told(project: Path) -> None:
    path = Path("metrics/radar/provenance.json")
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"params": {"resamples": 5000}}))
    assert "it was changed after it was written" in failures("radar")["evaluation"]
    path.unlink()
    assert f"{path}: expected the header of an artifact of kind evaluation" in failures("radar")["evaluation"]


def test_an_artifact_that_names_no_parent_is_told(project: Path) -> None:
    path = Path("metrics/radar/provenance.json")
    header = provenance.read(path, "evaluation")
    unsigned = provenance.Header("evaluation", header.params, {"grids": header.parents["grids"]})
    provenance.write(unsigned, path, Path("metrics/radar/evaluate.json"))
    assert "was made from samples nothing, but data/radar/samples.zarr is " in failures("radar")["evaluation"]


def test_a_track_that_is_not_known_is_one_line_and_a_status_of_2(project: Path) -> None:
    result = run("nope")
    assert result.exit_code == 2
    assert result.stderr == "echoes: nope: missing in params.yaml\n"
