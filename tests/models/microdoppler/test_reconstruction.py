"""Encode and decode of spectrograms by the mean of the posterior, scored on the crops of one split."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tracks
from echoes import params
from echoes.autoencoder import architecture
from echoes.autoencoder.fitting import VaeParams
from echoes.models.microdoppler import reconstruction

FRAMES = np.array([0, 5, 30])


def decoded(track, frames):
    with torch.no_grad():
        return track.vae.decode(track.vae.encode(torch.from_numpy(track.grids.target_batch(frames))).mean)


@pytest.mark.parametrize("name", ["people", "people_vq"])
def test_a_reconstruction_is_the_decoded_mean_of_the_posterior_and_repeats(name, request):
    track = request.getfixturevalue(name)
    found = reconstruction.reconstruct(track.vae, track.grids, FRAMES)
    assert found.shape == (3, 1, 16, 16)
    expected = decoded(track, FRAMES)
    assert (found - expected).norm() < 0.15 * expected.norm()  # the processor may compute in bfloat16
    assert torch.equal(found, reconstruction.reconstruct(track.vae, track.grids, FRAMES))


def test_scores_are_means_over_the_split_and_the_error_is_in_db(people):
    found = reconstruction.scores(people.vae, people.grids, "val")
    frames = people.grids.frames("val")
    clean = people.grids.target_batch(frames)
    made = reconstruction.reconstruct(people.vae, people.grids, frames).numpy()
    assert set(found) == {"val_mae_db", "val_ssim"}
    assert found["val_mae_db"] == pytest.approx(40 * np.abs(made - clean).mean() / 2, rel=1e-2)
    assert -1 <= found["val_ssim"] <= 1


class Perfect(torch.nn.Module):
    """Says what it was given."""

    def __init__(self, vae):
        super().__init__()
        self.vae, self.bottleneck = vae, vae.bottleneck

    def encode(self, x):
        return SimpleNamespace(mean=x)

    def decode(self, x):
        return x


def test_a_codec_without_loss_has_no_error_and_full_similarity(people):
    found = reconstruction.scores(Perfect(people.vae), people.grids, "val")
    assert found == {"val_mae_db": pytest.approx(0), "val_ssim": pytest.approx(1, abs=1e-5)}


@pytest.mark.parametrize(("variant", "codes"), [("vq", 16), ("fsq", 5**4)])
def test_the_use_of_a_codebook_is_that_of_the_whole_split(variant, codes, people):
    p = params.build(VaeParams, tracks.changed(tracks.PEOPLE_VAE, {"architecture.variant": variant}), "people.vae")
    torch.manual_seed(3)
    vae = tracks.shaken(architecture.build(p.architecture, 2, 1))
    frames = people.grids.frames("val")
    with torch.no_grad():
        latents = vae.encode(torch.from_numpy(people.grids.target_batch(people.grids.frames("train")))).mean
        vae.bottleneck.update(latents, p.loss)
        counts = vae.bottleneck.counts(vae.encode(torch.from_numpy(people.grids.target_batch(frames))).mean)
    found = reconstruction.scores(vae, people.grids, "val")
    assert found["val_codebook_utilisation"] == pytest.approx((counts > 0).float().mean().item(), abs=2 / codes)
    share = counts[counts > 0] / counts.sum()
    assert found["val_codebook_perplexity"] == pytest.approx(np.exp(-(share * share.log()).sum().item()), rel=0.1)
    assert 1 < found["val_codebook_perplexity"] <= codes
