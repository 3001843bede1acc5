"""A student with two times: it starts as its teacher, learns both ends, and comes back from its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import steps
import tracks
from echoes import params, terms, weights
from echoes.diffusion.denoiser import bind
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.models import batches, denoisers, distilling, students
from echoes.models.denoisers import LdmArchitecture
from echoes.models.distilling import CdParams
from echoes.training.ema import Ema
from echoes.training.loop import train

CPU = torch.device("cpu")
P: CdParams = params.build(CdParams, tracks.BOTH_ENDS, "cd")
CASES = [
    ("track", "edm", "unet"),
    ("track", "flow", "dit"),
    ("people", "edm", "dit"),
    ("people", "flow", "unet"),
    ("people", "ddpm", "unet"),
]


def said(model, noisy, cond, level=3.0):
    return bind(model, model.condition(cond))(noisy, torch.full((len(noisy),), level))


def inputs(track):
    """Noisy latents, and the condition of two frames."""
    torch.manual_seed(0)
    shape = track.latents.header.content["latent_shape"]
    return torch.randn(2, *shape), track.conditions(np.array([0, 1]), np.zeros(2, bool))


@pytest.mark.parametrize(("name", "parameterization", "network"), CASES)
def test_a_student_with_two_times_starts_as_its_teacher_and_as_a_student_without(
    name, parameterization, network, request
):
    track = request.getfixturevalue(name)
    section = tracks.LDM if name == "track" else tracks.PEOPLE_LDM
    told = {**section["architecture"], "parameterization": parameterization, "network": network}
    if network == "dit" and name == "track":
        told["dit"] = {**told["dit"], "patch": 1}
    of = params.build(LdmArchitecture, told, "ldm.architecture")
    teacher = tracks.shaken(denoisers.build(track.latents.header, of))
    student, plain = distilling.student_of(teacher, P), distilling.student_of(teacher, track.cd_params)
    assert set(student.denoiser.state_dict()) - set(teacher.state_dict()) == {"network.ratio.weight"}
    assert list(plain.denoiser.state_dict()) == list(teacher.state_dict())
    assert (student.has_two_times, plain.has_two_times) == (True, False)
    noisy, cond = inputs(track)
    with torch.no_grad():
        assert torch.equal(said(student.denoiser, noisy, cond), said(teacher, noisy, cond))
        assert torch.equal(said(student, noisy, cond), said(ConsistencyModel(teacher, P.sigmas.low), noisy, cond))
        torch.nn.init.normal_(student.network.ratio.weight)
        ratio = P.sigmas.low / 3
        mean = (said(student, noisy, cond) - ratio * noisy) / (1 - ratio)
        assert not torch.allclose(said(student.denoiser, noisy, cond), mean, rtol=1e-2, atol=1e-3)


def distilled(track, p, student, target):
    loss = distilling.distillation(student, target, track.denoiser, p, denoisers.whitening(track.latents.header), CPU)
    load = batches.load_latents(track.latents, track.conditions, False, "distill_cd", 0)
    return load, loss


def test_the_loss_is_a_share_of_that_of_the_mean_and_the_rest_of_that_of_the_sample(track):
    student = distilling.student_of(track.denoiser, P)
    found = {}
    for name, p in (
        ("both", P),
        ("one", track.cd_params),
        ("more", replace(P, student=replace(P.student, denoising=0.5))),
    ):
        load, loss = distilled(track, p, student, student)
        batch = load(steps.whole(track.grids.frames("train")))
        torch.manual_seed(0)
        with torch.no_grad(), terms.listening() as noted:
            found[name] = loss(batch), dict(noted)
    (both, of_both), (one, of_one), (_, of_more) = found["both"], found["one"], found["more"]
    assert of_one == {}
    assert both.shape == one.shape == (7,)
    torch.testing.assert_close(of_both["sample"], 0.75 * one)
    torch.testing.assert_close(of_more["mean"], 2 * of_both["mean"])
    torch.testing.assert_close(both, of_both["mean"] + of_both["sample"])
    assert (of_both["mean"] > 0).all()


@pytest.mark.parametrize("name", ["track", "people"])
def test_training_tells_the_two_ends_apart(name, request):
    track = request.getfixturevalue(name)
    p = replace(track.cd_params, student=P.student, schedule=replace(track.cd_params.schedule, steps=3))
    student = distilling.student_of(track.denoiser, p)
    target = Ema(student, 0.5)
    load, loss = distilled(track, p, student, target.model)
    for step, numbers in train("distill_cd", student, load, loss, track.grids.frames("train"), p.schedule):
        target.update(step)
        assert numbers["loss"] == pytest.approx(numbers["loss_mean"] + numbers["loss_sample"])
    assert student.network.ratio.weight.any()
    assert torch.count_nonzero(target.model.network.ratio.weight) > 0


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_leaves_one_end_out_is_refused_by_its_key(share):
    section = {**tracks.CD, "student": {"kind": "trajectory", "denoising": share}}
    with pytest.raises(
        InputError, match=rf"^cd\.student\.denoising: expected more than 0 and less than 1, got {share}$"
    ):
        params.build(CdParams, section, "cd")


def test_both_ends_come_back_from_their_file_bit_for_bit(both_ends):
    model, of, header = students.load_cd(both_ends.data / "cd.safetensors", CPU)
    noisy, cond = inputs(both_ends)
    assert of.student == header.architecture["student"] == "trajectory"
    assert torch.equal(said(model, noisy, cond), said(both_ends.model, noisy, cond))
    assert torch.equal(said(model.denoiser, noisy, cond), said(both_ends.model.denoiser, noisy, cond))
    assert not torch.equal(said(model.denoiser, noisy, cond), said(both_ends.denoiser, noisy, cond))


def test_a_student_from_before_two_times_is_one_without_and_blends_half_and_half(track, tmp_path):
    tensors, header = weights.load(track.data / "cd.safetensors", "cd")
    older = {key: value for key, value in header.architecture.items() if key != "student"}
    unblended = {key: value for key, value in header.content["readout"].items() if key != "blend"}
    content = {**header.content, "readout": unblended}
    weights.save(tensors, replace(header, architecture=older, content=content, format=3), tmp_path / "old")
    model, of, found = students.load_cd(tmp_path / "old", CPU)
    assert students.readout(found) == replace(tracks.READOUT, blend=0.5)
    noisy, cond = inputs(track)
    assert of.student == "consistency"
    assert torch.equal(said(model, noisy, cond), said(track.model, noisy, cond))
    weights.save(tensors, replace(header, architecture=older), tmp_path / "new")
    with pytest.raises(InputError, match=r"new: architecture\.student: missing"):
        students.load_cd(tmp_path / "new", CPU)
