"""Which pair of noise levels a sample of the batch is distilled across."""

from torch import Tensor

from echoes import batch_noise


def neighbours(sigmas: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Uniformly drawn neighbours of a descending schedule without its 0 (Song et al. 2023, Algorithm 2).

    sigmas (N,); returns high and low, (count,) each.
    """
    i = batch_noise.integers(len(sigmas) - 1, count, sigmas.device)
    return sigmas[i], sigmas[i + 1]
