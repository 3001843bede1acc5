"""Without a network the latents are the grid itself, folded, and its masks are analog bits."""

import numpy as np
import pytest
import torch

import artifacts
import tracks
from echoes import params
from echoes.autoencoder import architecture, fitting
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.patches import PatchConfig, Patches
from echoes.errors import InputError
from echoes.models.microdoppler import autoencoding as spectrograms
from echoes.models.radar import autoencoding as clouds
from echoes.nets.layers import space_to_depth
from echoes.training.loop import train

CPU = torch.device("cpu")
GRIDS, PATCHES = {2: (8, 12), 3: (4, 8, 12)}, {2: (4, 3), 3: (2, 4, 3)}


def grid(rank):
    """Two frames of a mask, a value and another mask."""
    torch.manual_seed(0)
    masks = (torch.rand(2, 2, *GRIDS[rank]) < 0.3).float()
    return torch.stack([masks[:, 0], torch.randn(2, *GRIDS[rank]), masks[:, 1]], 1)


def patches(rank):
    made = Patches(rank, 3, PatchConfig(PATCHES[rank]))
    made.set_masks([0, 2])
    return made


@pytest.mark.parametrize("rank", [2, 3])
def test_what_is_encoded_is_decoded_again_and_latents_are_blocks_of_cells(rank):
    vae, x = patches(rank), grid(rank)
    latents = vae.encode(x).mean
    assert latents.shape[1:] == vae.latent_shape(GRIDS[rank]) == (3 * (12 if rank == 2 else 24), 2, *(2, 4)[3 - rank :])
    decoded = vae.decode(latents)
    assert torch.equal(decoded[:, 1], x[:, 1])
    torch.testing.assert_close(decoded[:, ::2].sigmoid(), x[:, ::2], atol=1e-6, rtol=0)
    assert vae.encode(x).std.abs().max() == 0
    bits = space_to_depth(x[:, :1], PATCHES[rank])
    assert torch.equal(latents[:, : bits.shape[1]], 2 * bits - 1)


def test_the_mean_of_a_bit_is_decoded_to_the_logit_of_its_probability():
    """Which rises with the bit, so that a threshold keeps the most probable cells."""
    vae, p = Patches(2, 1, PatchConfig((1, 1))), torch.linspace(0.01, 0.99, 99).reshape(1, 1, 9, 11)
    vae.set_masks([0])
    torch.testing.assert_close(vae.decode(2 * p - 1).sigmoid(), p)
    beyond = vae.decode(torch.tensor([-7.0, 7.0]).reshape(1, 1, 1, 2)).sigmoid()
    torch.testing.assert_close(beyond.flatten(), torch.tensor([0.0, 1.0]), atol=1e-6, rtol=0)


def test_a_patch_of_other_axes_or_one_that_does_not_divide_the_grid_is_refused_by_its_key():
    section = tracks.VAE["architecture"] | {"variant": "identity"}
    with pytest.raises(
        InputError, match=r"^vae\.architecture\.identity\.patch: .* each of the 2 axes .*, got \[4, 4, 4\]"
    ):
        architecture.build(params.build(VaeArchitecture, section, "vae"), 2, 1)
    with pytest.raises(
        InputError, match=r"^vae\.architecture\.identity\.patch: .* grid of \[8, 10\] cells, got \[4, 3\]"
    ):
        patches(2).encode(torch.zeros(1, 3, 8, 10))
    with pytest.raises(
        InputError, match=r"^vae\.identity\.patch: expected at least 1 cell along each axis, got \[4, 0\]"
    ):
        params.build(VaeArchitecture, section | {"identity": {"patch": [4, 0]}}, "vae")


def fitted(task_of, section, data):
    """The autoencoder of a track without one, and what its training says."""
    p = params.build(VaeParams, tracks.changed(section, {"architecture.variant": "identity"}), "vae")
    vae = architecture.build(p.architecture, data.rank, data.channels)
    task = task_of(vae, data, p, CPU)
    return vae, list(train("train_vae", task.module, task.load, task.loss, data.frames("train"), p.schedule))


def test_nothing_is_trained_and_one_step_tells_that_nothing_is_lost(tmp_path, crops):
    grids = artifacts.write_grids(tmp_path / "grids.zarr")
    vae, told = fitted(clouds.task, tracks.VAE, grids)
    assert vae.masks.tolist() == [1, 0, 0, 1, 0]  # occupancy, and whether the radar measured
    assert [step for step, _ in told] == [2]
    assert told[0][1]["loss_occupancy"] == pytest.approx(0, abs=1e-4)
    x = torch.from_numpy(grids.target_batch([0, 1]))
    torch.testing.assert_close(vae.decode(vae.encode(x).mean)[:, 1:3], x[:, 1:3])
    section = tracks.changed(tracks.PEOPLE_VAE, {"loss.perceptual": 1.0, "loss.alignment.weight": 0.1})
    vae, told = fitted(spectrograms.task, section, crops)
    assert set(told[0][1]) == {"loss", "loss_absolute", "loss_similarity", "loss_bottleneck"}
    assert told[0][1]["loss"] == pytest.approx(0, abs=1e-5)
    assert not fitting.learns(vae)


def test_a_module_without_weights_to_learn_is_measured_on_the_last_batch(crops):
    schedule = params.build(VaeParams, tracks.PEOPLE_VAE, "vae").schedule
    module = torch.nn.Linear(1, 1).requires_grad_(False)
    seen = []

    def load(part):
        seen.append(part.frames)
        return torch.from_numpy(part.frames)

    found = list(train("toy", module, load, lambda frames: frames.float(), crops.frames("train"), schedule))
    assert [step for step, _ in found] == [schedule.steps - 1]
    assert found[0][1] == {"loss": pytest.approx(np.mean(seen[0]))}
    assert len(seen) == 1
