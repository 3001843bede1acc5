"""The consistency model of a track: saved, rebuilt from its file, sampled."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor

from echoes import params, weights
from echoes.choices import rules, sampling
from echoes.diffusion.denoiser import Denoise, Denoiser
from echoes.diffusion.schedules import SigmaRange
from echoes.distillation.consistency import ConsistencyModel
from echoes.distillation.samplers import consistency
from echoes.errors import InputError
from echoes.models import denoisers
from echoes.models.denoisers import LdmArchitecture
from echoes.models.radar.readout import Readout
from echoes.models.sampler import UNGUIDED, FreshNoise, Sampler, Steps, regressing
from echoes.provenance import Header

Kind = Literal["consistency", "trajectory", "ensemble"]


@dataclass(frozen=True)
class CdArchitecture:
    """What samples of a consistency model need beside its weights.

    denoiser  the architecture of its teacher, which is its own.
    student   consistency; trajectory: its network has two times; ensemble: it knows the highest noise level alone.
    sigmas    noise levels that it was distilled across.
    seed      of the noise of its samples.
    """

    denoiser: LdmArchitecture
    student: Kind
    sigmas: SigmaRange
    seed: int

    @property
    def has_second_call(self) -> bool:
        return self.student != "ensemble"


def steps(sigmas: SigmaRange, between: Sequence[float]) -> Steps:
    """A consistency model in one call, and one more from each noise level in `between`, with fresh noise.

    sigmas  noise levels that it was distilled across.
    """

    def sample(denoise: Denoise, noise: Tensor, fresh: FreshNoise) -> Tensor:
        return consistency(denoise, noise, sigmas.high, sigmas.low, between, lambda k: fresh(f"renoise-{k}"))

    return sample


def between(header: Header, of: CdArchitecture, calls: int) -> list[float]:
    """The noise levels from which the calls after the first start, as validation has settled them.

    Raises InputError for several calls of a student that knows the highest level alone.
    """
    if calls > 1 and not of.has_second_call:
        raise InputError(f"{header.kind}: expected one call of a student of kind {of.student}, got {calls}")
    return [calibrated(header, "second_sigma")] * (calls - 1)


def mean(once: Sampler, student: ConsistencyModel, sigmas: SigmaRange) -> Sampler:
    """The posterior mean by one call of a student with two times, at the highest of the noise levels `sigmas` that it
    was distilled across. once: how it is sampled.
    """
    return replace(once, model=student.denoiser, steps=regressing(sigmas.high), guidance=UNGUIDED)


class Seeded(Protocol):
    @property
    def seed(self) -> int: ...


class OfKind(Protocol):
    @property
    def kind(self) -> Kind: ...


class Section(Protocol):
    """The section `<track>.cd`, a dataclass, of which the kind, the noise levels and the seed are read again."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def sigmas(self) -> SigmaRange: ...
    @property
    def student(self) -> OfKind: ...
    @property
    def schedule(self) -> Seeded: ...


def save_cd(model: ConsistencyModel, p: Section, teacher: Header, chosen: Mapping[str, Any], path: Path) -> None:
    """chosen: what was settled on validation, such as `second_sigma`, the noise level where a second step starts."""
    of = CdArchitecture(denoisers.architecture(teacher, path), p.student.kind, p.sigmas, p.schedule.seed)
    parents = {**teacher.parents, "ldm": teacher.identity}
    built = rules.settled(asdict(of), rules.under("sigmas", sampling.SIGMAS), sampling.STANDS)
    header = Header("cd", rules.in_force(p), parents, {**teacher.content, **chosen}, built)
    weights.save(model.denoiser.state_dict(), header, path)


def build(latents: Header, of: CdArchitecture) -> Denoiser:
    """The denoiser in a consistency model, for the latents that a header tells of."""
    denoiser = denoisers.build(latents, of.denoiser)
    return denoisers.with_two_times(denoiser) if of.student == "trajectory" else denoiser


def load_cd(path: Path, device: torch.device) -> tuple[ConsistencyModel, CdArchitecture, Header]:
    """The averaged consistency model for inference, what its samples need, and its header."""
    tensors, header = weights.load(path, "cd")
    of = architecture(header, path)
    denoiser = weights.rebuilt(lambda: build(header, of), tensors, path)
    return ConsistencyModel(denoiser, of.sigmas.low).to(device).eval().requires_grad_(False), of, header


def architecture(header: Header, path: Path) -> CdArchitecture:
    """What the header of the file `path`, a cd, tells of it."""
    of: CdArchitecture = params.build(CdArchitecture, header.architecture, f"{path}: architecture")
    return of


def readout(header: Header) -> Readout:
    """How the clouds of a track are read out, which travels with its cd; raises InputError where it does not."""
    found: Readout = params.build(Readout, header.content.get("readout"), f"{header.kind}: readout")
    return found


def calibrated(header: Header, name: str) -> float:
    """A number settled on validation that travels with a cd, such as `second_sigma`; raises InputError for none."""
    found: float = params.build(float, header.content.get(name), f"{header.kind}: {name}")
    if not found > 0:
        raise InputError(f"{header.kind}: {name}: expected more than 0, got {found}")
    return found
