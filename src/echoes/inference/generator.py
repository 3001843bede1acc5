"""A trained micro-Doppler track as one function: labels -> spectrograms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from echoes import latentstore, params
from echoes.autoencoder.architecture import Autoencoder
from echoes.compute.device import best_device
from echoes.dataset import spectrograms as dataset
from echoes.dataset.metadata import SpectrogramMetadata
from echoes.errors import InputError
from echoes.grids import Axis
from echoes.models import autoencoders, denoisers, students
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.models.trained import SampleParams, require_files
from echoes.provenance import Header, require_parent
from echoes.rasters import stft
from echoes.rasters.stft import Stft

Labels = tuple[str, ...]  # one value per kind


@dataclass(frozen=True)
class SpectrogramGenerator:
    """The denoiser or the consistency model of a track with its decoder; labels and axes are in their headers.

    sampler         labels as numbers -> spectrograms in network range.
    kinds           of labels, such as user and activity, in their order; names: of each kind, in theirs.
    combinations    of labels that were trained.
    velocity, time  axes (F, T); range_db: the powers that are -1 and 1 in network range.
    stft            how complex spectrograms were made; None for others.
    identity        of the denoiser or the consistency model.
    """

    sampler: Sampler
    kinds: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    combinations: tuple[Labels, ...]
    velocity: Axis
    time: Axis
    range_db: tuple[float, float]
    stft: Stft | None
    identity: str

    @classmethod
    def load(
        cls, folder: str | Path, *, steps: int = 1, seed: int = 0, device: torch.device | None = None
    ) -> "SpectrogramGenerator":
        """The consistency model of a trained track, from a folder such as `data/microdoppler`.

        steps   network calls for a spectrogram, 1 or 2; device: None for a GPU where there is one.

        Raises InputError where the track is not trained, is of another family, or its models do not match.
        """
        path, device = Path(folder, "cd.safetensors"), best_device() if device is None else device
        vae, vae_header = _autoencoder(path, device)
        model, of, header = students.load_cd(path, device)
        between = students.between(header, of, steps)
        decoder = _decoder(vae, vae_header, header, path)
        sampler = Sampler(model, students.steps(of.sigmas, between), UNGUIDED, decoder, latentstore.shape(header), seed)
        return cls.of(sampler, header, path)

    @classmethod
    def by_solver(
        cls, folder: str | Path, p: SampleParams, *, seed: int = 0, device: torch.device | None = None
    ) -> "SpectrogramGenerator":
        """The denoiser of a trained track and a solver, which take longer; p: the section `<track>.sample`."""
        path, device = Path(folder, "ldm.safetensors"), best_device() if device is None else device
        vae, vae_header = _autoencoder(path, device)
        denoiser, header = denoisers.load_ldm(path, device)
        decoder = _decoder(vae, vae_header, header, path)
        sampler = Sampler(denoiser, p.steps(denoiser), p.guidance, decoder, latentstore.shape(header), seed)
        return cls.of(sampler, header, path)

    @classmethod
    def of(cls, sampler: Sampler, header: Header, path: Path) -> "SpectrogramGenerator":
        """A sampler with the labels and the axes that the header of its model tells of."""
        told: SpectrogramMetadata = params.build_subset(SpectrogramMetadata, header.content, f"{path}: header")
        range_db = (told.scaling.floor_db, told.scaling.ceiling_db)
        made_by = dataset.stft(header.content, told, f"{path}: header")
        return cls(sampler, told.kinds, told.labels, told.combinations, *told.axes, range_db, made_by, header.identity)

    def known(self, wanted: Mapping[str, str]) -> list[Labels]:
        """The trained combinations of labels that agree with `wanted`, which may leave kinds out.

        Raises InputError, listing the known ones, for a kind or a label that was never trained.
        """
        for kind, value in wanted.items():
            if kind not in self.kinds:
                raise InputError(f"--{kind}: expected labels of this track ({', '.join(self.kinds)}), got {value!r}")
            if value not in self.names[kind]:
                raise InputError(f"--{kind}: expected one of {', '.join(self.names[kind])}, got {value!r}")
        places = {self.kinds.index(kind): value for kind, value in wanted.items()}
        found = [labels for labels in self.combinations if all(labels[i] == v for i, v in places.items())]
        if not found:
            asked, all_known = " ".join(wanted.values()), ", ".join(" ".join(known) for known in self.combinations)
            raise InputError(f"--{' --'.join(wanted)}: expected one of {all_known}, got {asked}, never seen together")
        return found

    def spectrograms(self, labels: Labels, count: int, batch: int = 32) -> np.ndarray:
        """(count, C, F, T) float32 in network range; sample i is the same for every count and batch.

        labels  a name of each kind, in their order. Raises InputError for labels that were never trained together.
        """
        starts = range(0, count, batch)
        return np.concatenate([self.samples(labels, range(start, min(start + batch, count))) for start in starts])

    def samples(self, labels: Labels, sample_ids: Sequence[int]) -> np.ndarray:
        """(B, C, F, T) float32 in network range: those of `spectrograms` that have these numbers, in one batch."""
        if labels not in self.combinations:
            every = ", ".join(" ".join(known) for known in self.combinations)
            raise InputError(f"labels: expected one of {every}, got {labels}")
        row = [self.names[kind].index(value) for kind, value in zip(self.kinds, labels, strict=True)]
        cond = torch.tensor([row] * len(sample_ids), device=self.sampler.device)
        noise = self.sampler.noise(sample_ids, "-".join(("generate", *labels)))
        # In single precision: rounding to bfloat16 would show in which batch a sample was.
        with torch.no_grad():
            latents = self.sampler.latents(cond, noise, sample_ids)
            made: np.ndarray = self.sampler.decoder(latents).clamp(-1, 1).cpu().numpy()
        return made

    def powers(self, spectrograms: np.ndarray) -> np.ndarray:
        """Network range -> that of powers (N, 1, F, T) for complex spectrograms; others as they are."""
        if self.stft is None:
            return spectrograms
        return stft.powers(spectrograms, self.stft.compression, *self.range_db)

    def physical(self, spectrograms: np.ndarray) -> np.ndarray:
        """Network range -> dB; pictures in colour -> 0..1."""
        shares = (self.powers(spectrograms) + 1) / 2
        floor_db, ceiling_db = self.range_db
        return shares if spectrograms.shape[1] == 3 else floor_db + shares * (ceiling_db - floor_db)


def _autoencoder(path: Path, device: torch.device) -> tuple[Autoencoder, Header]:
    """That of the same track as the model at `path`."""
    vae_path = path.with_name("vae.safetensors")
    require_files(vae_path, path)
    vae, header = autoencoders.load(vae_path, device)
    if "labels" not in header.content:
        got = "one of radar clouds, which are made of a recording"
        raise InputError(f"{vae_path}: expected a track of labelled spectrograms, got {got}")
    return vae, header


def _decoder(vae: Autoencoder, vae_header: Header, header: Header, path: Path) -> Decoder:
    """Raises InputError where the model at `path` was not made from this autoencoder."""
    require_parent(path, header, path.with_name("vae.safetensors"), vae_header)
    return Decoder(vae, denoisers.whitening(header))
