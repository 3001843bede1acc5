"""A trained micro-Doppler track as one function: labels -> spectrograms."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from echoes import latentstore, params
from echoes.dataset.facts import SpectrogramFacts
from echoes.diffusion.denoiser import Model
from echoes.diffusion.guidance import Guidance
from echoes.diffusion.samplers import SolverConfig, solve
from echoes.errors import InputError
from echoes.models import autoencoders, denoisers, students
from echoes.models.sampler import UNGUIDED, Decoder, Sampler, Steps, solving
from echoes.models.trained import SampleParams, require_files
from echoes.provenance import Header, require_parent
from echoes.reports.spectrograms import View

Labels = tuple[str, ...]  # one value per kind
Method = Literal["ldm", "cd_1", "cd_2"]


class SpectrogramGenerator:
    """The denoiser or the consistency model of a track with its decoder; labels and axes are in their headers."""

    def __init__(self, data: Path, method: Method, p: SampleParams, seed: int, place: torch.device) -> None:
        """Raises InputError where the track is not trained, is of another family, or its models do not match."""
        vae_path = data / "vae.safetensors"
        path = data / ("ldm.safetensors" if method == "ldm" else "cd.safetensors")
        require_files(vae_path, path)
        vae, vae_header = autoencoders.load(vae_path, place)
        if "labels" not in vae_header.content:
            raise InputError(f"{vae_path}: expected a track of labelled spectrograms, got one of radar clouds")
        model, steps, guidance, header = _load(path, method, p, place)
        require_parent(path, header, vae_path, vae_header)
        told: SpectrogramFacts = params.build_known(SpectrogramFacts, header.content, f"{path}: header")
        decoder = Decoder(vae, denoisers.whitening(header))
        self._sampler = Sampler(model, steps, guidance, decoder, latentstore.shape(header), seed)
        self.kinds, self._names, self._combinations = told.kinds, told.labels, told.combinations
        self.view = View(*told.axes, (told.scaling.floor_db, told.scaling.ceiling_db))

    def known(self, wanted: Mapping[str, str]) -> list[Labels]:
        """The trained combinations of labels that agree with `wanted`, which may leave kinds out.

        Raises InputError, listing the known ones, for a kind or a label that was never trained.
        """
        for kind, value in wanted.items():
            if kind not in self.kinds:
                raise InputError(f"--{kind}: expected labels of this track ({', '.join(self.kinds)}), got {value!r}")
            if value not in self._names[kind]:
                raise InputError(f"--{kind}: expected one of {', '.join(self._names[kind])}, got {value!r}")
        places = {self.kinds.index(kind): value for kind, value in wanted.items()}
        found = [labels for labels in self._combinations if all(labels[i] == v for i, v in places.items())]
        if not found:
            asked, all_known = " ".join(wanted.values()), ", ".join(" ".join(known) for known in self._combinations)
            raise InputError(f"--{' --'.join(wanted)}: expected one of {all_known}, got {asked}, never seen together")
        return found

    def spectrograms(self, labels: Labels, count: int, batch: int) -> np.ndarray:
        """(count, C, F, T) float32 in network range; sample i is the same for every count and batch."""
        row = [self._names[kind].index(value) for kind, value in zip(self.kinds, labels, strict=True)]
        made = []
        for start in range(0, count, batch):
            numbers = list(range(start, min(start + batch, count)))
            cond = torch.tensor([row] * len(numbers), device=self._sampler.device)
            noise = self._sampler.noise(numbers, "-".join(("generate", *labels)))
            # In single precision: rounding to bfloat16 would show in which batch a sample was.
            with torch.no_grad():
                latents = self._sampler.latents(cond, noise, numbers)
                made.append(self._sampler.decoder(latents).clamp(-1, 1).cpu().numpy())
        return np.concatenate(made)

    def physical(self, spectrograms: np.ndarray) -> np.ndarray:
        """Network range -> dB; pictures in colour -> 0..1."""
        shares = (spectrograms + 1) / 2
        floor_db, ceiling_db = self.view.range_db
        return shares if spectrograms.shape[1] == 3 else floor_db + shares * (ceiling_db - floor_db)


def _load(path: Path, method: Method, p: SampleParams, place: torch.device) -> tuple[Model, Steps, Guidance, Header]:
    if method == "ldm":
        denoiser, header = denoisers.load_ldm(path, place)
        steps = solving(denoiser, partial(solve, SolverConfig(p.solver, p.dopri5)), p.sigmas)
        return denoiser, steps, p.guidance, header
    model, of, header = students.load_cd(path, place)
    between = [students.chosen(header, "middle")] if method == "cd_2" else []
    return model, students.steps(of.sigmas, between), UNGUIDED, header
