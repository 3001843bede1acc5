"""The models of a track: loaded together, or refused where one was not made from the other."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import artifacts
import tracks
from echoes import latentstore, params, weights
from echoes.autoencoder import architecture
from echoes.compute.tiles import Tiles
from echoes.errors import InputError
from echoes.models import autoencoders, denoisers, sampler, students, trained
from echoes.models.conditions import unmirrored
from echoes.models.trained import SampleParams
from echoes.tasks import ENHANCE, Task

CPU = torch.device("cpu")


def load(track):
    return trained.load(track.data, track.grids, CPU)


@pytest.mark.parametrize("name", ["track", "track_vae", "people", "people_vq"])
def test_all_models_come_with_what_they_condition_on(name, request):
    track = request.getfixturevalue(name)
    found, frames = load(track), np.array([2, 7])
    cond = track.conditions(frames, unmirrored(frames))
    assert torch.equal(found.conditions(frames, unmirrored(frames)), cond)
    noisy, sigma = torch.ones(2, *found.latent_shape), torch.tensor([0.5, 2.0])
    for model, saved in ((found.denoiser, track.denoiser), (found.model, track.model)):
        assert torch.equal(model(noisy, sigma, model.condition(cond)), saved(noisy, sigma, saved.condition(cond)))
    raw_latents = torch.from_numpy(track.latents.rows("latents", frames))
    decoded = found.decoder(found.decoder.whitening.whiten(raw_latents))
    torch.testing.assert_close(decoded, track.vae.decode(raw_latents), rtol=1e-3, atol=1e-4)
    assert found.of.sigmas == track.cd_params.sigmas


@pytest.mark.parametrize(("name", "calls"), [("track", 7), ("people", 9)])
def test_the_ways_to_sample_are_the_guided_solver_and_one_and_two_steps(name, calls, request):
    """4 levels: 2 calls a step and 1 for the last; of people, the 2 at a level between 0.2 and 10 count twice."""
    track = request.getfixturevalue(name)
    section = tracks.SAMPLE if name == "track" else tracks.PEOPLE_SAMPLE
    found = load(track)
    samplers = found.samplers(params.build(SampleParams, section, "sample"))
    cond = track.conditions(np.arange(3), unmirrored(np.arange(3)))
    counted = {name: sampler.calls(one, cond) for name, one in samplers.items()}
    assert counted == {"ldm": calls, "cd_1": 1, "cd_2": 2}


def test_tiles_of_networks_that_look_everywhere_are_refused(track):
    with pytest.raises(InputError, match=r"^sample\.tiles\.cells: expected attention none or window along an axis"):
        load(track).tile(Tiles((8, 8, 8), 4))


@pytest.mark.parametrize("change", [{"frames": 0}, {"batch": 0}])
def test_a_section_without_frames_is_refused(change):
    (name,) = change
    with pytest.raises(InputError, match=rf"^radar\.sample\.{name}: expected at least 1, got 0$"):
        params.build(SampleParams, {**tracks.SAMPLE, **change}, "radar.sample")


@pytest.mark.parametrize("family", ["radar", "people"])
@pytest.mark.parametrize("name", ["latents", "vae.safetensors", "ldm.safetensors", "cd.safetensors"])
def test_an_artifact_of_another_run_is_refused_naming_both(family, name, track, people, tmp_path):
    """Of the radar, the other run shares grids and autoencoder; of the spectrograms, the grids."""
    ours = track if family == "radar" else people
    other = tracks.radar(tmp_path / "a", "vae") if family == "radar" else tracks.people(tmp_path / "a", network="dit")
    shutil.copytree(ours.data, tmp_path / "mixed")
    mixed = tmp_path / "mixed" / name
    if name == "vae.safetensors":
        torch.manual_seed(9)
        vae = architecture.build(ours.vae_params.architecture, ours.grids.rank, ours.grids.channels)
        autoencoders.save(vae, ours.vae_params, ours.grids, {"grids": ours.grids.header.identity}, mixed)
    elif name == "latents":
        shutil.rmtree(mixed)
        write_other_latents(ours, mixed)
    else:
        shutil.copy(other.data / name, mixed)
    with pytest.raises(InputError, match=r"was made from \w+ \w{12}, but .* is \w{12}; run `dvc repro`"):
        trained.load(tmp_path / "mixed", ours.grids, CPU)


def write_other_latents(track, path):
    every = np.arange(len(track.grids))
    paired = ("cond", "latents_mirrored", "std_mirrored", "cond_mirrored")
    names = ("latents", "std", *(paired if track.grids.rank == 3 else ("labels",)))
    rows = {name: track.latents.rows(name, every) for name in names}
    rows["latents"] = rows["latents"] + 1
    header = track.latents.header
    latentstore.write(path, "safetensors", iter([rows]), lambda: header)


def test_grids_of_another_run_are_refused(people, tmp_path):
    with pytest.raises(InputError, match=r"latents: was made from grids \w{12}, but .*grids\.zarr is"):
        trained.load(people.data, artifacts.write_spectrograms(tmp_path / "grids.zarr", channels=3), CPU)


@pytest.mark.parametrize("family", ["track", "people_vq"])
@pytest.mark.parametrize("kind", ["vae", "ldm", "cd"])
def test_a_published_model_loads_whatever_becomes_of_the_keys_of_its_training(family, kind, request, tmp_path):
    track = request.getfixturevalue(family)
    load = {"vae": autoencoders.load, "ldm": denoisers.load_ldm, "cd": students.load_cd}[kind]
    tensors, header = weights.load(track.data / f"{kind}.safetensors", kind)
    fewer = {**header.params, "schedule": {"steps": 3}}
    fewer.pop("mirror")
    for i, section in enumerate(({**header.params, "of_tomorrow": {"key": [1]}}, fewer, {})):
        path = tmp_path / f"{i}.safetensors"
        weights.save(tensors, replace(header, params=section), path)
        model = load(path, CPU)[0]
        state = (model.denoiser if kind == "cd" else model).state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
    weights.save(tensors, replace(header, architecture={}), tmp_path / "none.safetensors")
    with pytest.raises(InputError, match=r"none\.safetensors: architecture\.\w+: missing"):
        load(tmp_path / "none.safetensors", CPU)


@pytest.mark.parametrize("kind", ["vae", "ldm", "cd"])
def test_a_model_from_before_tasks_were_told_is_one_that_enhances(kind, track, tmp_path):
    load = {"vae": autoencoders.load, "ldm": denoisers.load_ldm, "cd": students.load_cd}[kind]
    tensors, header = weights.load(track.data / f"{kind}.safetensors", kind)
    content = {key: value for key, value in header.content.items() if key not in ("task", "second_sigma")}
    if kind == "cd":
        content["middle"] = header.content["second_sigma"]
    older = replace(header, content={**content, "target_channels": list(ENHANCE.target)}, format=1)
    weights.save(tensors, older, tmp_path / "old.safetensors")
    model, *_, found = load(tmp_path / "old.safetensors", CPU)
    assert params.build(Task, found.content["task"], "task") == ENHANCE
    assert found.content.get("second_sigma") == header.content.get("second_sigma")
    state = (model.denoiser if kind == "cd" else model).state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("name", ["track", "track_vae", "people"])
@pytest.mark.parametrize("kind", ["vae", "ldm", "cd"])
def test_a_model_from_before_stems_is_one_without(kind, name, request, tmp_path):
    track = request.getfixturevalue(name)
    load = {"vae": autoencoders.load, "ldm": denoisers.load_ldm, "cd": students.load_cd}[kind]
    tensors, header = weights.load(track.data / f"{kind}.safetensors", kind)
    weights.save(tensors, replace(header, architecture=without_stems(header.architecture), format=1), tmp_path / "old")
    model, *_, found = load(tmp_path / "old", CPU)
    state = (model.denoiser if kind == "cd" else model).state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())
    none = {"convolution": "none", "channels": 8, "layers": 2}
    assert stems(found.architecture) == [none] * len(stems(header.architecture))


def stems(told):
    """Of an architecture, however deep they lie."""
    inner = [stem for part in told.values() if isinstance(part, dict) for stem in stems(part)]
    return [*inner, told["stem"]] if "stem" in told else inner


def without_stems(told):
    return {key: without_stems(part) if isinstance(part, dict) else part for key, part in told.items() if key != "stem"}
