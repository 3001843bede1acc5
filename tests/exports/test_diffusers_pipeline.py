"""A track as a pipeline of diffusers: saved, loaded again, and the same image for the same noise."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.exports import labelled
from torch import Tensor

from echoes import params, seeds
from echoes.inference import SpectrogramGenerator
from echoes.models import autoencoders, denoisers, students
from echoes.models.sampler import UNGUIDED, Decoder, Sampler, noise_of
from echoes.models.trained import SampleParams

pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")

from diffusers import DDIMScheduler

from echoes.exports import diffusers_folder
from echoes.exports.diffusers_models import Autoencoder
from echoes.exports.diffusers_pipeline import SpectrogramPipeline

WALKER = {"user": "3", "activity": "walk"}
COND = torch.tensor([[1, 2], [1, 2]])
P: SampleParams = params.build(SampleParams, labelled.SAMPLE, "sample")
# In a process of its own: neither echoes nor the network is there before diffusers loads the folder.
FRESH = """
import socket, sys
import numpy as np, torch
def refuse(*_):
    raise OSError("no network")
socket.socket.connect = refuse
from diffusers import DiffusionPipeline
assert not any(name.startswith("echoes") for name in sys.modules)
pipe = DiffusionPipeline.from_pretrained(sys.argv[1], trust_remote_code=True)
noise = torch.from_numpy(np.load("noise.npy"))
labels = [{"user": "3", "activity": "walk"}] * 2
np.save("images.npy", pipe(labels, latents=noise, output_type="np").images)
"""


def noise() -> Tensor:
    return noise_of([0, 1], labelled.LATENT_SHAPE, 0, "sample")


def folder(root: Path, model: str = "ldm", **track: str) -> Path:
    """The exported pipeline of a new track."""
    (root / "data").mkdir()
    labelled.write(root / "data", **track)
    diffusers_folder.pipeline(root / "data", model, P).save_pretrained(root / "pipeline")
    return root / "pipeline"


@pytest.fixture(scope="module")
def ldm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("ldm"))


@pytest.fixture(scope="module")
def cd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("cd"), "cd")


def drawn(sampler: Sampler) -> np.ndarray:
    """(B, H, W, C) 0..1 images of COND without any of diffusers."""
    with torch.no_grad():
        spectrograms = sampler.decoder(sampler.latents(COND, noise(), [0, 1])).clamp(-1, 1)
    return np.flip(spectrograms.numpy(), 2).transpose(0, 2, 3, 1) / 2 + 0.5


def ldm_sampler(data: Path) -> Sampler:
    vae, _ = autoencoders.load(data / "vae.safetensors", labelled.CPU)
    denoiser, header = denoisers.load_ldm(data / "ldm.safetensors", labelled.CPU)
    decoder = Decoder(vae, denoisers.whitening(header))
    return Sampler(denoiser, P.steps(denoiser), P.guidance, decoder, labelled.LATENT_SHAPE, P.seed)


def test_diffusers_loads_the_folder_offline_and_gives_the_same_image_for_the_same_noise(ldm: Path, tmp_path: Path):
    np.save(tmp_path / "noise.npy", noise().numpy())
    environment = {**os.environ, "HF_HOME": str(tmp_path)}  # where diffusers copies pipeline.py
    subprocess.run([sys.executable, "-c", FRESH, str(ldm)], cwd=tmp_path, check=True, env=environment)
    expected = drawn(ldm_sampler(ldm.parent / "data"))
    images = np.load(tmp_path / "images.npy")
    assert images.shape == (2, 16, 16, 1)
    assert images.std() > 0.01
    np.testing.assert_allclose(images, expected, atol=1e-4)


@pytest.mark.parametrize(("variant", "parameterization"), [("kl", "edm"), ("fsq", "ddpm")])
def test_every_bottleneck_and_parameterization_survives_the_export(variant: str, parameterization: str, tmp_path: Path):
    pipe = SpectrogramPipeline.from_pretrained(folder(tmp_path, variant=variant, parameterization=parameterization))
    images = pipe([WALKER] * 2, latents=noise(), output_type="np").images
    data = tmp_path / "data"
    np.testing.assert_allclose(images, drawn(ldm_sampler(data)), atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_consistency_model_samples_in_one_step_and_in_two(steps: int, cd: Path):
    data = cd.parent / "data"
    model, of, _ = students.load_cd(data / "cd.safetensors", labelled.CPU)
    way = students.steps(of.sigmas, [1.2][: steps - 1])
    expected = drawn(replace(ldm_sampler(data), model=model, steps=way, guidance=UNGUIDED, seed=of.seed))
    pipe = SpectrogramPipeline.from_pretrained(cd)
    images = pipe([WALKER] * 2, latents=noise(), numbers=[0, 1], num_inference_steps=steps, output_type="np").images
    np.testing.assert_allclose(images, expected, atol=1e-4)


def test_a_consistency_model_takes_neither_three_steps_nor_guidance(cd: Path):
    pipe = SpectrogramPipeline.from_pretrained(cd)
    with pytest.raises(ValueError, match=r"num_inference_steps: expected 1 or 2 .* got 3"):
        pipe(WALKER, num_inference_steps=3)
    with pytest.raises(ValueError, match=r"guidance_scale: .* got 2\.0"):
        pipe(WALKER, guidance_scale=2.0)


def test_a_sample_is_the_same_in_any_batch_if_it_has_its_own_generator(cd: Path):
    pipe = SpectrogramPipeline.from_pretrained(cd)

    def two_steps(numbers: list[int]) -> Tensor:
        generators = [torch.Generator().manual_seed(number) for number in numbers]
        return pipe([WALKER] * len(numbers), generator=generators, num_inference_steps=2, output_type="latent").images

    together = two_steps([5, 6, 7])
    torch.testing.assert_close(together[1:2], two_steps([6]), atol=1e-4, rtol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-2


@pytest.mark.parametrize("method", ["ldm", "cd_1", "cd_2"])
def test_noise_seeded_as_the_command_generate_seeds_it_gives_the_same_spectrograms(method: str, ldm: Path, cd: Path):
    exported = ldm if method == "ldm" else cd
    data, options = exported.parent / "data", {"seed": P.seed, "device": labelled.CPU}
    if method == "ldm":
        command = SpectrogramGenerator.by_solver(data, P, **options)
    else:
        command = SpectrogramGenerator.load(data, steps=int(method[-1]), **options)
    made = SpectrogramPipeline.from_pretrained(exported)(
        [WALKER] * 2,
        generator=[torch.Generator().manual_seed(seeds.number(P.seed, "generate-3-walk", i)) for i in (0, 1)],
        numbers=[0, 1],
        num_inference_steps={"ldm": None, "cd_1": 1, "cd_2": 2}[method],
        output_type="spectrogram",
    ).images
    np.testing.assert_allclose(made, command.spectrograms(("3", "walk"), 2, 1), atol=1e-4)


def test_labels_are_the_same_as_their_indices_and_change_the_image(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    named = pipe([WALKER, {"user": "1", "activity": "walk"}], latents=noise(), output_type="np").images
    indexed = pipe(class_labels=[[1, 2], [0, 2]], latents=noise(), output_type="np").images
    np.testing.assert_array_equal(named, indexed)
    assert np.abs(named[1] - pipe([WALKER] * 2, latents=noise(), output_type="np").images[1]).max() > 1e-3


def test_a_kind_left_out_is_the_learned_null(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    found = pipe([{"activity": "walk"}] * 2, latents=noise(), output_type="latent").images
    nulls = torch.tensor([[len(labelled.LABELS["user"]), 2]] * 2)
    with torch.no_grad():
        expected = ldm_sampler(ldm.parent / "data").latents(nulls, noise(), [0, 1])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_an_unknown_label_is_refused_with_the_known_ones(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    with pytest.raises(ValueError, match="activity to be one of fall, run, walk, got 'swim'"):
        pipe({"user": "3", "activity": "swim"})
    with pytest.raises(ValueError, match="the kinds user, activity, got 'weather'"):
        pipe({"weather": "rain"})
    with pytest.raises(ValueError, match=r"class_labels: expected \(N, 2\) indices up to \[2, 3\]"):
        pipe(class_labels=[[1, 4]])
    with pytest.raises(ValueError, match=r"latents: expected noise of shape \(1, 4, 4, 4\)"):
        pipe(WALKER, latents=noise())
    with pytest.raises(ValueError, match=r"output_type: expected one of pil, .* got 'jpg'"):
        pipe(WALKER, output_type="jpg")


def test_another_scheduler_and_a_text_prompt_are_told_in_one_line(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    for prompt in ("a person who walks", ["a person", "a drone"]):
        with pytest.raises(ValueError, match=r"^labels: expected \{user: .*, activity: .*\}, .* and no text, got "):
            pipe(prompt)
    pipe.scheduler = DDIMScheduler()
    with pytest.raises(ValueError, match=r"^scheduler: expected SolverScheduler or .*, got DDIMScheduler, which gives"):
        pipe(WALKER)


def test_weights_in_half_are_refused_and_autocast_is_named(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match=r"expected weights in torch.float32, got torch.bfloat16; torch.autocast"):
        pipe(WALKER)
    with torch.autocast("cpu", torch.bfloat16):
        SpectrogramPipeline.from_pretrained(ldm)(WALKER)


def test_outputs_are_pictures_with_the_highest_velocity_on_top(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    made = {
        kind: pipe(WALKER, num_images_per_prompt=2, latents=noise(), output_type=kind).images
        for kind in ("pil", "np", "pt", "spectrogram", "latent")
    }
    spectrograms = made["spectrogram"]
    assert spectrograms.shape == (2, 1, 16, 16)
    assert spectrograms.abs().max() <= 1
    torch.testing.assert_close(made["pt"], spectrograms.flip(2) / 2 + 0.5)
    np.testing.assert_array_equal(made["np"], made["pt"].permute(0, 2, 3, 1))
    assert [(image.size, image.mode) for image in made["pil"]] == [((16, 16), "L")] * 2
    np.testing.assert_allclose(np.asarray(made["pil"][1]) / 255, made["np"][1, :, :, 0], atol=0.003)
    assert made["latent"].shape == (2, *labelled.LATENT_SHAPE)


def test_steps_and_guidance_of_the_call_replace_those_of_the_track(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)

    def latents(**replaced: float) -> Tensor:
        return pipe([WALKER] * 2, latents=noise(), output_type="latent", **replaced).images

    own = latents()
    torch.testing.assert_close(latents(num_inference_steps=6, guidance_scale=2.0), own, atol=0, rtol=0)
    assert (latents(num_inference_steps=3) - own).abs().max() > 1e-2
    assert (latents(guidance_scale=1.0) - own).abs().max() > 1e-2


def test_the_folder_tells_what_it_was_made_from_and_holds_no_pickle(ldm: Path):
    pipe = SpectrogramPipeline.from_pretrained(ldm)
    _, header = denoisers.load_ldm(ldm.parent / "data" / "ldm.safetensors", labelled.CPU)
    assert pipe.denoiser.header == header
    assert pipe.labels == labelled.LABELS
    assert [axis["unit"] for axis in pipe.axes] == ["m/s", "s"]
    assert {path.suffix for path in ldm.rglob("*") if path.is_file()} == {".json", ".py", ".safetensors"}
    for path in ldm.rglob("*.json"):
        assert str(ldm.parent) not in path.read_text()


def test_a_folder_from_before_the_solvers_that_add_noise_gives_the_same_images(ldm: Path, tmp_path: Path):
    shutil.copytree(ldm, tmp_path / "old")
    config = tmp_path / "old" / "scheduler" / "scheduler_config.json"
    told = json.loads(config.read_text())
    for name in ("euler_ancestral", "stochastic_heun"):
        del told["sample"][name]
    config.write_text(json.dumps(told))
    old, new = (SpectrogramPipeline.from_pretrained(path) for path in (tmp_path / "old", ldm))
    images = [pipe([WALKER] * 2, latents=noise(), output_type="np").images for pipe in (old, new)]
    np.testing.assert_array_equal(*images)


def test_a_loaded_pipeline_can_be_saved_again(ldm: Path, tmp_path: Path):
    SpectrogramPipeline.from_pretrained(ldm).save_pretrained(tmp_path / "again")
    index = json.loads((tmp_path / "again" / "model_index.json").read_text())
    assert index["_class_name"] == ["pipeline", "SpectrogramPipeline"]
    assert SpectrogramPipeline.from_pretrained(tmp_path / "again").labels == labelled.LABELS


def test_an_autoencoder_exported_before_stems_is_one_without(ldm: Path):
    _, header = autoencoders.load(ldm.parent / "data" / "vae.safetensors", labelled.CPU)
    fewer = {key: part for key, part in header.architecture.items() if key != "stem"}
    found = Autoencoder(header=vars(replace(header, architecture=fewer, format=1)))
    assert list(found.model.stem.parameters()) == []
