"""The one-call path of a track as one module of tensors: no cells, no dates, no numbers of samples."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from echoes.diffusion.guidance import Guidance
from echoes.models.conditions import conditioned
from echoes.models.radar import readout
from echoes.models.radar.readout import Fusion
from echoes.models.radar.regressor import OFFSETS
from echoes.models.sampler import UNGUIDED, Sampler
from echoes.nets.stem import SCENE, DenseStem, SparseStem, StemConfig
from echoes.tasks import KINDS, Task


class OneCall(nn.Module):
    """A consistency model and its decoder.

    sampler  in one call, so that no noise is drawn on the way.
    """

    def __init__(self, sampler: Sampler) -> None:
        super().__init__()
        assert isinstance(sampler.model, nn.Module), "loaded"
        self.model, self.vae = sampler.model, sampler.decoder.vae
        densify(self)
        self.whitening, self.steps = sampler.decoder.whitening, sampler.steps
        self.guidance: Guidance = UNGUIDED

    def decoded(self, cond: Tensor, noise: Tensor) -> Tensor:
        """cond (B, ...), noise (B, Z, *S') of deviation 1 -> (B, C, *S)."""
        latents = self.steps(conditioned(self.model, cond, self.guidance), noise, _none)
        return self.vae.decode(self.whitening.unwhiten(latents))


def _none(purpose: str) -> Tensor:
    raise AssertionError(f"one call draws no noise for {purpose}")


class SpectrogramNetworks(OneCall):
    """Labels and noise -> spectrograms in network range."""

    def forward(self, labels: Tensor, noise: Tensor) -> Tensor:
        """labels (B, kinds) int64, noise (B, Z, *S') -> (B, C, F, T)."""
        return self.decoded(labels, noise).clamp(-1, 1)


class CellNetworks(OneCall):
    """Cells that go in and noise -> the decoder's logits of masks, and values in network range.

    through_vae  whether the autoencoder encodes what goes in; task: the channels.
    """

    def __init__(self, sampler: Sampler, through_vae: bool, task: Task) -> None:
        super().__init__(sampler)
        self.through_vae, self.task = through_vae, task

    def forward(self, cells: Tensor, noise: Tensor) -> Tensor:
        """cells (B, C', D, H, W) in network range, noise (B, Z, *S') -> (B, C, D, H, W)."""
        return self.decoded(self.condition(cells), noise)

    def condition(self, cells: Tensor) -> Tensor:
        """What the denoiser's conditioner takes."""
        if not self.through_vae:
            return cells
        latents: Tensor = self.vae.encode(recast(cells, self.task.input, self.task.target)).mean
        return latents


class EnhancingNetworks(CellNetworks):
    """The same for a track that enhances, with its regression and its gate."""

    def __init__(self, sampler: Sampler, through_vae: bool, task: Task, fusion: Fusion) -> None:
        super().__init__(sampler, through_vae, task)
        self.fusion = fusion

    def forward(self, cells: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        """cells (B, C', D, H, W) in network range, noise (B, Z, *S').

        returns  (B, D, H, W) the calibrated probability that a cell is occupied, (B, C + 3, D, H, W) what is regressed
                 (models.radar.regressor.outputs), and (B, D, H, W) the logit of the latent model's sample.
        """
        sampled = self.decoded(self.condition(cells), noise)
        regression = self.model.regression
        regressed = None if regression is None else regression(cells)
        logit = sampled[:, 0]
        probability = self.fusion.probability(readout.inputs(regressed, logit, cells))
        if regressed is None:
            regressed = torch.cat([sampled, torch.zeros_like(sampled[:, : len(OFFSETS)])], dim=1)
        return probability, regressed, logit


def densify(module: nn.Module) -> None:
    """Put in place of each sparse stem the dense one, which says the same with the same weights: a graph of fixed
    shapes cannot follow which cells are occupied.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, SparseStem):
                width, channels = child.first.weight.shape[:2]
                dense = DenseStem(SCENE, channels, StemConfig("dense", width, 1 + len(child.blocks)))
                dense.load_state_dict(child.state_dict())
                setattr(parent, name, dense.to(child.first.weight.device).eval().requires_grad_(False))


def recast(cells: Tensor, channels: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """(B, C', ...) in network range -> (B, C, ...), as `rasters.scaling.recast` does on occupied cells.

    Masks are 1 where a cell is occupied; what is not measured is 0.
    """
    occupied = cells[:, 0]
    found = {name: cells[:, i] for i, name in enumerate(channels)}
    missing = {name: occupied if KINDS[name] == "mask" else torch.zeros_like(occupied) for name in wanted}
    return torch.stack([found.get(name, missing[name]) for name in wanted], dim=1)
