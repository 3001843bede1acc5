"""The end s = t of a student with two times: its own denoiser, the posterior mean (Kim et al. 2023, Eq. 21)."""

from torch import Tensor

from echoes import batch_noise
from echoes.diffusion.denoiser import Denoiser, expand, per_sample
from echoes.nets.conditions import Condition


def loss(denoiser: Denoiser, clean: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
    """(B,) square error of g(x, t, t) at noise levels sigma (B,), with the weight of the denoiser's plain error.

    The learned uncertainty of EDM, the cosine of flow matching and the Min-SNR of DDPM are left out: they level noise
    levels that a training draws freely, and these are those of the distillation, the highest one among them.
    """
    noisy = clean + batch_noise.normal_like(clean) * expand(sigma, clean)
    error = per_sample(denoiser(noisy, sigma, condition) - clean)
    return denoiser.parameterization.error_weight(sigma) * error
