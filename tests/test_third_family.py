"""A third family of tracks, of waves over time, goes through all stages: files of its own, and a line in each dict."""

import json
from pathlib import Path

import pytest
import torch
import yaml

import tracks
from echoes import metrics, weights
from echoes.dataset import catalog as dataset
from echoes.errors import InputError
from echoes.models import families
from echoes.readers import catalog as readers
from echoes.voxelization import families as voxelization
from test_end_to_end import ROOT, STAGES, run
from waves.data import Waves

TRACK = "tide"
SECTIONS = {
    "source": {"reader": "waves", "seed": 0},
    "inspect": {"stop_at": []},
    "grid": {"raster": "waves", "size": 32},
    "split": {"by": "tens"},
    "vae": tracks.PEOPLE_VAE,
    "latents": tracks.LATENTS,
    "ldm": tracks.PEOPLE_LDM,
    "cd": tracks.PEOPLE_CD,
    "sample": {**tracks.PEOPLE_SAMPLE, "frames": 5},
    "evaluate": {"of": "waves"},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(readers.MODULES, "waves", {"waves": "waves.reader"})
    monkeypatch.setitem(voxelization.FAMILIES, "waves", "waves.voxelizing")
    monkeypatch.setitem(dataset.FAMILIES, "waves", Waves)
    monkeypatch.setitem(families.FAMILIES, "waves", "waves")
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "data" / "raw" / TRACK
    raw.mkdir(parents=True)
    (raw / "count").write_text("40")
    runtime = yaml.safe_load((ROOT / "params.yaml").read_text())["runtime"]
    numbers = {"tracks": [TRACK], "init_from": {TRACK: "scratch"}, "runtime": {**runtime, "previews": 2}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**numbers, TRACK: SECTIONS}))
    return tmp_path


def test_it_goes_through_all_stages_as_they_are(project: Path) -> None:
    for stage in ("initialize", "select_code", *STAGES):
        run(stage, TRACK)
    data, measured = project / "data" / TRACK, project / "metrics" / TRACK
    report = metrics.read(measured / "evaluate.json")
    assert set(report) == {"ldm", "cd_1", "cd_2"}
    assert all(block["mean_abs"] > 0 for block in report.values())
    tensors, header = weights.load(data / "vae.safetensors", "vae")
    assert tensors["encoder.0.weight"].shape == torch.Size([8, 2, 3])  # a convolution of rank 1
    assert header.content["family"] == "waves"
    assert list((measured / "live" / "train_ldm" / "plots" / "images").rglob("*.png"))
    listed = {stage: json.loads((data / "code" / f"{stage}.json").read_text()) for stage in STAGES}
    assert "tests/waves/reader.py" in listed["voxelize"]
    assert "tests/waves/validation.py" in listed["distill_cd"]
    assert "src/echoes/models/radar/validation.py" not in listed["distill_cd"]


def test_where_nobody_has_named_it_the_known_readers_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(readers.MODULES, "waves")
    with pytest.raises(InputError, match=r"^tide\.source\.reader: expected one of simulated, .*, got 'waves'$"):
        run("voxelize", TRACK)
