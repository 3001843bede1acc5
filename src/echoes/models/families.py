"""What a family of tracks has of its own: a module for each role, which is found by the family's name.

A family is a package with a module of the name of each role below, which fulfils the protocol of that role: stages name
no family, and load of it what they need. Another family is a package and a line in FAMILIES, and a class of its data in
dataset/catalog.py.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from echoes.autoencoder.architecture import Autoencoder
    from echoes.autoencoder.fitting import Task, VaeParams
    from echoes.diffusion.schedules import SigmaRange
    from echoes.distillation.consistency import ConsistencyModel
    from echoes.latentstore import LatentStore
    from echoes.models.conditions import Conditions
    from echoes.models.extraction import Encode
    from echoes.models.mapping import FrameMap
    from echoes.models.sampler import Sampler

# Family, as grids.zarr tells it -> its package.
FAMILIES = {"radar": "echoes.models.radar", "microdoppler": "echoes.models.microdoppler"}
# Stage -> the roles that it loads.
ROLES = {
    "train_vae": ("autoencoding", "reconstruction", "pictures"),
    "extract_latents": ("encoding",),
    "train_ldm": ("conditioning", "previews"),
    "distill_cd": ("conditioning", "previews", "validation"),
    "sample": ("conditioning", "sampling"),
    "evaluate": ("evaluation",),
}


class Autoencoding(Protocol):
    """How the autoencoder is trained."""

    def task(self, vae: "Autoencoder", data: Any, p: "VaeParams", device: "torch.device", /) -> "Task": ...


class Reconstruction(Protocol):
    """How well an autoencoder repeats what it is given: numbers of a split, and the one that is to be least."""

    def scores(self, vae: "Autoencoder", data: Any, split: str, /) -> dict[str, float]: ...
    def error(self, vae: "Autoencoder", data: Any, /) -> float: ...


class Pictures(Protocol):
    """A PNG of what an autoencoder repeats."""

    def reconstructed(self, data: Any, vae: "Autoencoder", path: Path, /) -> None: ...


class Encoding(Protocol):
    """frames (B,) -> the arrays of the latent store: `latents`, `std`, and what else is encoded of them."""

    def encoded(self, encode: "Encode", data: Any, frames: "np.ndarray", /) -> "dict[str, np.ndarray]": ...


class Conditioning(Protocol):
    """What conditions the frames of a track. by: as in the section `<track>.ldm.architecture.condition`."""

    def conditions(self, data: Any, store: "LatentStore", by: str, /) -> "Conditions": ...


class Previews(Protocol):
    """A PNG of samples beside the truth."""

    def sampled(self, sampler: "Sampler", data: Any, conditions: "Conditions", path: Path, /) -> None: ...


class Validation(Protocol):
    """What is settled on the validation split and travels with a consistency model, and its error there."""

    def error(self, once: "Sampler", data: Any, conditions: "Conditions", /) -> float: ...
    def calibrate(
        self,
        student: "ConsistencyModel",
        distilled: "SigmaRange",
        once: "Sampler",
        data: Any,
        conditions: "Conditions",
        /,
    ) -> Mapping[str, Any]: ...


class Evaluation(Protocol):
    """The report of evaluate.json, and figures in a folder. Section: the dataclass of `<track>.evaluate`.

    frame_map  how frames are gone through, where it goes through frames.
    """

    @property
    def Section(self) -> type: ...  # noqa: N802 (a class)
    def evaluate(
        self,
        data: Any,
        samples: Path,
        timings: Mapping[str, Mapping[str, float]],
        p: Any,
        folder: Path,
        frame_map: "FrameMap",
        /,
    ) -> dict[str, Any]: ...


def autoencoding(family: str) -> Autoencoding:
    return _module(family, "autoencoding")


def reconstruction(family: str) -> Reconstruction:
    return _module(family, "reconstruction")


def pictures(family: str) -> Pictures:
    return _module(family, "pictures")


def encoding(family: str) -> Encoding:
    return _module(family, "encoding")


def conditioning(family: str) -> Conditioning:
    return _module(family, "conditioning")


def previews(family: str) -> Previews:
    return _module(family, "previews")


def validation(family: str) -> Validation:
    return _module(family, "validation")


def sampling(family: str) -> Any:
    """A module with a class `Sampling`: (trained, data, params, frame_map) -> what writes samples and tells timings."""
    return _module(family, "sampling")


def evaluation(family: str) -> Evaluation:
    return _module(family, "evaluation")


def modules(stage: str, family: str) -> list[str]:
    """The names of the modules that a stage loads of a family."""
    return [f"{FAMILIES[family]}.{role}" for role in ROLES[stage]]


def _module(family: str, role: str) -> Any:
    return import_module(f"{FAMILIES[family]}.{role}")


if TYPE_CHECKING:  # the modules of each family, held to the protocols
    from echoes.models.microdoppler import autoencoding as autoencoding_2d
    from echoes.models.microdoppler import conditioning as conditioning_2d
    from echoes.models.microdoppler import encoding as encoding_2d
    from echoes.models.microdoppler import evaluation as evaluation_2d
    from echoes.models.microdoppler import pictures as pictures_2d
    from echoes.models.microdoppler import previews as previews_2d
    from echoes.models.microdoppler import reconstruction as reconstruction_2d
    from echoes.models.microdoppler import validation as validation_2d
    from echoes.models.radar import autoencoding as autoencoding_3d
    from echoes.models.radar import conditioning as conditioning_3d
    from echoes.models.radar import encoding as encoding_3d
    from echoes.models.radar import evaluation as evaluation_3d
    from echoes.models.radar import pictures as pictures_3d
    from echoes.models.radar import previews as previews_3d
    from echoes.models.radar import reconstruction as reconstruction_3d
    from echoes.models.radar import validation as validation_3d

    _AUTOENCODING: tuple[Autoencoding, ...] = (autoencoding_2d, autoencoding_3d)
    _CONDITIONING: tuple[Conditioning, ...] = (conditioning_2d, conditioning_3d)
    _ENCODING: tuple[Encoding, ...] = (encoding_2d, encoding_3d)
    _EVALUATION: tuple[Evaluation, ...] = (evaluation_2d, evaluation_3d)
    _PICTURES: tuple[Pictures, ...] = (pictures_2d, pictures_3d)
    _PREVIEWS: tuple[Previews, ...] = (previews_2d, previews_3d)
    _RECONSTRUCTION: tuple[Reconstruction, ...] = (reconstruction_2d, reconstruction_3d)
    _VALIDATION: tuple[Validation, ...] = (validation_2d, validation_3d)
