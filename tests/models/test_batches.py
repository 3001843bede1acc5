"""Latents and what conditions them: mirrored together, drawn from their posteriors, the same per step."""

import numpy as np
import pytest
import torch

import artifacts
import steps
from echoes.autoencoder.latents import Whitening
from echoes.models import batches, families

CPU = torch.device("cpu")
INDICES = np.arange(7)


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


@pytest.fixture(scope="module")
def store(grids, tmp_path_factory):
    return artifacts.write_latents(tmp_path_factory.mktemp("data") / "latents", grids)


def loading(grids, store, by, mirror, name="train_ldm"):
    return batches.load_latents(
        store, families.conditioning(grids.family).conditions(grids, store, by), mirror, name, 0
    )


def test_without_mirror_a_batch_is_the_training_frames(grids, store):
    found = loading(grids, store, "encoder", False)(steps.whole([5, 2]))
    np.testing.assert_array_equal(found.mean, store.rows("latents", np.array([5, 2])))
    np.testing.assert_array_equal(found.std, store.rows("std", np.array([5, 2])))
    np.testing.assert_array_equal(found.cond, grids.input_batch([5, 2]))


def test_the_radar_through_the_autoencoder_is_a_row_of_latents(grids, store):
    found = loading(grids, store, "vae", False)(steps.whole([5, 2]))
    np.testing.assert_array_equal(found.cond, store.rows("cond", np.array([5, 2])))


def test_spectrograms_come_with_the_labels_of_the_frames_themselves(people):
    frames = people.grids.frames("train")[[8, 1, 29]]
    found = loading(people.grids, people.latents, "labels", False)(steps.whole(frames))
    np.testing.assert_array_equal(found.mean, people.latents.rows("latents", frames))
    assert found.cond.dtype == torch.int64
    assert found.cond.tolist() == people.grids.labels(frames).tolist() == people.latents.rows("labels", frames).tolist()


@pytest.mark.parametrize("condition", ["encoder", "vae"])
def test_a_mirrored_frame_takes_its_mirrored_latents_and_its_mirrored_radar(grids, store, condition):
    load, mirrored = loading(grids, store, condition, True), 0
    radar = torch.from_numpy(grids.input_batch(INDICES))
    unmirrored = {"mean": store.rows("latents", INDICES), "std": store.rows("std", INDICES), "cond": radar}
    flipped = {
        "mean": store.rows("latents_mirrored", INDICES),
        "std": store.rows("std_mirrored", INDICES),
        "cond": radar.flip(-2),
    }
    if condition == "vae":
        unmirrored["cond"], flipped["cond"] = store.rows("cond", INDICES), store.rows("cond_mirrored", INDICES)
    for step in range(20):
        found = load(steps.whole(INDICES, step))
        for i in INDICES:
            as_is, swapped = (
                all(np.array_equal(getattr(found, name)[i], rows[name][i]) for name in rows)
                for rows in (unmirrored, flipped)
            )
            assert as_is != swapped
            mirrored += swapped
    assert 0.3 < mirrored / (20 * len(INDICES)) < 0.7


def test_a_step_is_the_same_batch_in_any_order_and_another_stage_mirrors_others(grids, store):
    load = loading(grids, store, "encoder", True)
    first = [load(steps.whole(INDICES, step)).mean for step in range(6)]
    again = [load(steps.whole(INDICES, step)).mean for step in reversed(range(6))][::-1]
    assert all(map(torch.equal, first, again))
    other = loading(grids, store, "encoder", True, "distill_cd")
    assert not all(torch.equal(other(steps.whole(INDICES, step)).mean, first[step]) for step in range(6))


def test_latents_are_drawn_from_their_posteriors_and_whitened():
    mean, std = torch.tensor([[3.0], [5.0]]), torch.tensor([[0.0], [2.0]])
    shape = (2, 1, 100, 100)
    batch = batches.LatentBatch(mean[..., None, None].expand(shape), std[..., None, None].expand(shape), torch.zeros(2))
    torch.manual_seed(0)
    drawn = batch.draw(Whitening((3.0,), (2.0,)), CPU)
    assert torch.equal(drawn[0], torch.zeros(1, 100, 100))
    assert drawn[1].mean().item() == pytest.approx(1.0, abs=0.04)
    assert drawn[1].std().item() == pytest.approx(1.0, abs=0.04)
