"""A simulated recording of a few frames, and tracks that were built but never trained."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import tracks
from echoes import arrays, params
from echoes.autoencoder import architecture
from echoes.autoencoder.fitting import VaeParams
from echoes.dataset.grids import Grids
from echoes.distillation.consistency import ConsistencyModel
from echoes.grids import Grid, Range
from echoes.models import autoencoders, denoisers, students
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.provenance import Header
from echoes.rasters import visibility, voxels
from echoes.rasters.cells import pack
from echoes.rasters.scaling import Scaling
from echoes.readers import simulated
from echoes.tasks import ENHANCE
from echoes.voxelization.cloud_grids import FrameCells, GridsWriter

ROOT = Path(__file__).resolve().parents[2]
GRID = Grid.of(z=Range(-2.4, 4.0, 4), y=Range(-25.6, 25.6, 16), x=Range(0.0, 51.2, 16))
SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=10.0)
SIZE = {"channels": [8, 8], "blocks": [1, 1], "latent_channels": 4, "patch": 2}
VAE = tracks.changed(tracks.VAE, {"architecture.size": SIZE, "mirror": False})
LDM = tracks.changed(tracks.LDM, {"loss.drop": 0.1, "mirror": False})
CD = {**tracks.CD, "mirror": False}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and a street of 2 sequences of 3 frames, as the current folder."""
    numbers = yaml.safe_load((ROOT / "params.yaml").read_text())
    numbers["runtime"]["workers"]["processes"] = 1
    numbers["radar"]["source"] |= {"sequences": 2, "frames": 3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(numbers))
    (tmp_path / "data" / "raw").mkdir(parents=True)
    shutil.copytree(ROOT / "data" / "raw" / "radar", tmp_path / "data" / "raw" / "radar")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def source(project: Path) -> simulated.Source:
    return params.load(simulated.Source, "radar.source", project / "params.yaml")


@pytest.fixture
def frame(project: Path, source: simulated.Source) -> simulated.Frame:
    """The first frame of the recording."""
    root = project / "data" / "raw" / "radar"
    return simulated.read(root, source, simulated.index(root, source)[0])


@pytest.fixture
def train(project: Path, frame: simulated.Frame) -> Callable[..., Grids]:
    """train(by): data/radar with grids, an autoencoder and a consistency model of random weights."""

    def build(by: str, seed: int = 0, ego_motion: str = "recorded") -> Grids:
        data = project / "data" / "radar"
        grids = write_grids(data / "grids.zarr", frame, ego_motion)
        torch.manual_seed(seed)
        write_models(data, grids, by)
        return grids

    return build


def write_grids(path: Path, frame: simulated.Frame, ego_motion: str) -> Grids:
    """The same frame in every place."""
    assert frame.target is not None
    radar = voxels.radar_cells(frame.radar, GRID)
    target = voxels.lidar_and_radar_cells(frame.target, GRID, frame.radar, 1.0)
    observed = pack(visibility.observed(frame.target, frame.target_origin, GRID))
    inside = [points[GRID.cells(points)[1]] for points in (frame.radar, frame.target[:, :3])]
    offsets, level = voxels.mean_offsets(frame.target, GRID), np.array([0.0, 0.0, -5.0])
    cells = FrameCells(frame.sequence, frame.stamp, radar, target, offsets, observed, *inside, level)
    with arrays.writing(path) as writer:
        grids = GridsWriter(writer, GRID, ENHANCE)
        for i, split in enumerate(("train", "train", "val", "test")):
            grids.append(cells, split, i)
        grids.seal({}, SCALING, ego_motion, 0.3, None, {"raw": "r"})
    return Grids(path)


def write_models(data: Path, grids: Grids, by: str) -> None:
    place = torch.device("cpu")
    vae_params = params.build(VaeParams, VAE, "vae")
    vae = architecture.build(vae_params.architecture, rank=3, channels=grids.channels)
    autoencoders.save(vae, vae_params, grids, {"grids": grids.header.identity}, data / "vae.safetensors")
    _, vae_header = autoencoders.load(data / "vae.safetensors", place)
    content = {
        **vae_header.content,
        "latent_shape": [4, *(size // 4 for size in GRID.shape)],
        "compression": 4,
        "whitening": {"mean": [0.0, 0.1, -0.1, 0.2], "std": [1.0, 0.5, 2.0, 1.0]},
    }
    parents = {"grids": grids.header.identity, "vae": vae_header.identity}
    latents = Header("latents", {}, parents, content, identity="latents")
    ldm_params = params.build(LdmParams, tracks.changed(LDM, {"architecture.condition.by": by}), "ldm")
    denoiser = denoisers.build(latents, ldm_params.architecture)
    for name, weight in denoiser.named_parameters():
        if "out" in name:  # starts at 0, and the clouds would not depend on the radar
            torch.nn.init.normal_(weight, std=0.5)
    denoisers.save_ldm(denoiser, ldm_params, latents, {"latents": latents.identity}, data / "ldm.safetensors")
    _, ldm_header = denoisers.load_ldm(data / "ldm.safetensors", place)
    cd_params = params.build(CdParams, CD, "cd")
    model = ConsistencyModel(denoiser, cd_params.sigmas.low)
    students.save_cd(model, cd_params, ldm_header, tracks.settled(grids, 0.5, 0.5), data / "cd.safetensors")
