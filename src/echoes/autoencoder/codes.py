"""Vectors and their nearest codes, and how many of the codes are in use."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def usage(counts: Tensor) -> dict[str, float]:
    """Of how often each code occurs, (K,); nothing where there are no codes.

    codebook_utilisation   share of the codes that occur at all.
    codebook_perplexity    exp of the entropy of their frequencies: how many equally frequent codes say as much.
    """
    if len(counts) == 0:
        return {}
    share = counts.double() / counts.sum().clamp(min=1)
    perplexity = math.exp(torch.special.entr(share).sum().item())
    return {"codebook_utilisation": (counts > 0).double().mean().item(), "codebook_perplexity": perplexity}


def flat(latents: Tensor) -> Tensor:
    """(B, Z, *S) -> (N, Z) vectors."""
    return latents.movedim(1, -1).flatten(0, -2)


def unflat(vectors: Tensor, like: Tensor) -> Tensor:
    """(N, Z) vectors -> (B, Z, *S), the inverse of `flat`."""
    return vectors.reshape(len(like), *like.shape[2:], like.shape[1]).movedim(-1, 1)


def nearest(vectors: Tensor, codebook: Tensor) -> Tensor:
    """(N,) index of the code nearest to each of (N, Z) vectors, in single precision even under autocast."""
    with torch.autocast(vectors.device.type, enabled=False):
        return torch.cdist(vectors.float(), codebook).argmin(1)


def sums(vectors: Tensor, indices: Tensor, codes: int) -> Tensor:
    """(codes, Z) sum of the (N, Z) vectors of each code; a product of matrices, which repeats on a GPU too."""
    with torch.autocast(vectors.device.type, enabled=False):
        return F.one_hot(indices, codes).to(vectors.dtype).T @ vectors


def straight_through(values: Tensor, snapped: Tensor) -> Tensor:
    """`snapped`, with the gradient of `values` (Bengio et al. 2013)."""
    return values + (snapped - values).detach()
