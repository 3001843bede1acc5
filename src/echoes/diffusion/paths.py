"""How the way from noise to data is drawn: state and time of a probability-flow ODE.

Everything outside a network speaks of noisy = clean + sigma noise. A path is another chart of the same
way, state = scale noisy at `time`, in which it is straighter, or bounded: solvers of higher order and
those that choose their own steps go in it. An Euler step of sigma is the same in the first two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Along = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Path:
    """scale, time       sigma -> state / noisy, time; sigma: time -> sigma, the inverse of `time`.

    velocity          (clean, noise, sigma) -> d state / d time, sigma spread to the shape of clean.
    start             sigma -> deviation of the noise that sampling starts from.
    """

    scale: Along
    time: Along
    sigma: Along
    velocity: Callable[[Tensor, Tensor, Tensor], Tensor]
    start: Along


# state = clean + sigma noise, time = sigma (Karras et al. 2022, Sec. 4).
VE = Path(
    scale=torch.ones_like,
    time=lambda sigma: sigma,
    sigma=lambda time: time,
    velocity=lambda clean, noise, sigma: noise,
    start=lambda sigma: sigma,
)

# state = t clean + (1 - t) noise, sigma = (1 - t) / t (Lipman et al. 2023; Ma et al. 2024).
FLOW = Path(
    scale=lambda sigma: 1 / (1 + sigma),
    time=lambda sigma: 1 / (1 + sigma),
    sigma=lambda time: (1 - time) / time,
    velocity=lambda clean, noise, sigma: clean - noise,
    start=lambda sigma: sigma,
)

# state = cos(t) clean + sin(t) noise, sigma = tan(t) (Salimans and Ho 2022, Appendix D). Its start has
# deviation 1, as samplers of DDPM have it, though some of that should be the data.
VP = Path(
    scale=lambda sigma: 1 / (1 + sigma**2).sqrt(),
    time=torch.atan,
    sigma=torch.tan,
    velocity=lambda clean, noise, sigma: (noise - sigma * clean) / (1 + sigma**2).sqrt(),
    start=lambda sigma: (1 + sigma**2).sqrt(),
)
