"""Batches for the autoencoder: frames as they are or left-right mirrored, the same for the same step."""

import numpy as np
import pytest
import torch

import artifacts
from echoes.autoencoder import fitting
from echoes.autoencoder.loss import LossWeights
from echoes.autoencoder.vae import Vae, VaeConfig

INDICES = np.arange(7)


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


def test_without_mirror_a_batch_is_the_training_frames_as_they_are(grids):
    target, observed, done = fitting.load_targets(grids, mirror=False, seed=0, steps=10)(INDICES[[4, 1]], 3)
    np.testing.assert_array_equal(target, grids.target_batch([4, 1]))
    np.testing.assert_array_equal(observed, grids.observed_batch([4, 1]))
    assert done == pytest.approx(0.3)


def test_with_mirror_a_frame_comes_as_it_is_or_with_left_and_right_swapped_and_with_its_mask(grids):
    load = fitting.load_targets(grids, mirror=True, seed=0, steps=10)
    mirrored = 0
    for step in range(30):
        target, observed, _ = load(INDICES, step)
        for i in INDICES:
            straight = torch.from_numpy(grids.target_batch([i])[0]), torch.from_numpy(grids.observed_batch([i])[0])
            flipped = tuple(a.flip(-2) for a in straight)
            same = [all(map(torch.equal, (target[i], observed[i]), pair)) for pair in (straight, flipped)]
            assert sum(same) == 1
            mirrored += same[1]
    assert 0.35 < mirrored / (30 * len(INDICES)) < 0.65


def test_a_step_is_the_same_batch_in_any_order_of_steps_and_another_step_another(grids):
    load = fitting.load_targets(grids, mirror=True, seed=0, steps=10)
    first, later = load(INDICES, 2), load(INDICES, 3)
    again = fitting.load_targets(grids, mirror=True, seed=0, steps=10)(INDICES, 2)
    assert torch.equal(again[0], first[0])
    assert not torch.equal(later[0], first[0])


def test_the_objective_is_one_loss_per_frame_whose_regressions_come_in_over_the_first_half(grids):
    vae = Vae(3, 5, VaeConfig((8, 8), (1, 1), 2))
    weights = LossWeights(reflectivity=3.0, doppler=3.0, power=3.0, unobserved=0.2, kl=1e-4)
    objective = fitting.objective(vae, grids.occupied_share, weights, torch.device("cpu"))
    target, observed, _ = fitting.load_targets(grids, mirror=False, seed=0, steps=10)(INDICES, 0)

    def found(done):
        torch.manual_seed(0)
        return objective((target, observed, done))

    assert found(0.0).shape == (7,)
    start, quarter, half, end = (found(done).mean().item() for done in (0.0, 0.25, 0.5, 1.0))
    assert quarter - start == pytest.approx((half - start) / 2, rel=1e-4)
    assert end == pytest.approx(half)
    assert half > start + 0.1
