"""Encode and decode by the mean of the posterior, scored on the frames of one split."""

import numpy as np
import pytest
import torch

from echoes.models.radar import clouds, reconstruction


def test_a_reconstruction_is_the_decoded_mean_of_the_posterior(track):
    with torch.no_grad():
        decoded = track.vae.decode(track.vae.encode(torch.from_numpy(track.grids.target_batch([0, 5]))).mean)
    expected = clouds.from_decoded(decoded, 0.5, track.grids)
    for one, other in zip(reconstruction.reconstruct(track.vae, track.grids, [0, 5], 0.5), expected, strict=True):
        cells = ({tuple(cell) for cell in cloud.indices.tolist()} for cloud in (one, other))
        a, b = cells
        assert len(a & b) > 0.95 * max(len(a), len(b))  # the processor may compute in bfloat16


def test_it_draws_nothing_so_that_it_repeats(track):
    one, other = (reconstruction.reconstruct(track.vae, track.grids, [0, 5], 0.5) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.features, b.features)


def test_scores_are_means_over_the_split(track):
    found = reconstruction.scores(track.vae, track.grids, "val")
    made = reconstruction.reconstruct(track.vae, track.grids, track.grids.frames("val"), 0.5)
    targets = [clouds.target(track.grids, int(f)) for f in track.grids.frames("val")]
    seen = [target.observed[tuple(cloud.indices.T)].sum() for cloud, target in zip(made, targets, strict=True)]
    ratios = [count / len(target.cells.indices) for count, target in zip(seen, targets, strict=True)]
    assert found["val_count_ratio"] == pytest.approx(np.mean(ratios))
    assert set(found) == {"val_iou_3d", "val_count_ratio"}
    assert 0 <= found["val_iou_3d"] <= 1
