"""Features of clouds by the autoencoder's encoder."""

import numpy as np
import torch

from echoes.models import autoencoders
from echoes.models.radar import encoded


def test_features_are_moments_over_space_of_the_latents_of_occupied_cells_in_any_batch(track):
    vae, _ = autoencoders.load(track.data / "vae.safetensors", torch.device("cpu"))
    cells = [track.grids.cells("target", int(frame)).indices for frame in track.grids.frames("test")]
    cells.append(np.empty((0, 3), np.int32))
    found = encoded.features(vae, track.grids, cells, 16)
    x = torch.zeros(1, track.grids.channels, *track.grids.shape)
    x[0, 0][tuple(torch.from_numpy(cells[1].astype(int)).T)] = 1
    latents = vae.encode(x).mean[0].detach().numpy()
    wanted = [*latents.mean(axis=(1, 2, 3)), *latents.std(axis=(1, 2, 3))]
    assert found.shape == (len(cells), 2 * vae.latent_channels)
    np.testing.assert_allclose(found[1], wanted, rtol=0.05, atol=0.05)  # bfloat16 where the machine has it
    np.testing.assert_allclose(encoded.features(vae, track.grids, cells, 2), found, rtol=0.05, atol=0.05)
    assert np.abs(found[0] - found[-1]).max() > 1e-4
