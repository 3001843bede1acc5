"""A denoiser: a network, the parameterization that makes its answer a clean sample, and what conditions it."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from echoes.diffusion.paths import Path
from echoes.nets.conditions import Condition

UNCONDITIONED = Condition(None, None)


class Denoise(Protocol):
    """(noisy (B, C, *S), sigma (B,)) -> the expected clean sample (B, C, *S)."""

    def __call__(self, noisy: Tensor, sigma: Tensor, /) -> Tensor: ...


class Network(Protocol):
    """(x (B, C, *S), c_noise (B,), condition) -> (B, C, *S)."""

    def __call__(self, x: Tensor, c_noise: Tensor, condition: Condition, /) -> Tensor: ...


class Conditional(Protocol):
    """A denoiser, or a consistency model: (noisy, sigma, condition) -> (B, C, *S)."""

    def __call__(self, noisy: Tensor, sigma: Tensor, condition: Condition, /) -> Tensor: ...


class Model(Conditional, Protocol):
    """The same, with its own encoder of a condition; what its network is, and the regression that goes with it."""

    @property
    def network(self) -> nn.Module: ...

    @property
    def regression(self) -> nn.Module | None: ...

    def condition(self, cond: Tensor, drop: Tensor | None = None) -> Condition: ...

    def unconditional(self, cond: Tensor) -> Condition: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


class Conditioner(Protocol):
    """(cond, drop (B, parts) bool) -> Condition, with a learned null in place of what is dropped."""

    parts: int

    def __call__(self, cond: Tensor, drop: Tensor, /) -> Condition: ...


class Parameterization(Protocol):
    """What a network says about noisy = clean + sigma noise, and how it is trained to say it.

    sigma_data   deviation of the data that it takes for granted.
    path         the chart of the probability-flow ODE that is its own.
    """

    sigma_data: float
    path: Path

    def denoised(self, network: Network, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """(B, C, *S) float32 from noisy (B, C, *S), sigma (B,)."""
        ...

    def loss(self, denoiser: "Denoiser", clean: Tensor, condition: Condition, p: Any, /) -> Tensor:
        """(B,), what training minimises, at noise levels drawn from torch's generator; p: its own numbers of it."""
        ...

    def error(self, denoiser: "Denoiser", clean: Tensor, condition: Condition, p: Any, /) -> Tensor:
        """(B,), the plain error that validation reports."""
        ...

    def error_weight(self, sigma: Tensor) -> Tensor:
        """(B,), what the square error of the clean sample counts in that error."""
        ...


class Denoiser(nn.Module):
    """D(noisy; sigma), the expected clean sample, under a condition that is encoded once for all calls.

    parameterization, conditioner   modules; no conditioner for a denoiser without condition.
    regression                      a network that was trained beside it on the same condition and goes where it goes.
    """

    def __init__(
        self,
        network: nn.Module,
        parameterization: Parameterization,
        conditioner: Conditioner | None,
        regression: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network, self.parameterization, self.conditioner = network, parameterization, conditioner
        self.regression = regression

    @property
    def sigma_data(self) -> float:
        return self.parameterization.sigma_data

    @property
    def path(self) -> Path:
        return self.parameterization.path

    def condition(self, cond: Tensor, drop: Tensor | None = None) -> Condition:
        """Encode a condition; `drop` (B, parts) bool, None for nothing."""
        assert self.conditioner is not None, "this denoiser takes no condition"
        if drop is None:
            drop = torch.zeros(len(cond), self.conditioner.parts, dtype=torch.bool, device=cond.device)
        return self.conditioner(cond, drop)

    def unconditional(self, cond: Tensor) -> Condition:
        """What the learned nulls say in place of a condition, for guidance."""
        return self.condition(cond, torch.ones(len(cond), self.parts, dtype=torch.bool, device=cond.device))

    @property
    def parts(self) -> int:
        """How many parts of the condition are dropped independently."""
        assert self.conditioner is not None, "this denoiser takes no condition"
        return int(self.conditioner.parts)

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition = UNCONDITIONED) -> Tensor:
        """noisy (B, C, *S), sigma (B,) -> the denoised sample (B, C, *S), float32."""
        return self.parameterization.denoised(self.network, noisy, sigma, condition)


def bind(model: Conditional, condition: Condition) -> Denoise:
    """A denoiser, or a consistency model, under one condition that was encoded beforehand."""
    return lambda noisy, sigma: model(noisy, sigma, condition)


def expand(sigma: Tensor, like: Tensor) -> Tensor:
    """(B,) -> (B, 1, ...) with as many axes as `like`."""
    return sigma.reshape(-1, *[1] * (like.ndim - 1))


def per_sample(error: Tensor) -> Tensor:
    """(B, ...) -> (B,), the mean of the squares of a sample."""
    return error.square().flatten(1).mean(1)
