"""The autoencoder of a track: built from its params, saved, and rebuilt from its file."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from echoes import params, weights
from echoes.autoencoder.loss import LossWeights
from echoes.autoencoder.vae import SIZES, Vae, VaeConfig
from echoes.dataset.grids import Grids
from echoes.provenance import Header
from echoes.training.loop import Schedule, check_share


@dataclass(frozen=True)
class VaeParams(Schedule):
    """The section `<track>.vae`. size: a name, or explicit numbers."""

    variant: Literal["kl"]
    size: Literal["tiny", "ultra_lightweight", "lightweight", "standard"] | VaeConfig
    loss: LossWeights
    mirror: bool
    ema: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("ema", self.ema)


def build(p: VaeParams, rank: int, channels: int) -> Vae:
    config = p.size if isinstance(p.size, VaeConfig) else SIZES[p.size]
    return Vae(rank, channels, config)


def save(vae: Vae, p: VaeParams, grids: Grids, path: Path) -> None:
    content = {name: grids.header.content[name] for name in ("axes", "target_channels", "scaling", "ego_motion")}
    header = Header("vae", asdict(p), {"grids": grids.header.identity}, content)
    weights.save(vae.state_dict(), header, path)


def load(path: Path, device: torch.device) -> tuple[Vae, Header]:
    """The autoencoder for inference, on `device`, and its header."""
    tensors, header = weights.load(path, "vae")
    p: VaeParams = params.build(VaeParams, header.params, f"{path}: params")
    vae = build(p, rank=len(header.content["axes"]), channels=len(header.content["target_channels"]))
    weights.restore(vae, tensors, path)
    return vae.to(device).eval().requires_grad_(False), header
