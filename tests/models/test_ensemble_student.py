"""A student that learns from ensembles of its own samples: no teacher is asked, and there is one call of it."""

import copy
from dataclasses import replace

import pytest
import torch

import steps
import tracks
from echoes import params, weights
from echoes.choices.rules import in_force
from echoes.errors import InputError
from echoes.inference import Enhancer
from echoes.models import batches, denoisers, distilling, students, trained
from echoes.models.distilling import CdParams
from echoes.models.trained import SampleParams

CPU = torch.device("cpu")
STUDENT = {"kind": "ensemble", "members": 3, "alpha": 0.95, "blocks": [1, 2]}
P: CdParams = params.build(CdParams, {**tracks.CD, "student": STUDENT}, "cd")


@pytest.mark.parametrize("name", ["track", "people"])
def test_the_student_alone_is_called_and_trained_from_the_weights_of_the_denoiser(name, request):
    track = request.getfixturevalue(name)
    teacher = copy.deepcopy(track.denoiser)
    student = distilling.student_of(teacher, P)
    called: list[torch.nn.Module] = []
    for network in (teacher.network, student.network):
        network.register_forward_hook(lambda module, *_: called.append(module))
    loss = distilling.distillation(student, student, teacher, P, denoisers.whitening(track.latents.header), CPU)
    load = batches.load_latents(track.latents, track.conditions, False, "distill_cd", 0)
    found = loss(load(steps.whole(track.grids.frames("train"))))
    found.sum().backward()
    assert found.shape == (len(track.grids.frames("train")),)
    assert called == [student.network] * 3
    assert all(p.grad is not None and p.grad.any() for p in student.network.out.parameters())


def test_what_a_teacher_would_be_told_has_no_effect():
    told = in_force(P)
    assert told["student"]["members"] == 3
    assert not {"guidance", "target_ema"} & set(told)
    assert {"guidance", "target_ema"} < set(in_force(params.build(CdParams, tracks.CD, "cd")))


def test_there_is_no_second_call(track, tmp_path):
    tensors, header = weights.load(track.data / "cd.safetensors", "cd")
    told = {**header.architecture, "student": "ensemble"}
    weights.save(tensors, replace(header, architecture=told), tmp_path / "cd")
    _, of, header = students.load_cd(tmp_path / "cd", CPU)
    assert students.between(header, of, 1) == []
    with pytest.raises(InputError, match=r"^cd: expected one call of a student of kind ensemble, got 2$"):
        students.between(header, of, 2)
    section = params.build(SampleParams, tracks.SAMPLE, "sample")
    assert set(replace(trained.load(track.data, track.grids, CPU), of=of).samplers(section)) == {"ldm", "cd_1"}
    assert Enhancer.load(track.data, steps=2, device=CPU)  # of a consistency model there is one


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("members", 1, "expected at least 2, got 1"),
        ("alpha", 1.5, r"expected 0 to 1, got 1\.5"),
        ("blocks", [], r"expected some of at least 1 cell, got \[\]"),
        ("blocks", [0], r"expected some of at least 1 cell, got \[0\]"),
    ],
)
def test_an_ensemble_of_nothing_is_refused_by_its_key(key, value, told):
    with pytest.raises(InputError, match=rf"^cd\.student\.{key}: {told}$"):
        params.build(CdParams, {**tracks.CD, "student": {**STUDENT, key: value}}, "cd")
