"""The denoiser of a track: built from params, saved, rebuilt from its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import nn

from echoes import latentstore, params, weights
from echoes.autoencoder.latents import Whitening
from echoes.choices.denoiser import ARCHITECTURE, STANDS
from echoes.choices.rules import in_force, settled
from echoes.dataset.metadata import LabelNames
from echoes.diffusion import ddpm, edm, flow
from echoes.diffusion.denoiser import Denoiser, Parameterization
from echoes.errors import InputError
from echoes.models.radar import regressor
from echoes.models.radar.regressor import BirdseyeRegression, NoRegression
from echoes.nets.conditions import FieldConditioner, LabelConditioner, NoConditioner
from echoes.nets.dit import DiT, DiTConfig
from echoes.nets.layers import Factor, along, conv
from echoes.nets.radar_encoder import RadarEncoder
from echoes.nets.stem import StemConfig
from echoes.nets.unet import UNet
from echoes.nets.unet_config import UNetConfig
from echoes.provenance import Header
from echoes.tasks import Task


@dataclass(frozen=True)
class CloudCondition:
    """The cloud that goes in as features on the latent grid.

    by        `encoder`: by an encoder of its own, of `width` with `blocks` residual blocks; `vae`: through the
              autoencoder.
    features  channels that the network sees.
    stem      of the encoder of its own.
    """

    by: Literal["encoder", "vae"]
    width: int
    blocks: int
    features: int
    stem: StemConfig

    def __post_init__(self) -> None:
        params.require_counts(width=self.width, features=self.features)
        if self.blocks < 0:
            raise InputError(f"blocks: expected 0 or more, got {self.blocks}")


@dataclass(frozen=True)
class LabelCondition:
    """Labels, such as user and activity, embedded and summed into `features` numbers."""

    by: Literal["labels"]
    features: int

    def __post_init__(self) -> None:
        params.require_counts(features=self.features)


@dataclass(frozen=True)
class NoCondition:
    """Nothing: samples are of all that was trained on."""

    by: Literal["none"]


@dataclass(frozen=True)
class LdmArchitecture:
    """The section `<track>.ldm.architecture`.

    parameterization  how a network becomes a denoiser: edm, flow, or ddpm, with a section of each one's numbers.
    network           unet or dit, likewise.
    regression        from what goes in straight to the target's cells, beside the denoiser.
    """

    parameterization: Literal["edm", "flow", "ddpm"]
    edm: edm.EdmConfig
    ddpm: ddpm.DdpmConfig
    network: Literal["unet", "dit"]
    unet: UNetConfig
    dit: DiTConfig
    condition: CloudCondition | LabelCondition | NoCondition
    regression: BirdseyeRegression | NoRegression


def build(latents: Header, p: LdmArchitecture) -> Denoiser:
    """A denoiser for the latents that a header (of latents, ldm or cd) tells of.

    Raises InputError for a condition that these latents do not have, and for sizes that a network cannot take.
    """
    channels, *sizes = latentstore.shape(latents)
    rank = len(sizes)
    shape, key = tuple(sizes), f"ldm.architecture.{p.network}"
    fields = p.condition.features if isinstance(p.condition, CloudCondition) else 0
    vector = p.condition.features if isinstance(p.condition, LabelCondition) else 0
    network: nn.Module
    if p.network == "unet":
        network = UNet(rank, channels + fields, channels, p.unet.written_out(shape, key), vector)
    else:
        p.dit.require_sizes(shape, key)
        network = DiT(rank, channels + fields, channels, p.dit, vector)
    conditioner = _conditioner(latents, p.condition, rank, channels)
    return Denoiser(network, _parameterization(p), conditioner, _regression(latents, p))


def with_two_times(denoiser: Denoiser) -> Denoiser:
    """The same denoiser, whose network listens from now on to the noise level that it is to go to."""
    assert isinstance(denoiser.network, UNet | DiT), "what `build` builds"
    denoiser.network.hear_ratio()
    return denoiser


def _regression(latents: Header, p: LdmArchitecture) -> nn.Module | None:
    if isinstance(p.regression, NoRegression):
        return None
    if "labels" in latents.content:
        raise InputError(
            f"ldm.architecture.regression.kind: expected none, as no cloud goes in, got {p.regression.kind}"
        )
    sizes = zip(latentstore.shape(latents)[1:], _compression(latents), strict=True)
    return regressor.build(p.regression, task(latents), tuple(size * factor for size, factor in sizes))


def _compression(latents: Header) -> tuple[int, ...]:
    """Cells along each axis that share one latent; raises InputError where these are other axes than the latents'."""
    told: Factor = params.build(Factor, latents.content.get("compression"), f"{latents.kind}: compression")
    rank = len(latentstore.shape(latents)) - 1
    if len(factors := along(told, rank)) != rank:
        raise InputError(f"{latents.kind}: compression: expected {rank} axes, got {len(factors)}")
    return factors


def _parameterization(p: LdmArchitecture) -> Parameterization:
    match p.parameterization:
        case "edm":
            return edm.Edm(p.edm)
        case "flow":
            return flow.Flow()
    return ddpm.Ddpm(p.ddpm)


def _conditioner(
    latents: Header, condition: CloudCondition | LabelCondition | NoCondition, rank: int, channels: int
) -> FieldConditioner | LabelConditioner | NoConditioner:
    if isinstance(condition, NoCondition):
        return NoConditioner()
    known = "labels" if "labels" in latents.content else "encoder or vae"
    if condition.by not in known:
        raise InputError(
            f"ldm.architecture.condition.by: expected {known}, as these recordings have, got {condition.by}"
        )
    if isinstance(condition, LabelCondition):
        told: LabelNames = params.build_subset(LabelNames, latents.content, latents.kind)
        return LabelConditioner(tuple(len(told.labels[kind]) for kind in told.kinds), condition.features)
    encoder: nn.Module
    if condition.by == "encoder":
        inputs, factor = len(task(latents).input), _compression(latents)
        sizes = condition.width, condition.blocks, condition.features, factor
        encoder = RadarEncoder(rank, inputs, *sizes, condition.stem)
    else:
        encoder = conv(rank, channels, condition.features)
    return FieldConditioner(encoder, condition.features)


def task(header: Header) -> Task:
    """What goes in and what is to come out of a track of clouds, as latents, ldm and cd tell it."""
    told: Task = params.build(Task, header.content.get("task"), f"{header.kind}: task")
    return told


class Section(Protocol):
    """The section `<track>.ldm`, a dataclass, of which only the architecture is read again."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def architecture(self) -> LdmArchitecture: ...


def save_ldm(denoiser: Denoiser, p: Section, latents: Header, parents: Mapping[str, str], path: Path) -> None:
    """parents: kind -> identity of all that the weights were made from, beside what the latents were made from."""
    built = settled(asdict(p.architecture), ARCHITECTURE, STANDS)
    header = Header("ldm", in_force(p), {**latents.parents, **parents}, latents.content, built)
    weights.save(denoiser.state_dict(), header, path)


def load_ldm(path: Path, device: torch.device) -> tuple[Denoiser, Header]:
    """The averaged denoiser for inference, and its header."""
    tensors, header = weights.load(path, "ldm")
    p = architecture(header, path)
    denoiser = weights.rebuilt(lambda: build(header, p), tensors, path)
    return denoiser.to(device).eval().requires_grad_(False), header


def architecture(header: Header, path: Path) -> LdmArchitecture:
    """That of the denoiser in the file `path`, an ldm."""
    p: LdmArchitecture = params.build(LdmArchitecture, header.architecture, f"{path}: architecture")
    return p


def whitening(header: Header) -> Whitening:
    """The whitening statistics that travel with latents, ldm and cd; raises InputError where they fit no latents."""
    stored: Whitening = params.build(Whitening, header.content.get("whitening"), f"{header.kind}: whitening")
    channels = latentstore.shape(header)[0]
    if len(stored.mean) != channels:
        raise InputError(f"{header.kind}: whitening: expected {channels} channels, got {len(stored.mean)}")
    return stored
