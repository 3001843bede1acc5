"""A trained track as a pipeline of the diffusers library: labels and noise -> spectrograms as images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from echoes import latentstore
from echoes.errors import InputError
from echoes.exports.diffusers_models import Autoencoder, LatentDenoiser
from echoes.exports.diffusers_schedulers import Scheduler
from echoes.models import denoisers
from echoes.models.sampler import Decoder, Sampler

CODE = "pipeline.py"
# What lies beside the weights. diffusers runs it only where `trust_remote_code=True` allows that.
POINTER = '''"""Where diffusers finds the pipeline of this folder: in the package echoes, which must be installed."""

from echoes.exports.diffusers_pipeline import SpectrogramPipeline

__all__ = ["SpectrogramPipeline"]
'''

Labels = Mapping[str, str] | Sequence[Mapping[str, str]]
Output = Literal["pil", "np", "pt", "spectrogram", "latent"]


class SpectrogramPipeline(DiffusionPipeline):
    """Labels, such as {"user": "3", "activity": "walk"} -> images whose top row is the highest velocity.

    Computes in single precision, as `echoes generate` does, so that a sample is the same in any batch; whoever
    wants half calls it under torch.autocast.
    """

    def __init__(self, vae: Autoencoder, denoiser: LatentDenoiser, scheduler: Scheduler) -> None:
        super().__init__()
        self.register_modules(vae=vae, denoiser=denoiser, scheduler=scheduler)

    @property
    def labels(self) -> dict[str, list[str]]:
        """The kinds of labels, and the known values of each."""
        content = self.denoiser.header.content
        return {kind: list(content["labels"][kind]) for kind in content["kinds"]}

    @property
    def axes(self) -> list[dict[str, Any]]:
        """Name, unit, start, stop and size of the axes (F, T) of a spectrogram."""
        return list(self.vae.header.content["axes"])

    @torch.no_grad()
    def __call__(
        self,
        labels: Labels | None = None,
        class_labels: Tensor | Sequence[Sequence[int]] | None = None,
        num_images_per_prompt: int = 1,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: Tensor | None = None,
        numbers: Sequence[int] | None = None,
        output_type: Output = "pil",
        return_dict: bool = True,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Draw `num_images_per_prompt` samples for each of `labels`.

        labels               a value per kind of label, one mapping or several; a kind left out is left open.
        class_labels         (N, kinds) the same as indices into the values of `self.labels`.
        num_inference_steps  and guidance_scale: None for what the track was evaluated with.
        generator            one, or one for each sample; it draws the noise that is not given.
        latents              (B, Z, *S') noise of deviation 1 to start from.
        numbers              (B,) name the fresh noise of samplers that add some on the way.
        output_type          `pil`; `np` (B, H, W, C) or `pt` (B, C, H, W), both 0..1; `spectrogram` (B, C, F, T)
                             in network range -1..1 with ascending velocity; `latent` (B, Z, *S'), whitened.

        Raises ValueError for a label that was never trained, a text in place of labels, sizes that do not fit, and
        another scheduler than those of an export.
        """
        if output_type not in get_args(Output):
            raise ValueError(f"output_type: expected one of {', '.join(get_args(Output))}, got {output_type!r}")
        if self.dtype != torch.float32:
            raise ValueError(f"dtype: expected weights in torch.float32, got {self.dtype}; torch.autocast gives half")
        self._require_way()
        cond = self._cond(labels, class_labels).repeat_interleave(num_images_per_prompt, 0)
        noise = self._noise(len(cond), generator, latents)
        if numbers is None:
            numbers = _numbers(len(cond), generator)
        sampler = self._sampler(num_inference_steps, guidance_scale)
        found = sampler.latents(cond.to(noise.device), noise, numbers)
        if output_type != "latent":
            found = sampler.decoder(found).clamp(-1, 1)
        images = found if output_type in ("latent", "spectrogram") else self._images(found, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _require_way(self) -> None:
        if not isinstance(self.scheduler, Scheduler):
            known = "SolverScheduler or ConsistencyScheduler, which give the whole way from noise to latents"
            raise ValueError(f"scheduler: expected {known}, got {type(self.scheduler).__name__}, which gives steps")

    def _sampler(self, steps: int | None, guidance_scale: float | None) -> Sampler:
        model, header, scheduler = self.denoiser.model, self.denoiser.header, self.scheduler
        decoder = Decoder(self.vae.model, denoisers.whitening(header))
        way, guidance = scheduler.steps(model, steps), scheduler.guidance(guidance_scale)
        return Sampler(model, way, guidance, decoder, latentstore.shape(header), scheduler.seed)

    def _cond(self, labels: Labels | None, class_labels: Tensor | Sequence[Sequence[int]] | None) -> Tensor:
        """(N, kinds) int64 indices; an open kind has the index behind the last one, that of its null."""
        if class_labels is None:
            several = [labels or {}] if labels is None or isinstance(labels, Mapping) else labels
            if isinstance(several, str) or not all(isinstance(one, Mapping) for one in several):
                kinds = ", ".join(f"{kind}: ..." for kind in self.labels)
                raise ValueError(f"labels: expected {{{kinds}}}, or several of these, and no text, got {labels!r}")
            return torch.tensor([self._indices(one) for one in several])
        if labels is not None:
            raise ValueError("class_labels: expected either labels or class_labels, got both")
        given = torch.as_tensor(class_labels)
        sizes = torch.tensor([len(values) for values in self.labels.values()])
        if given.ndim != 2 or given.shape[1] != len(sizes) or bool(((given < 0) | (given > sizes)).any()):
            raise ValueError(f"class_labels: expected (N, {len(sizes)}) indices up to {sizes.tolist()}, got {given}")
        return given

    def _indices(self, labels: Mapping[str, str]) -> list[int]:
        known = self.labels
        for kind, value in labels.items():
            if kind not in known:
                raise InputError(f"labels: expected the kinds {', '.join(known)}, got {kind!r}")
            if value not in known[kind]:
                raise InputError(f"labels: expected {kind} to be one of {', '.join(known[kind])}, got {value!r}")
        return [values.index(labels[kind]) if kind in labels else len(values) for kind, values in known.items()]

    def _noise(
        self, count: int, generator: torch.Generator | list[torch.Generator] | None, latents: Tensor | None
    ) -> Tensor:
        shape = (count, *self.denoiser.header.content["latent_shape"])
        if isinstance(generator, list) and len(generator) != count:
            raise ValueError(f"generator: expected one, or one for each of {count} samples, got {len(generator)}")
        if latents is None:
            latents = randn_tensor(shape, generator=generator, device=self._execution_device)
        if tuple(latents.shape) != shape:
            raise ValueError(f"latents: expected noise of shape {shape}, got {tuple(latents.shape)}")
        return latents.to(self._execution_device, torch.float32)

    def _images(self, spectrograms: Tensor, output_type: Output) -> Any:
        """(B, C, F, T) in -1..1 -> pictures with the highest velocity in the top row."""
        pictures = spectrograms.flip(2) / 2 + 0.5
        if output_type == "pt":
            return pictures
        array = pictures.permute(0, 2, 3, 1).cpu().numpy()
        return array if output_type == "np" else self.numpy_to_pil(array)

    def save_config(self, save_directory: str | Path, push_to_hub: bool = False, **kwargs: Any) -> None:
        """As diffusers does, with the file that tells it where this class is."""
        super().save_config(save_directory, push_to_hub=push_to_hub, **kwargs)
        index = Path(save_directory, self.config_name)
        content = json.loads(index.read_text()) | {"_class_name": [Path(CODE).stem, type(self).__name__]}
        index.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        Path(save_directory, CODE).write_text(POINTER)

    @classmethod
    def load_config(cls, *args: Any, **kwargs: Any) -> Any:
        """As diffusers does; who calls `SpectrogramPipeline.from_pretrained` has imported it: no code is run."""
        config = super().load_config(*args, **kwargs)
        config["_class_name"] = cls.__name__
        return config


def _numbers(count: int, generator: torch.Generator | list[torch.Generator] | None) -> list[int]:
    """A number for each sample, so that it has the same fresh noise in any batch if it has its own generator."""
    most = 2**62
    if isinstance(generator, list):
        return [int(torch.randint(most, (1,), generator=g, device=g.device)) for g in generator]
    device = generator.device if generator is not None else torch.device("cpu")
    drawn: list[int] = torch.randint(most, (count,), generator=generator, device=device).tolist()
    return drawn
