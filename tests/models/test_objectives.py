"""What the training minimises: one loss per frame, of the teacher, of the condition, repeatable from the seed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

import steps
import tracks
from echoes import params
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import batches, denoisers, distilling, objectives
from echoes.models.objectives import LdmParams

CPU = torch.device("cpu")
CASES = {"encoder": "track", "vae": "track_vae", "labels": "people", "labels of a codebook": "people_vq"}


@pytest.fixture(params=CASES)
def case(request):
    """A track with any condition, its whitening, and a batch of its training frames."""
    found = request.getfixturevalue(CASES[request.param])
    return found, denoisers.whitening(found.latents.header), batch_of(found, np.arange(7))


def batch_of(track, indices):
    frames = track.grids.frames("train")[indices]
    return batches.load_latents(track.latents, track.conditions, False, "train_ldm", 0)(steps.whole(frames))


def other_condition(cond):
    """(B, ...) -> another one of each frame."""
    return (cond + 1) % 3 if cond.dtype == torch.int64 else cond + 1.0


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


@pytest.mark.parametrize("network", ["unet", "dit"])
@pytest.mark.parametrize("parameterization", ["edm", "flow", "ddpm"])
def test_every_parameterization_and_network_trains_under_labels(people, parameterization, network):
    other = {"architecture.parameterization": parameterization, "architecture.network": network}
    p = params.build(LdmParams, tracks.changed(tracks.PEOPLE_LDM, other), "ldm")
    torch.manual_seed(0)
    denoiser = denoisers.build(people.latents.header, p.architecture).train()
    loss = objectives.denoising(denoiser, p, denoisers.whitening(people.latents.header), CPU)
    batch = batch_of(people, np.arange(7))
    torch.manual_seed(0)
    first = loss(batch)
    assert first.shape == (7,)
    assert first.isfinite().all()
    optimizer = torch.optim.Adam(denoiser.parameters(), 3e-3)
    for step in range(12):
        optimizer.zero_grad()
        torch.manual_seed(step % 3)
        loss(batch).mean().backward()
        optimizer.step()
    # All weights that the labels pass have learned something, the null's too.
    assert all(table.weight.grad.any() for table in denoiser.conditioner.tables)
    torch.manual_seed(0)
    assert loss(batch).mean() < first.mean()


def test_the_loss_of_a_new_denoiser_starts_at_one(case):
    """By the weights of EDM, for latents of deviation 1, which those of 7 spectrograms only nearly are."""
    track, spread, batch = case
    torch.manual_seed(0)
    p = track.ldm_params
    p = replace(p, architecture=replace(p.architecture, parameterization="edm"))
    fresh = denoisers.build(track.latents.header, p.architecture)
    loss = objectives.denoising(fresh, p, spread, CPU)
    found = torch.stack([seeded(loss, batch, seed) for seed in range(200)])
    assert found.mean().item() == pytest.approx(1.0, abs=0.03 if track.grids.rank == 3 else 0.12)


def test_a_condition_is_dropped_as_often_as_asked(case):
    track, spread, batch = case
    other = replace(batch, cond=other_condition(batch.cond))
    for drop, expected in ((0.0, 1.0), (0.5, 1 - 0.5**track.denoiser.parts), (1.0, 0.0)):
        p = replace(track.ldm_params, loss=replace(track.ldm_params.loss, drop=drop))
        loss = objectives.denoising(track.denoiser, p, spread, CPU)
        changed = [seeded(loss, batch, seed) != seeded(loss, other, seed) for seed in range(30)]
        assert torch.stack(changed).float().mean().item() == pytest.approx(expected, abs=0.12)


def test_each_kind_of_label_is_dropped_on_its_own(people):
    dropped = []
    hook = people.denoiser.conditioner.register_forward_hook(lambda _, inputs, __: dropped.append(inputs[1]))
    loss = objectives.denoising(people.denoiser, people.ldm_params, denoisers.whitening(people.latents.header), CPU)
    for seed in range(30):
        seeded(loss, batch_of(people, np.arange(7)), seed)
    hook.remove()
    users, activities = torch.cat(dropped).float().T
    assert users.mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.corrcoef(torch.stack([users, activities]))[0, 1].abs() < 0.2


def distil(case, student=None, target=None, teacher=None, seed=0, p=None):
    track, spread, batch = case
    nets = [copy.deepcopy(given or track.denoiser) for given in (student, target, teacher)]
    models = [ConsistencyModel(net, track.cd_params.sigmas.low) for net in nets[:2]]
    return seeded(distilling.distillation(*models, nets[2], p or track.cd_params, spread, CPU), batch, seed)


def test_distillation_is_one_loss_per_frame_and_depends_on_all_three_networks(case):
    found = distil(case)
    assert found.shape == (7,)
    assert found.isfinite().all()
    assert torch.equal(distil(case), found)
    torch.manual_seed(5)
    other = denoisers.build(case[0].latents.header, case[0].ldm_params.architecture)
    for part in other.parameters():
        torch.nn.init.normal_(part, std=0.2)
    for name in ("student", "target", "teacher"):
        assert (distil(case, **{name: other}) != found).float().mean() > 0.8, name


@pytest.mark.parametrize("name", ["student", "target", "teacher"])
def test_each_network_encodes_the_condition_with_its_own_conditioner(case, name):
    other = copy.deepcopy(case[0].denoiser)
    for part in other.conditioner.parameters():
        torch.nn.init.normal_(part, std=0.2)
    assert (distil(case, **{name: other}) != distil(case)).float().mean() > 0.6


def test_the_teacher_is_guided_as_the_section_says(case):
    p = case[0].cd_params
    plain = distil(case, p=replace(p, guidance=Guidance(1.0, 0.0, 1000.0)))
    assert not torch.equal(distil(case, p=replace(p, guidance=Guidance(3.0, 0.0, 1000.0))), plain)
    torch.testing.assert_close(distil(case, p=replace(p, guidance=Guidance(3.0, 500.0, 1000.0))), plain)


def test_the_levels_of_the_table_are_distilled_across_where_the_teacher_has_one(people_vq):
    """The teacher is a DDPM: `trailing` are levels of its own table."""
    levels = SigmaRange(6, 0.02, 80.0, 7.0, "trailing", 1.0)
    seen = []
    hook = people_vq.denoiser.network.register_forward_hook(lambda _, inputs, __: seen.append(inputs[1]))
    case = people_vq, denoisers.whitening(people_vq.latents.header), batch_of(people_vq, np.arange(30))
    found = distil(case, p=replace(people_vq.cd_params, sigmas=levels))
    hook.remove()
    assert found.isfinite().all()
    sigmas = schedule(levels, people_vq.denoiser.parameterization)[:-1]
    called = torch.cat(seen).double().mul(4).exp()  # c_noise is ln(sigma) / 4
    assert len(called.unique()) == 6
    assert ((called[:, None] / sigmas - 1).abs().amin(1) < 1e-4).all()


def test_only_the_student_gets_a_gradient(case):
    track, spread, batch = case
    nets = [copy.deepcopy(track.denoiser).requires_grad_(True) for _ in range(3)]
    student, target = (ConsistencyModel(net, track.cd_params.sigmas.low) for net in nets[:2])
    torch.manual_seed(0)
    distilling.distillation(student, target, nets[2], track.cd_params, spread, CPU)(batch).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in nets[0].network.parameters())
    assert any(p.grad is not None and p.grad.any() for p in nets[0].conditioner.parameters())
    assert all(p.grad is None for net in nets[1:] for p in net.parameters())


def validation(track, denoiser=None, split="val"):
    spread, frames = denoisers.whitening(track.latents.header), track.grids.frames(split)
    error = objectives.validation(track.ldm_params, track.latents, frames, track.conditions, spread, CPU)
    return error(denoiser or track.denoiser)


def test_the_validation_loss_repeats_and_is_of_the_frames_it_is_given(case):
    found = validation(case[0])
    assert set(found) == {"val_loss"}
    assert np.isfinite(found["val_loss"])
    torch.randn(3)
    assert validation(case[0]) == found
    assert validation(case[0], split="test") != found


def test_the_validation_loss_leaves_the_uncertainty_out(track):
    certain = copy.deepcopy(track.denoiser)
    torch.nn.init.constant_(certain.parameterization.uncertainty[2].bias, 3.0)
    assert validation(track, certain) == validation(track)


def test_nothing_is_dropped_in_validation(case):
    """What stands in for a dropped condition has no say."""
    other = copy.deepcopy(case[0].denoiser)
    with torch.no_grad():
        if hasattr(other.conditioner, "null"):
            other.conditioner.null += 5
        else:
            for table in other.conditioner.tables:
                table.weight[-1] += 5
    assert validation(case[0], other) == validation(case[0])
