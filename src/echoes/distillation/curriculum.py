"""Which pair of noise levels a sample of the batch is distilled across."""

import torch
from torch import Tensor


def neighbours(sigmas: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Uniformly drawn neighbours of a descending schedule without its 0 (Song et al. 2023, Algorithm 2).

    sigmas (N,); returns high and low, (count,) each.
    """
    i = torch.randint(len(sigmas) - 1, (count,), device=sigmas.device)
    return sigmas[i], sigmas[i + 1]
