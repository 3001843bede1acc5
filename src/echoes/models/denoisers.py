"""The denoiser of a track and its consistency model: built from params, saved, rebuilt from files."""

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from echoes import params, weights
from echoes.autoencoder.latents import Whitening
from echoes.diffusion.edm import Denoiser, NoiseLevels
from echoes.diffusion.samplers import SigmaRange
from echoes.distillation.consistency import ConsistencyModel
from echoes.errors import InputError
from echoes.grids import COMPRESSION
from echoes.nets.layers import conv
from echoes.nets.radar_encoder import RadarEncoder
from echoes.nets.unet import UNet, UNetConfig
from echoes.provenance import Header
from echoes.training.loop import Schedule, check_share


@dataclass(frozen=True)
class EncoderConfig:
    """width and residual blocks of the radar's encoder, and the features it hands to the denoiser."""

    width: int
    blocks: int
    features: int


@dataclass(frozen=True)
class LdmParams(Schedule):
    """The section `<track>.ldm`.

    condition  `encoder`: the radar's own encoder; `vae`: the radar through the autoencoder.
    drop       share of the conditions dropped in training, for the unconditional model.
    """

    sigma_data: float
    noise: NoiseLevels
    network: UNetConfig
    condition: Literal["encoder", "vae"]
    encoder: EncoderConfig
    drop: float
    mirror: bool
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.drop <= 1:
            raise InputError(f"drop: expected 0 to 1, got {self.drop}")
        check_share("ema", self.ema)
        if self.sigma_data <= 0:
            raise InputError(f"sigma_data: expected more than 0, got {self.sigma_data}")


@dataclass(frozen=True)
class CdParams(Schedule):
    """The section `<track>.cd`.

    sigmas       noise levels whose neighbours are distilled across.
    target_ema   decay of the target network; ema: of the weights that are kept.
    """

    sigmas: SigmaRange
    mirror: bool
    target_ema: float
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("target_ema", self.target_ema)
        check_share("ema", self.ema)


def build(p: LdmParams, rank: int, latent_channels: int, radar_channels: int) -> Denoiser:
    """A denoiser of whitened latents (B, Z, *S / 4) under the radar."""
    network = UNet(rank, latent_channels + p.encoder.features, latent_channels, p.network)
    encoder: nn.Module
    if p.condition == "encoder":
        e = p.encoder
        encoder = RadarEncoder(rank, radar_channels, e.width, e.blocks, e.features, COMPRESSION)
    else:
        encoder = conv(rank, latent_channels, p.encoder.features)
    return Denoiser(network, p.sigma_data, encoder, p.encoder.features)


def build_for(header: Header, p: LdmParams) -> Denoiser:
    """A denoiser for the latents that a header (of latents, ldm or cd) tells of."""
    shape = header.content["latent_shape"]
    return build(p, len(shape) - 1, shape[0], len(header.content["radar_channels"]))


def save_ldm(denoiser: Denoiser, p: LdmParams, latents: Header, path: Path) -> None:
    content = {name: latents.content[name] for name in ("latent_shape", "radar_channels", "whitening")}
    parents = {**latents.parents, "latents": latents.identity}
    weights.save(denoiser.state_dict(), Header("ldm", asdict(p), parents, content), path)


def load_ldm(path: Path, device: torch.device) -> tuple[Denoiser, Header]:
    """The averaged denoiser for inference, and its header."""
    tensors, header = weights.load(path, "ldm")
    denoiser = build_for(header, params.build(LdmParams, header.params, f"{path}: params"))
    weights.restore(denoiser, tensors, path)
    return denoiser.to(device).eval().requires_grad_(False), header


def save_cd(model: ConsistencyModel, p: CdParams, teacher: Header, threshold: float, middle: float, path: Path) -> None:
    """threshold: of occupancy; middle: the noise level from which a second step starts."""
    content = {**teacher.content, "ldm_params": teacher.params, "threshold": threshold, "middle": middle}
    parents = {**teacher.parents, "ldm": teacher.identity}
    weights.save(model.denoiser.state_dict(), Header("cd", asdict(p), parents, content), path)


def load_cd(path: Path, device: torch.device) -> tuple[ConsistencyModel, CdParams, Header]:
    """The averaged consistency model for inference, its params and its header."""
    tensors, header = weights.load(path, "cd")
    p: CdParams = params.build(CdParams, header.params, f"{path}: params")
    denoiser = build_for(header, params.build(LdmParams, header.content["ldm_params"], f"{path}: params"))
    weights.restore(denoiser, tensors, path)
    model = ConsistencyModel(denoiser, p.sigmas.low).to(device).eval().requires_grad_(False)
    return model, p, header


def student_of(teacher: Denoiser, sigma_min: float) -> ConsistencyModel:
    """A consistency model that starts from the teacher's weights and trains without dropout.

    Dropout in the student alone would be one more difference that the loss takes for an error.
    """
    student = copy.deepcopy(teacher).requires_grad_(True)
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return ConsistencyModel(student, sigma_min)


def whitening(header: Header) -> Whitening:
    """The whitening statistics that travel with latents, ldm and cd."""
    stored = header.content["whitening"]
    return Whitening(tuple(stored["mean"]), tuple(stored["std"]))


def condition(ldm: Header) -> str:
    """How the denoiser of a header of kind ldm takes the radar: `encoder` or `vae`."""
    return str(ldm.params["condition"])
