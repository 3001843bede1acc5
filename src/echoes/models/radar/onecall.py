"""What the networks of a track say of a cloud in one call each: the regression, and a sample of the latent model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from echoes.compute.precision import autocast
from echoes.dataset.grids import Grids
from echoes.models.conditions import Conditions, unmirrored
from echoes.models.radar import readout
from echoes.models.radar.regressor import OFFSETS
from echoes.models.sampler import Sampler, clock, seed_of

LIMIT = 12.0  # of a logit of a mean probability: 6e-6


@dataclass(frozen=True)
class Said:
    """weighed   (B, K, D, H, W) the inputs of the gate.
    measured  (B, C + 3, D, H, W) the outputs of the regression, or of the decoder where there is none.
    latent    (B, D, H, W) logits of the latent model's mean probability; 0 where it was not called.
    sampled   (B, C + 3, D, H, W) what the decoder says of its first sample; `measured` where it was not called.
    spread    (B, D, H, W) standard deviation of the probability over samples; 0 for a single one.
    seconds   in the networks, from the cloud to what they say.
    """

    weighed: Tensor
    measured: Tensor
    latent: Tensor
    sampled: Tensor
    spread: Tensor
    seconds: float


@dataclass(frozen=True)
class OneCall:
    """sampler: of the latent model, which carries the regression."""

    sampler: Sampler

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs of the gate."""
        return readout.names(self.regression is not None)

    @property
    def regression(self) -> torch.nn.Module | None:
        return self.sampler.model.regression

    @torch.no_grad()
    def __call__(self, radar: Tensor, cond: Tensor, sample_ids: Sequence[int], samples: int, latent: bool) -> Said:
        """radar (B, C', D, H, W) in network range, cond (B, ...) what the denoiser's conditioner takes.

        sample_ids  (B,) name the noise; samples: how many are averaged; latent: whether the latent model is called.
        """
        start = clock(radar.device)
        with autocast(radar.device):
            regressed = None if self.regression is None else self.regression(radar)
        if latent or regressed is None:
            logit, spread, sampled = self._sampled(cond, sample_ids, samples)
        else:
            logit = torch.zeros_like(regressed[:, 0])
            spread, sampled = logit, regressed
        measured = sampled if regressed is None else regressed
        weighed = readout.inputs(regressed, logit, radar)
        return Said(weighed, measured, logit, sampled, spread, clock(radar.device) - start)

    def _sampled(self, cond: Tensor, sample_ids: Sequence[int], samples: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logit of the mean probability, deviation of the probability, and the measurements of the first sample."""
        seeds = [seed_of(self.sampler.seed, k) for k in range(samples)]  # of all noise of a sample, also on the way
        made = [replace(self.sampler, seed=seed)(cond, sample_ids) for seed in seeds]
        measured = torch.cat([made[0], torch.zeros_like(made[0][:, : len(OFFSETS)])], dim=1)
        if samples == 1:
            return made[0][:, 0], torch.zeros_like(made[0][:, 0]), measured
        probability = torch.stack([one[:, 0].sigmoid() for one in made])
        logit = probability.mean(0).logit().clamp(-LIMIT, LIMIT)
        return logit, probability.std(0), measured


def of_frames(call: OneCall, grids: Grids, conditions: Conditions, latent: bool) -> Callable[[np.ndarray], Said]:
    """frames (B,) -> what the networks say of them, from one sample; latent: whether the latent model is called."""
    device = call.sampler.device

    def say(frames: np.ndarray) -> Said:
        radar = torch.from_numpy(grids.input_batch(frames)).to(device)
        cond = conditions(frames, unmirrored(frames)).to(device)
        return call(radar, cond, frames.tolist(), 1, latent)

    return say
