"""The denoiser of a track: built from params, saved, rebuilt from its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from echoes import latentstore, params, weights
from echoes.autoencoder.latents import Whitening
from echoes.dataset.facts import LabelNames
from echoes.diffusion import ddpm, edm, flow
from echoes.diffusion.denoiser import Denoiser, Parameterization
from echoes.errors import InputError
from echoes.models.radar import regressor
from echoes.models.radar.regressor import BirdseyeRegression, NoRegression
from echoes.nets.conditions import FieldConditioner, LabelConditioner
from echoes.nets.dit import DiT, DiTConfig
from echoes.nets.layers import conv
from echoes.nets.radar_encoder import RadarEncoder
from echoes.nets.unet import UNet, UNetConfig
from echoes.provenance import Header
from echoes.rasters.cells import RADAR_CHANNELS
from echoes.training.schedule import StageSchedule, check_share


@dataclass(frozen=True)
class RadarCondition:
    """The radar as features on the latent grid.

    by        `encoder`: by an encoder of its own, of `width` with `blocks` residual blocks; `vae`: through the
              autoencoder.
    features  channels that the network sees.
    """

    by: Literal["encoder", "vae"]
    width: int
    blocks: int
    features: int

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
class LdmParams(StageSchedule):
    """The section `<track>.ldm`.

    parameterization  how a network becomes a denoiser, with a section of each one's numbers.
    network           `unet` or `dit`, likewise.
    regression        from the radar straight to the target's cells, trained beside the denoiser.
    drop              share of each part of the condition dropped in training, for the unconditional model.
    """

    parameterization: Literal["edm", "flow", "ddpm"]
    edm: edm.EdmConfig
    flow: flow.FlowConfig
    ddpm: ddpm.DdpmConfig
    network: Literal["unet", "dit"]
    unet: UNetConfig
    dit: DiTConfig
    condition: RadarCondition | LabelCondition
    regression: BirdseyeRegression | NoRegression
    drop: float
    mirror: bool
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.drop <= 1:
            raise InputError(f"drop: expected 0 to 1, got {self.drop}")
        check_share("ema", self.ema)


def build(latents: Header, p: LdmParams) -> Denoiser:
    """A denoiser for the latents that a header (of latents, ldm or cd) tells of.

    Raises InputError for a condition that these latents do not have, and for sizes that a network cannot take.
    """
    channels, *sizes = latentstore.shape(latents)
    rank = len(sizes)
    chosen = p.unet if p.network == "unet" else p.dit
    chosen.require_sizes(tuple(sizes), f"ldm.{p.network}")
    fields = p.condition.features if isinstance(p.condition, RadarCondition) else 0
    vector = 0 if isinstance(p.condition, RadarCondition) else p.condition.features
    network: nn.Module
    if p.network == "unet":
        network = UNet(rank, channels + fields, channels, p.unet, vector)
    else:
        network = DiT(rank, channels + fields, channels, p.dit, vector)
    conditioner = _conditioner(latents, p.condition, rank, channels)
    return Denoiser(network, _parameterization(p), conditioner, _regression(latents, p))


def _regression(latents: Header, p: LdmParams) -> nn.Module | None:
    if isinstance(p.regression, NoRegression):
        return None
    if isinstance(p.condition, LabelCondition):
        raise InputError(f"ldm.regression.kind: expected none, where labels are the condition, got {p.regression.kind}")
    factor = _compression(latents)
    return regressor.build(p.regression, tuple(size * factor for size in latentstore.shape(latents)[1:]))


def _compression(latents: Header) -> int:
    """Cells along each axis that share one latent."""
    factor: int = params.build(int, latents.content.get("compression"), f"{latents.kind}: compression")
    return factor


def _parameterization(p: LdmParams) -> Parameterization:
    match p.parameterization:
        case "edm":
            return edm.Edm(p.edm)
        case "flow":
            return flow.Flow(p.flow)
    return ddpm.Ddpm(p.ddpm)


def _conditioner(
    latents: Header, condition: RadarCondition | LabelCondition, rank: int, channels: int
) -> FieldConditioner | LabelConditioner:
    known = "labels" if "labels" in latents.content else "encoder or vae"
    if condition.by not in known:
        raise InputError(f"ldm.condition.by: expected {known}, as these recordings have, got {condition.by}")
    if isinstance(condition, LabelCondition):
        told: LabelNames = params.build_known(LabelNames, latents.content, latents.kind)
        return LabelConditioner(tuple(len(told.labels[kind]) for kind in told.kinds), condition.features)
    encoder: nn.Module
    if condition.by == "encoder":
        inputs = len(RADAR_CHANNELS)
        encoder = RadarEncoder(
            rank, inputs, condition.width, condition.blocks, condition.features, _compression(latents)
        )
    else:
        encoder = conv(rank, channels, condition.features)
    return FieldConditioner(encoder, condition.features)


def save_ldm(denoiser: Denoiser, p: LdmParams, latents: Header, parents: Mapping[str, str], path: Path) -> None:
    """parents: kind -> identity of all that the weights were made from, beside what the latents were made from."""
    weights.save(denoiser.state_dict(), Header("ldm", asdict(p), {**latents.parents, **parents}, latents.content), path)


def load_ldm(path: Path, device: torch.device) -> tuple[Denoiser, Header]:
    """The averaged denoiser for inference, and its header."""
    tensors, header = weights.load(path, "ldm")
    p = ldm_params(header, path)
    denoiser = weights.rebuilt(lambda: build(header, p), tensors, path)
    return denoiser.to(device).eval().requires_grad_(False), header


def ldm_params(header: Header, path: Path) -> LdmParams:
    """The params of the denoiser that an ldm holds, or that a cd was distilled from."""
    stored = header.params if header.kind == "ldm" else header.content.get("ldm_params")
    p: LdmParams = params.build(LdmParams, stored, f"{path}: params of the ldm")
    return p


def whitening(header: Header) -> Whitening:
    """The whitening statistics that travel with latents, ldm and cd; raises InputError where they fit no latents."""
    stored: Whitening = params.build(Whitening, header.content.get("whitening"), f"{header.kind}: whitening")
    channels = latentstore.shape(header)[0]
    if len(stored.mean) != channels:
        raise InputError(f"{header.kind}: whitening: expected {channels} channels, got {len(stored.mean)}")
    return stored
