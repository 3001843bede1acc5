"""Reconstruction of spectrograms: mean absolute error and structural similarity, per sample."""

import torch
from torch import Tensor

from echoes import terms

# Deviation [cells] of the window of SSIM: 11 cells as in Wang et al. 2004, and 7 where an axis is shorter than 32,
# of which 11 would be most.
WIDE, NARROW, SHORT = 1.5, 0.75, 32


def reconstruction(decoded: Tensor, clean: Tensor, l1: float, ssim: float) -> Tensor:
    """(B,) weighted errors of decoded (B, C, F, T) against clean, in network range -1..1."""
    of_absolute, of_similarity = l1 * absolute(decoded, clean), ssim * (1 - similarity(decoded, clean))
    terms.note(absolute=of_absolute, similarity=of_similarity)
    return of_absolute + of_similarity


def absolute(decoded: Tensor, clean: Tensor) -> Tensor:
    """(B,) mean absolute error."""
    return (decoded - clean).abs().flatten(1).mean(1)


def similarity(decoded: Tensor, clean: Tensor) -> Tensor:
    """(B,) SSIM (Wang et al. 2004, Eq. 13) of spectrograms in -1..1, in single precision even under autocast.

    Both are moved to 0..2: the comparison of luminances means nothing where means change their sign.
    Samples go in as channels of one image, which its convolutions handle twenty times faster than a batch.
    """
    # Here, because it takes three seconds of every stage that loads an autoencoder, of clouds too.
    from torchmetrics.functional.image import structural_similarity_index_measure

    sigma = WIDE if min(clean.shape[2:]) >= SHORT else NARROW
    ours, theirs = ((x.float() + 1).flatten(0, 1)[None] for x in (decoded, clean))
    with torch.autocast(clean.device.type, enabled=False):
        _, image = structural_similarity_index_measure(
            ours, theirs, sigma=sigma, reduction="none", data_range=2.0, return_full_image=True
        )
    return image.reshape(clean.shape).flatten(1).mean(1)
