"""Flow matching on the straight path (Lipman et al. 2023; Ma et al. 2024): the network says the velocity.

state = t clean + (1 - t) noise, t from 0 (noise) to 1 (data); velocity = clean - noise; sigma = (1 - t) / t.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import batch_noise
from echoes.diffusion.denoiser import Denoiser, Network, expand, per_sample
from echoes.diffusion.paths import FLOW
from echoes.errors import InputError
from echoes.nets.conditions import Condition

# Drawn times stay this far from the ends, where ln sigma has no value.
EDGE = 1e-5


@dataclass(frozen=True)
class LogitNormal:
    """Training times: ln(t / (1 - t)) ~ N(mean, std^2) (Esser et al. 2024, Eq. 19).

    A timestep shift s of training is a `mean` greater by ln s.
    """

    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise InputError(f"std: expected more than 0, got {self.std}")

    def draw(self, count: int, device: torch.device) -> Tensor:
        """(count,) times, as sigma."""
        return torch.exp(-self.mean - self.std * batch_noise.normal(count, device=device))


@dataclass(frozen=True)
class FlowLoss:
    """times      at which it is trained.
    cosine     weight of the direction of the velocity (Yao et al. 2025), beside its square error.
    """

    times: LogitNormal
    cosine: float

    def __post_init__(self) -> None:
        if self.cosine < 0:
            raise InputError(f"cosine: expected 0 or more, got {self.cosine}")


def shifted(time: Tensor, shift: float) -> Tensor:
    """s t / (1 + (s - 1) t): less than 1, more of the time is spent in noise (Esser et al. 2024, Eq. 23).

    The same as sigma / s; undone by a shift of 1 / s.
    """
    return shift * time / (1 + (shift - 1) * time)


class Flow(nn.Module):
    """D(x; sigma) = t x + (1 - t) F(t x; c_noise), for data of deviation near 1."""

    path = FLOW
    sigma_data = 1.0

    def velocity(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32, what the network says clean - noise is."""
        time = expand(FLOW.time(sigma), noisy)
        return network(time * noisy, sigma.log() / 4, condition).float()

    def denoised(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32 from noisy (B, C, *S), sigma (B,)."""
        time = expand(FLOW.time(sigma), noisy)
        return time * noisy + (1 - time) * self.velocity(network, noisy, sigma, condition)

    def loss(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: FlowLoss) -> Tensor:
        """(B,) square error of the velocity, and 1 - cosine of its angle over the channels, means over cells."""
        said, velocity = self._velocities(denoiser, clean, p.times.draw(len(clean), clean.device), condition)
        apart = 1 - F.cosine_similarity(said, velocity, dim=1)
        return per_sample(said - velocity) + p.cosine * apart.flatten(1).mean(1)

    def error(self, denoiser: Denoiser, clean: Tensor, condition: Condition, p: FlowLoss) -> Tensor:
        """(B,) square error of the velocity at times drawn uniformly."""
        time = EDGE + (1 - 2 * EDGE) * batch_noise.uniform(len(clean), device=clean.device)
        said, velocity = self._velocities(denoiser, clean, FLOW.sigma(time), condition)
        return per_sample(said - velocity)

    def error_weight(self, sigma: Tensor) -> Tensor:
        """(B,) 1 / (1 - t)^2: D - clean is 1 - t times the error of the velocity."""
        return (1 + 1 / sigma) ** 2

    def _velocities(
        self, denoiser: Denoiser, clean: Tensor, sigma: Tensor, condition: Condition
    ) -> tuple[Tensor, Tensor]:
        """What the network says, and what it should have said."""
        noise = batch_noise.normal_like(clean)
        noisy = clean + expand(sigma, clean) * noise
        return self.velocity(denoiser.network, noisy, sigma, condition), clean - noise
