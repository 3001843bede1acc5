"""What the training minimises: one loss per frame, of the teacher, of the condition, repeatable from the seed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from echoes.distillation.consistency import ConsistencyModel
from echoes.models import batches, denoisers, objectives

CPU = torch.device("cpu")


@pytest.fixture(params=["encoder", "vae"])
def case(request):
    """A track with either condition, its whitening, and a batch of its training frames."""
    found = request.getfixturevalue("track" if request.param == "encoder" else "track_vae")
    load = batches.load_latents(found.grids, found.latents, request.param, False, "train_ldm", 0)
    return found, denoisers.whitening(found.latents.header), load(np.arange(7), 0)


def seeded(loss, batch, seed=0):
    torch.manual_seed(seed)
    with torch.no_grad():
        return loss(batch)


def test_denoising_is_one_loss_per_frame_and_repeats_from_the_seed(case):
    track, spread, batch = case
    loss = objectives.denoising(track.denoiser, track.ldm_params, spread, CPU)
    found = seeded(loss, batch)
    assert found.shape == (7,)
    assert torch.equal(seeded(loss, batch), found)
    assert not torch.equal(seeded(loss, batch, 1), found)


def test_the_loss_of_a_new_denoiser_starts_at_one(case):
    track, spread, batch = case
    torch.manual_seed(0)
    fresh = denoisers.build_for(track.latents.header, track.ldm_params)
    loss = objectives.denoising(fresh, track.ldm_params, spread, CPU)
    found = torch.stack([seeded(loss, batch, seed) for seed in range(200)])
    assert found.mean().item() == pytest.approx(1.0, abs=0.03)


def test_a_condition_is_dropped_as_often_as_asked(case):
    track, spread, batch = case
    other = replace(batch, cond=batch.cond + 1.0)
    for drop, expected in ((0.0, 1.0), (0.5, 0.5), (1.0, 0.0)):
        loss = objectives.denoising(track.denoiser, replace(track.ldm_params, drop=drop), spread, CPU)
        changed = [seeded(loss, batch, seed) != seeded(loss, other, seed) for seed in range(30)]
        assert torch.stack(changed).float().mean().item() == pytest.approx(expected, abs=0.12)


def distil(case, student=None, target=None, teacher=None, seed=0):
    track, spread, batch = case
    nets = [copy.deepcopy(given or track.denoiser) for given in (student, target, teacher)]
    models = [ConsistencyModel(net, track.cd_params.sigmas.low) for net in nets[:2]]
    return seeded(objectives.distillation(*models, nets[2], track.cd_params, spread, CPU), batch, seed)


def test_distillation_is_one_loss_per_frame_and_depends_on_all_three_networks(case):
    found = distil(case)
    assert found.shape == (7,)
    assert torch.equal(distil(case), found)
    torch.manual_seed(5)
    other = denoisers.build_for(case[0].latents.header, case[0].ldm_params)
    for part in other.parameters():
        torch.nn.init.normal_(part, std=0.2)
    for name in ("student", "target", "teacher"):
        assert (distil(case, **{name: other}) != found).float().mean() > 0.8, name


@pytest.mark.parametrize("name", ["student", "target", "teacher"])
def test_each_network_encodes_the_radar_with_its_own_encoder(case, name):
    other = copy.deepcopy(case[0].denoiser)
    for part in other.encoder.parameters():
        torch.nn.init.normal_(part, std=0.2)
    assert (distil(case, **{name: other}) != distil(case)).float().mean() > 0.6


def test_only_the_student_gets_a_gradient(case):
    track, spread, batch = case
    nets = [copy.deepcopy(track.denoiser).requires_grad_(True) for _ in range(3)]
    student, target = (ConsistencyModel(net, track.cd_params.sigmas.low) for net in nets[:2])
    objectives.distillation(student, target, nets[2], track.cd_params, spread, CPU)(batch).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in nets[0].network.parameters())
    assert any(p.grad is not None and p.grad.any() for p in nets[0].encoder.parameters())
    assert all(p.grad is None for net in nets[1:] for p in net.parameters())


def test_the_validation_loss_repeats_and_leaves_the_uncertainty_out(case):
    track = case[0]
    found = objectives.validation(track.denoiser, track.ldm_params, track.grids, track.latents, CPU)
    certain = copy.deepcopy(track.denoiser)
    torch.nn.init.constant_(certain.uncertainty[2].bias, 3.0)
    assert objectives.validation(certain, track.ldm_params, track.grids, track.latents, CPU) == found
    assert set(found) == {"val_loss"}
    assert np.isfinite(found["val_loss"])
