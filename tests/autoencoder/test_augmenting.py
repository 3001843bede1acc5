"""Altered batches of the autoencoder: the same for the same step and place, and untouched with everything off."""

import numpy as np
import pytest
import torch

import artifacts
import steps
import tracks
from echoes import params
from echoes.augmentation.clouds import CloudAugmentation
from echoes.augmentation.spectrograms import SpectrogramAugmentation
from echoes.autoencoder import augmenting, fitting
from echoes.errors import InputError
from echoes.training.microbatches import MicroBatch

FRAMES = np.arange(7)
MOVES = {"unphysical.flip_x": 0.5, "unphysical.flip_z": 0.5}
WORSE = {"dropout": 0.2, "doppler_mps": 0.5, "power_db": 1.0, "clutter": 0.2, "noise": 0.02, "cutout": 0.4}


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


def section(**values):
    return params.build(CloudAugmentation, tracks.changed(tracks.VAE["augmentation"], values), "augmentation")


def loading(grids, seed=0, **values):
    load = fitting.load_targets(grids, mirror=True, seed=seed, steps=10)
    return augmenting.of_clouds(load, grids, section(**values), seed)


def test_with_all_off_the_batches_are_those_of_before_and_nothing_is_drawn(grids, crops):
    """The very function: there is no place left where a number could be drawn."""
    load = fitting.load_targets(grids, mirror=True, seed=0, steps=10)
    assert augmenting.of_clouds(load, grids, section(), 0) is load
    unaltered = params.build(SpectrogramAugmentation, tracks.UNALTERED, "augmentation")
    of_crops = fitting.load_spectrograms(crops)
    assert augmenting.of_spectrograms(of_crops, crops, unaltered, 0) is of_crops


@pytest.mark.parametrize("values", [WORSE, MOVES, {"mixup": 0.2}, {**WORSE, **MOVES, "mixup": 0.2}])
def test_a_batch_depends_on_seed_and_step_and_not_on_how_it_is_divided(grids, values):
    load = loading(grids, **values)
    first, later = load(steps.whole(FRAMES, 3)), load(steps.whole(FRAMES, 4))
    parts = [load(MicroBatch(3, FRAMES[start:stop], start, 7)) for start, stop in ((0, 2), (2, 7))]
    for name in ("given", "target", "observed"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(first, name)), name
    assert not torch.equal(later.given, first.given)
    assert not torch.equal(loading(grids, 1, **values)(steps.whole(FRAMES, 3)).given, first.given)


def test_a_disturbed_input_is_to_be_decoded_into_the_clean_target(grids):
    plain, worse = loading(grids)(steps.whole(FRAMES)), loading(grids, **WORSE)(steps.whole(FRAMES))
    assert torch.equal(worse.target, plain.target)
    assert torch.equal(worse.observed, plain.observed)
    assert all(not torch.equal(a, b) for a, b in zip(worse.given, worse.target, strict=True))


def test_moves_are_of_target_and_observed_cells_alike(grids):
    plain, moved = loading(grids)(steps.whole(FRAMES)), loading(grids, **MOVES)(steps.whole(FRAMES))
    assert moved.given is moved.target
    seen = set()
    for i in FRAMES:
        ((axes,),) = [
            [dims for dims in ([], [-1], [-3], [-1, -3]) if torch.equal(plain.target[i].flip(dims), moved.target[i])]
        ]
        assert torch.equal(plain.observed[i].flip(axes), moved.observed[i])
        seen.add(tuple(axes))
    assert len(seen) > 1


def test_mixup_is_of_two_training_frames_and_of_what_is_observed_in_either(grids):
    plain, made = loading(grids)(steps.whole(FRAMES)), loading(grids, mixup=1.0)(steps.whole(FRAMES))
    assert made.given is made.target
    occupancy = made.target[:, 0]
    assert ((occupancy >= 0) & (occupancy <= 1)).all()
    assert ((occupancy > 0) & (occupancy < 1)).any()
    assert (made.observed >= plain.observed).all()


def test_quarter_turns_want_a_square_grid(grids):
    with pytest.raises(InputError, match=r"unphysical\.quarter_turn: expected 0 for 16 cells along y and 8 along x"):
        augmenting.require_turnable(grids, section(**{"unphysical.quarter_turn": 0.3}))
    augmenting.require_turnable(grids, section(**MOVES))


def test_crops_are_shifted_with_their_target_and_masked_without(crops):
    changes = {"shift_s": 0.5, "gain_db": 1.0, "noise_db": 6.0, "time_mask_s": 0.4, "velocity_mask_mps": 1.0}
    p = params.build(SpectrogramAugmentation, {**tracks.UNALTERED, **changes}, "augmentation")
    load = augmenting.of_spectrograms(fitting.load_spectrograms(crops), crops, p, 0)
    whole, part = load(steps.whole(FRAMES, 2)), load(MicroBatch(2, FRAMES[3:], 3, 7))
    assert torch.equal(whole.given[3:], part.given)
    assert torch.equal(whole.clean[3:], part.clean)
    assert not torch.equal(whole.given, whole.clean)
    plain = torch.from_numpy(crops.target_batch(FRAMES))
    assert not torch.equal(whole.clean, plain)
    only = params.build(SpectrogramAugmentation, {**tracks.UNALTERED, "gain_db": 1.0}, "augmentation")
    louder = augmenting.of_spectrograms(fitting.load_spectrograms(crops), crops, only, 0)(steps.whole(FRAMES))
    assert louder.given is louder.clean
