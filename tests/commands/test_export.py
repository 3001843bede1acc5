"""The command that writes a track for another library."""

from pathlib import Path

import pytest
import yaml
from tests.exports import labelled
from typer.testing import CliRunner

from echoes.cli import app
from echoes.commands import export as command
from echoes.errors import InputError

pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a trained track of spectrograms, as the current folder."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"people": {"sample": labelled.SAMPLE}}))
    (tmp_path / "data" / "people").mkdir(parents=True)
    labelled.write(tmp_path / "data" / "people")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(output: Path, model: str = "ldm", overwrite: bool = False) -> str:
    return command.export("people", "diffusers", model, output, overwrite)


@pytest.mark.parametrize("model", ["ldm", "cd"])
def test_the_folder_holds_each_part_and_how_to_load_it_is_told(model: str, project: Path):
    told = export(project / "out", model)
    assert {path.name for path in (project / "out").iterdir()} == {
        "model_index.json",
        "pipeline.py",
        "vae",
        "denoiser",
        "scheduler",
    }
    assert f'from_pretrained("{project / "out"}", trust_remote_code=True)' in told


def test_the_same_track_gives_the_same_bytes(project: Path):
    export(project / "one")
    export(project / "two")
    for path in (project / "one").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (project / "two" / path.relative_to(project / "one")).read_bytes(), path


def test_a_folder_with_files_is_replaced_only_where_asked_and_only_an_export(project: Path):
    export(project / "out")
    with pytest.raises(InputError, match="--overwrite replaces"):
        export(project / "out")
    export(project / "out", "cd", overwrite=True)
    other = project / "precious"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"without model_index\.json, which is left alone"):
        export(other, overwrite=True)
    assert (other / "thesis.tex").exists()


def test_a_track_that_is_not_trained_is_refused_and_nothing_is_written(project: Path):
    (project / "data" / "people" / "cd.safetensors").unlink()
    with pytest.raises(InputError, match=r"cd\.safetensors: no such file; expected a trained track"):
        export(project / "out", "cd")
    assert sorted(path.name for path in project.iterdir()) == ["data", "params.yaml"]


def test_a_track_without_labels_is_refused(project: Path):
    labelled.write(project / "data" / "people", by="vae")
    with pytest.raises(InputError, match=r"ldm\.safetensors: expected a model of labelled spectrograms"):
        export(project / "out")


def test_models_that_do_not_belong_together_are_refused(project: Path):
    labelled.write(project / "data")  # the same, and below another autoencoder
    labelled.write(project / "data" / "people", variant="fsq")
    (project / "data" / "vae.safetensors").rename(project / "data" / "people" / "vae.safetensors")
    with pytest.raises(InputError, match=r"ldm\.safetensors: was made from vae"):
        export(project / "out")


def test_without_diffusers_one_line_names_the_extra(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["export", "--track", "people", "--to", "diffusers", "out"])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'echoes[diffusers]'" in done.stderr
    assert not (project / "out").exists()
