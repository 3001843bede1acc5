"""Denoiser and consistency model come back from their files as they were, with what they were made from."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

import tracks
from echoes import initial, params, weights
from echoes.autoencoder.latents import Whitening
from echoes.choices.denoiser import ARCHITECTURE
from echoes.choices.rules import in_force, without_idle
from echoes.diffusion.denoiser import bind
from echoes.errors import InputError
from echoes.models import batches, denoisers, distilling, students
from echoes.models.denoisers import LdmArchitecture
from echoes.models.objectives import LdmParams
from echoes.provenance import FORMAT, Header
from echoes.training.ema import Ema
from echoes.training.loop import train

CPU = torch.device("cpu")
LEVELS = torch.tensor([0.5, 40.0])
TRACKS = ["track", "track_vae", "people", "people_vq"]


def built(section=tracks.LDM, **changes) -> LdmArchitecture:
    """The architecture in a section, with other values of some of its keys."""
    return params.build(LdmArchitecture, {**section["architecture"], **changes}, "ldm.architecture")


def inputs(track):
    """Noisy latents, the condition of two frames, and that of two others."""
    cond, other = (track.conditions(np.array(frames), np.zeros(2, bool)) for frames in ([0, 1], [10, 13]))
    torch.manual_seed(0)
    return torch.randn(2, *track.latents.header.content["latent_shape"]), cond, other


def in_effect(architecture: LdmArchitecture) -> dict:
    """What of an architecture builds a denoiser."""
    return without_idle(asdict(architecture), ARCHITECTURE)


def said(model, noisy, cond):
    return bind(model, model.condition(cond))(noisy, LEVELS)


@pytest.mark.parametrize("name", TRACKS)
def test_a_denoiser_repeats_its_answers_bit_for_bit_under_any_condition(name, request):
    track = request.getfixturevalue(name)
    denoiser, header = denoisers.load_ldm(track.data / "ldm.safetensors", CPU)
    noisy, cond, other = inputs(track)
    found = said(denoiser, noisy, cond)
    assert torch.equal(found, said(track.denoiser, noisy, cond))
    assert not torch.equal(found, said(denoiser, noisy, other))
    found = denoisers.architecture(header, track.data / "ldm.safetensors")
    assert in_effect(found) == in_effect(track.ldm_params.architecture)
    assert header.params == json.loads(json.dumps(in_force(track.ldm_params)))
    assert not denoiser.training
    assert not any(p.requires_grad for p in denoiser.parameters())


@pytest.mark.parametrize("name", TRACKS)
def test_a_consistency_model_repeats_its_answers_and_its_boundary(name, request):
    track = request.getfixturevalue(name)
    model, of, header = students.load_cd(track.data / "cd.safetensors", CPU)
    noisy, cond, _ = inputs(track)
    assert torch.equal(said(model, noisy, cond), said(track.model, noisy, cond))
    assert torch.equal(bind(model, model.condition(cond))(noisy, torch.full((2,), 0.004)), noisy)
    assert (of.sigmas, of.seed) == (track.cd_params.sigmas, track.cd_params.schedule.seed)
    assert header.params == json.loads(json.dumps(in_force(track.cd_params)))
    assert in_effect(of.denoiser) == in_effect(track.ldm_params.architecture)


def test_what_was_chosen_on_validation_travels_with_the_consistency_model(track, people):
    cloud, spectrogram = (students.load_cd(one.data / "cd.safetensors", CPU)[2].content for one in (track, people))
    assert (cloud["threshold"], cloud["second_sigma"]) == (0.4, 1.5)
    assert spectrogram["second_sigma"] == 1.2
    assert "threshold" not in spectrogram


@pytest.mark.parametrize("name", TRACKS)
def test_every_artifact_names_all_it_was_made_from(name, request):
    track = request.getfixturevalue(name)
    _, ldm = denoisers.load_ldm(track.data / "ldm.safetensors", CPU)
    cd = students.load_cd(track.data / "cd.safetensors", CPU)[2]
    grids, latents = track.grids.header.identity, track.latents.header
    init = initial.read(track.data / "init").identity
    made_from = {"grids": grids, "vae": latents.parents["vae"], "latents": latents.identity, "init": init}
    assert ldm.parents == made_from
    assert cd.parents == {**ldm.parents, "ldm": ldm.identity}


def test_the_whitening_travels_with_the_weights(track):
    expected = denoisers.whitening(track.latents.header)
    assert isinstance(expected, Whitening)
    assert len(expected.mean) == len(expected.std) == 4
    assert denoisers.whitening(denoisers.load_ldm(track.data / "ldm.safetensors", CPU)[1]) == expected
    assert denoisers.whitening(students.load_cd(track.data / "cd.safetensors", CPU)[2]) == expected


def of_format_1(section):
    """An architecture in the words of format 1: one attention, at the lowest level, and its own key for all numbers."""

    def unet(now):
        size = now["size"]
        kept = {key: now[key] for key in ("heads", "window", "dropout")}
        return {"channels": size["channels"], "blocks": size["blocks"], "attention": size["attention"][-1], **kept}

    regression = section["regression"]
    if regression["kind"] != "none":
        regression = {**regression, "unet": unet(regression["unet"])}
    dit = {key: section["dit"][key] for key in ("size", "patch", "dropout")}
    return {**section, "unet": unet(section["unet"]), "dit": dit, "regression": regression}


@pytest.mark.parametrize("name", ["track", "people"])
def test_artifacts_of_format_1_are_the_same_models_today(name, request, tmp_path):
    track = request.getfixturevalue(name)
    noisy, cond, _ = inputs(track)
    for kind, load, model in (("ldm", denoisers.load_ldm, track.denoiser), ("cd", students.load_cd, track.model)):
        tensors, header = weights.load(track.data / f"{kind}.safetensors", kind)
        told = header.architecture if kind == "ldm" else header.architecture["denoiser"]
        old = of_format_1(json.loads(json.dumps(told)))
        assert set(old["unet"]) == {"channels", "blocks", "heads", "dropout", "attention", "window"}
        section = old if kind == "ldm" else {**header.architecture, "denoiser": old}
        weights.save(tensors, replace(header, architecture=section, format=1), tmp_path / kind)
        found, *_, written = load(tmp_path / kind, CPU)
        assert written.format == 1
        assert torch.equal(said(found, noisy, cond), said(model, noisy, cond))
    teacher = denoisers.load_ldm(tmp_path / "ldm", CPU)[1]
    students.save_cd(track.model, track.cd_params, teacher, {"second_sigma": 1.0}, tmp_path / "new")
    student, *_, written = students.load_cd(tmp_path / "new", CPU)
    assert written.format == FORMAT
    assert torch.equal(said(student, noisy, cond), said(track.model, noisy, cond))


@pytest.mark.parametrize("kind", ["ldm", "cd"])
@pytest.mark.parametrize("damaged", [None, 3, {}, {"unet": 3}, {"unet": {"channels": 3}}, {"dit": [], "regression": 1}])
def test_a_damaged_architecture_of_format_1_is_refused_in_one_line(kind, damaged, track, tmp_path):
    load = denoisers.load_ldm if kind == "ldm" else students.load_cd
    tensors, header = weights.load(track.data / f"{kind}.safetensors", kind)
    section = {"denoiser": damaged} if kind == "cd" else damaged if isinstance(damaged, dict) else {}
    weights.save(tensors, replace(header, architecture=section, format=1), tmp_path / "a")
    with pytest.raises(InputError, match=r"a: architecture\.\S+: ") as raised:
        load(tmp_path / "a", CPU)
    assert "\n" not in str(raised.value)


def test_files_of_other_kinds_are_refused(track):
    with pytest.raises(InputError, match="expected an artifact of kind cd, got ldm"):
        students.load_cd(track.data / "ldm.safetensors", CPU)
    with pytest.raises(InputError, match="expected an artifact of kind ldm, got vae"):
        denoisers.load_ldm(track.data / "vae.safetensors", CPU)


def test_labels_are_counted_in_the_order_of_the_kinds(people):
    tables = [table.weight.shape for table in people.denoiser.conditioner.tables]
    assert tables == [(4, 8), (4, 8)]  # 3 users, 3 activities, and a null each
    header = people.latents.header
    content = {**header.content, "labels": {"activity": ["a"] * 9, "user": ["1", "2"]}, "kinds": ["user", "activity"]}
    other = denoisers.build(replace(header, content=content), people.ldm_params.architecture)
    assert [len(table.weight) for table in other.conditioner.tables] == [3, 10]


@pytest.mark.parametrize(("name", "by"), [("people", "encoder"), ("people", "vae"), ("track", "labels")])
def test_a_condition_that_the_recordings_do_not_have_is_refused_by_its_key(name, by, request):
    header: Header = request.getfixturevalue(name).latents.header
    p = built(condition=tracks.LABELS if by == "labels" else {**tracks.CONDITION, "by": by})
    known = "encoder or vae" if by == "labels" else "labels"
    with pytest.raises(InputError, match=rf"ldm\.architecture\.condition\.by: expected {known}, .*, got {by}$"):
        denoisers.build(header, p)


UNET = tracks.UNET


def levels(count):
    """A section of a U-Net of so many levels."""
    return tracks.changed(UNET, {"size.channels": [8] * count, "size.attention": ["none"] * count})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"unet": levels(3)},
            r"unet\.size\.channels: expected at most 2 levels for strides full on \[2, 4, 2\] cells, got 3 levels; no ",
        ),
        (
            {"regression": {**tracks.REGRESSION, "unet": levels(5)}},
            r"regression\.unet\.size\.channels: expected at most 4 levels for strides full on \[16, 8\] cells, got 5",
        ),
    ],
)
def test_shapes_that_a_network_cannot_take_are_told_before_it_trains_by_their_key(track, section, message):
    with pytest.raises(InputError, match=rf"^ldm\.architecture\.{message}"):
        denoisers.build(track.latents.header, built(**section))


def test_latents_that_the_patches_do_not_divide_are_told_before_training(track):
    content = {**track.latents.header.content, "latent_shape": [4, 2, 3, 2]}
    p = built(network="dit", regression={"kind": "none"})
    with pytest.raises(
        InputError, match=r"^ldm\.architecture\.dit\.patch: expected a divisor of \[2, 3, 2\] .*, got 2$"
    ):
        denoisers.build(replace(track.latents.header, content=content), p)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({**tracks.CONDITION, "width": 0}, r"width: expected at least 1, got 0"),
        ({**tracks.CONDITION, "features": 0}, r"features: expected at least 1, got 0"),
        ({**tracks.CONDITION, "blocks": -1}, r"blocks: expected 0 or more, got -1"),
        ({**tracks.LABELS, "features": 0}, r"features: expected at least 1, got 0"),
    ],
)
def test_a_condition_of_no_width_is_refused_by_its_key(condition, message):
    with pytest.raises(InputError, match=rf"^ldm\.architecture\.condition\.{message}$"):
        built(condition=condition)


@pytest.mark.parametrize("convolution", ["dense", "sparse"])
def test_the_radar_goes_through_the_stem_of_its_encoder(track, convolution):
    condition = {**tracks.CONDITION, "stem": {**tracks.STEM, "convolution": convolution}}
    denoiser = denoisers.build(track.latents.header, built(condition=condition))
    cond = torch.from_numpy(track.grids.input_batch([0, 1]))
    denoiser.condition(cond).field.square().sum().backward()
    assert denoiser.conditioner.encoder.stem.first.weight.grad.any()


@pytest.mark.parametrize("convolution", ["dense", "sparse"])
def test_an_encoder_with_a_stem_is_loaded_as_it_was_saved(track, tmp_path, convolution):
    told = tracks.changed(tracks.LDM, {"architecture.condition.stem.convolution": convolution})
    p = params.build(LdmParams, told, "ldm")
    denoiser = tracks.shaken(denoisers.build(track.latents.header, p.architecture))
    denoisers.save_ldm(denoiser, p, track.latents.header, {"latents": "l"}, tmp_path / "ldm.safetensors")
    loaded, _ = denoisers.load_ldm(tmp_path / "ldm.safetensors", CPU)
    expected, found = denoiser.state_dict(), loaded.state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_regression_beside_labels_is_refused_by_its_key(people):
    p = built(tracks.PEOPLE_LDM, regression=tracks.REGRESSION)
    with pytest.raises(InputError, match=r"ldm\.architecture\.regression\.kind: expected none, .*, got birdseye$"):
        denoisers.build(people.latents.header, p)


def test_the_regression_goes_where_the_denoiser_goes(track, people):
    radar = torch.from_numpy(track.grids.input_batch([0, 1]))
    expected = track.denoiser.regression(radar)
    assert expected.shape == (2, 8, *track.grids.shape)
    denoiser, _ = denoisers.load_ldm(track.data / "ldm.safetensors", CPU)
    model, _, _ = students.load_cd(track.data / "cd.safetensors", CPU)
    assert torch.equal(denoiser.regression(radar), expected)
    assert torch.equal(model.denoiser.regression(radar), expected)
    assert people.denoiser.regression is None


def test_the_readout_travels_with_the_consistency_model(track, people):
    assert students.readout(students.load_cd(track.data / "cd.safetensors", CPU)[2]) == tracks.READOUT
    with pytest.raises(InputError, match=r"^cd: readout: expected a mapping, got None$"):
        students.readout(students.load_cd(people.data / "cd.safetensors", CPU)[2])


@pytest.mark.parametrize("network", ["unet", "dit"])
@pytest.mark.parametrize("parameterization", ["edm", "flow", "ddpm"])
def test_every_parameterization_drives_every_network(parameterization, network, people):
    of = built(tracks.PEOPLE_LDM, parameterization=parameterization, network=network)
    denoiser = denoisers.build(people.latents.header, of)
    assert type(denoiser.parameterization).__name__.lower() == parameterization
    assert type(denoiser.network).__name__.lower() == network
    noisy, cond, _ = inputs(people)
    found = said(denoiser, noisy, cond)
    assert found.shape == noisy.shape
    assert found.isfinite().all()


def test_a_student_starts_as_the_teacher_trains_without_dropout_and_leaves_the_teacher_alone(people):
    of = built(tracks.PEOPLE_LDM, unet={**UNET, "dropout": 0.5})
    teacher = tracks.shaken(denoisers.build(people.latents.header, of))
    student = distilling.student_of(teacher, people.cd_params).train()
    noisy, cond, _ = inputs(people)
    assert torch.equal(said(student.denoiser, noisy, cond), said(teacher, noisy, cond))
    assert all(p.requires_grad for p in student.parameters())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert {m.p for m in teacher.modules() if isinstance(m, torch.nn.Dropout)} == {0.5}


def test_distillation_trains_all_but_the_regression_which_comes_through_bit_for_bit(track):
    teacher, p = track.denoiser, track.cd_params
    schedule = replace(p.schedule, steps=3, weight_decay=0.5)
    student = distilling.student_of(teacher, p)
    target, ema = Ema(student, 0.5), Ema(student, 0.9)
    named = dict(student.denoiser.named_parameters())
    assert {name for name, w in named.items() if not w.requires_grad} == {
        n for n in named if n.startswith("regression.")
    }
    load = batches.load_latents(track.latents, track.conditions, False, "distill_cd", 0)
    whitening = denoisers.whitening(track.latents.header)
    loss = distilling.distillation(student, target.model, teacher, p, whitening, CPU)
    for step, _ in train("distill_cd", student, load, loss, track.grids.frames("train"), schedule):
        target.update(step)
        ema.update(step)
    before = teacher.state_dict()
    for model in (student, target.model, ema.model):
        for name, weight in model.denoiser.state_dict().items():
            if name.startswith("regression."):
                assert torch.equal(weight, before[name]), name
    assert not torch.equal(ema.model.denoiser.network.out.weight, teacher.network.out.weight)
