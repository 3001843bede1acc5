"""Latents of every frame, straight and mirrored, and the statistics of the train split alone."""

import numpy as np
import pytest
import torch

from echoes.models import autoencoders, denoisers
from echoes.models.extraction import Extraction

CPU = torch.device("cpu")
NAMES = ("mean", "std", "cond", "mean_mirrored", "std_mirrored", "cond_mirrored")


@pytest.fixture(scope="module")
def rows(track):
    """Name -> (N, Z, *S / 4) of all frames, in batches of 4."""
    header = autoencoders.load(track.data / "vae.safetensors", CPU)[1]
    pieces = list(Extraction(track.vae, track.grids, header).batches(4))
    assert all(set(piece) == set(NAMES) for piece in pieces)
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in NAMES}


def encode(track, dense):
    with torch.no_grad():
        posterior = track.vae.encode(torch.from_numpy(np.ascontiguousarray(dense)))
    return posterior.mean.numpy(), torch.exp(0.5 * posterior.logvar).numpy()


def test_every_frame_is_encoded_in_order(track, rows):
    every = np.arange(len(track.grids))
    target, radar = track.grids.target_batch(every), track.grids.radar_as_target_batch(every)
    for ending, change in (("", lambda x: x), ("_mirrored", lambda x: np.flip(x, -2))):
        mean, std = encode(track, change(target))
        cond, _ = encode(track, change(radar))
        for name, expected in (("mean", mean), ("std", std), ("cond", cond)):
            # The processor may compute in bfloat16: 8 bits of mantissa.
            scale = np.abs(expected).max()
            np.testing.assert_allclose(rows[name + ending], expected, atol=0.03 * scale, err_msg=name)


def test_the_store_holds_what_was_encoded(track, rows):
    every = np.arange(len(track.grids))
    for name in NAMES:
        np.testing.assert_array_equal(track.latents.rows(name, every), rows[name].astype(np.float16).astype(np.float32))


def test_the_statistics_are_those_of_the_train_split_drawn_from_its_posteriors(track, rows):
    train = track.grids.frames("train")
    mean, std = (rows[name][train].astype(np.float64) for name in ("mean", "std"))
    found = denoisers.whitening(track.latents.header)
    np.testing.assert_allclose(found.mean, mean.mean((0, 2, 3, 4)), rtol=1e-6)
    np.testing.assert_allclose(found.std, np.sqrt(mean.var((0, 2, 3, 4)) + (std**2).mean((0, 2, 3, 4))), rtol=1e-6)


def test_the_header_names_shape_channels_and_parents(track):
    header = track.latents.header
    assert header.content["latent_shape"] == [4, 2, 4, 2]
    assert header.content["radar_channels"] == ["occupancy", "power", "doppler", "doppler_variance"]
    vae = autoencoders.load(track.data / "vae.safetensors", CPU)[1]
    assert header.parents == {"grids": track.grids.header.identity, "vae": vae.identity}


def test_the_metrics_are_flat_and_finite(track):
    header = autoencoders.load(track.data / "vae.safetensors", CPU)[1]
    extraction = Extraction(track.vae, track.grids, header)
    list(extraction.batches(5))
    found = extraction.statistics()
    assert found["frames"] == 14
    assert set(found) == {"frames", *(f"{name}_{i}" for name in ("mean", "std") for i in range(4))}
    assert all(np.isfinite(value) for value in found.values())
