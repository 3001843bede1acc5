"""Two unlike classifiers of spectrograms (B, C, F, T) of any size: features for distances, verdicts for accuracy."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes.batch_noise import Dropout
from echoes.nets.attention import everywhere
from echoes.nets.layers import ResBlock, conv, norm, space_to_depth
from echoes.nets.positions import rotation
from echoes.nets.transformer import SelfAttention, SwiGlu

FEATURES = 64
HEADS = 4  # of the attention between times
BANDS = 6  # of Doppler, that summaries over time keep apart: absolute velocity tells a walker from a runner


class Classifier(nn.Module, ABC):
    """One vector of features of a spectrogram, and the logits of each kind of label from it."""

    def __init__(self, summary: int, classes: tuple[int, ...]) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(summary, FEATURES), nn.LayerNorm(FEATURES))
        self.heads = nn.ModuleList([nn.Linear(FEATURES, count) for count in classes])

    @abstractmethod
    def summary(self, x: Tensor) -> Tensor:
        """x (B, C, F, T) -> (B, K)."""

    def features(self, x: Tensor) -> Tensor:
        """x (B, C, F, T) -> (B, 64)."""
        found: Tensor = self.project(self.summary(x))
        return found

    def forward(self, x: Tensor) -> list[Tensor]:
        """x (B, C, F, T) -> the logits (B, labels) of each kind."""
        features = F.silu(self.features(x))
        return [head(features) for head in self.heads]


class ConvClassifier(Classifier):
    """Convolutions of a spectrogram and of its Doppler coordinate; mean and deviation over time, by Doppler band."""

    def __init__(self, channels: int, classes: tuple[int, ...], width: int) -> None:
        super().__init__(2 * BANDS * 4 * width, classes)
        self.body = nn.Sequential(
            conv(2, 4 * channels + 1, width),
            ResBlock(2, width, width),
            conv(2, width, 2 * width, 2, 2),
            *[ResBlock(2, 2 * width, 2 * width) for _ in range(2)],
        )
        self.deep = nn.Sequential(
            conv(2, 2 * width, 4 * width, 2, 2), ResBlock(2, 4 * width, 4 * width), norm(4 * width), nn.SiLU()
        )

    def maps(self, x: Tensor) -> Tensor:
        """x (B, C, F, T) -> (B, 2 width, F / 4, T / 4), features of each place."""
        found: Tensor = self.body(_placed(x))
        return found

    def depths(self, x: Tensor) -> list[Tensor]:
        """x (B, C, F, T) -> features of each place, (B, K, *S) after each residual block and at the end."""
        found, maps = [], _placed(x)
        for module in self.body:
            maps = module(maps)
            if isinstance(module, ResBlock):
                found.append(maps)
        return [*found, self.deep(maps)]

    def summary(self, x: Tensor) -> Tensor:
        deep = self.deep(self.maps(x))
        by_band = torch.einsum("bkft,nf->bknt", deep, bands(deep.shape[2], BANDS, deep))
        return torch.cat([by_band.mean(3), deviation(by_band, 3)], dim=2).flatten(1)


class TokenBlock(nn.Module):
    """Attention, then SwiGLU, both on normalised tokens and added to them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention, self.mlp = SelfAttention(width, HEADS, everywhere), SwiGlu(width)
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.dropout = Dropout(0.1)

    def forward(self, x: Tensor, own: Tensor, other: Tensor) -> Tensor:
        """x (B, T, width), own and other of `rotation` -> (B, T, width)."""
        x = x + self.dropout(self.attention(self.norms[0](x), own, other, (x.shape[1],)))
        return x + self.dropout(self.mlp(self.norms[1](x)))


class TokenClassifier(Classifier):
    """The Doppler spectra around each time are one token; self-attention that knows distances in time alone."""

    def __init__(self, channels: int, classes: tuple[int, ...], width: int, doppler_bins: int) -> None:
        super().__init__(2 * width, classes)
        # Five spectra, because how limbs accelerate shows between neighbours.
        self.embed = nn.Conv1d(channels * doppler_bins, width, kernel_size=5, padding=2)
        self.blocks = nn.ModuleList([TokenBlock(width) for _ in range(2)])

    def summary(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.flatten(1, 2)).transpose(1, 2)
        own, other = rotation((x.shape[3],), tokens.shape[2] // HEADS, x.device)
        for block in self.blocks:
            tokens = block(tokens, own, other)
        return torch.cat([tokens.mean(1), deviation(tokens, 1)], dim=1)


def bands(size: int, count: int, like: Tensor) -> Tensor:
    """(count, size) weights of overlapping triangular bands from the first to the last cell, each of sum 1."""
    cells = torch.arange(size, device=like.device, dtype=like.dtype)
    centres = torch.linspace(0, size - 1, count, device=like.device, dtype=like.dtype)
    reach = max((size - 1) / (count - 1), 1.0)  # never between two cells: fewer cells than bands are interpolated
    weights = (1 - (cells - centres[:, None]).abs() / reach).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def deviation(x: Tensor, axis: int) -> Tensor:
    """The deviation along an axis, smooth at 0."""
    return (x.var(axis, unbiased=False) + 1e-4).sqrt()


def _placed(x: Tensor) -> Tensor:
    """x (B, C, F, T) -> (B, 4 C + 1, F / 2, T / 2): cells folded into channels, and their Doppler coordinate."""
    folded = space_to_depth(x, 2)
    doppler = torch.linspace(-1, 1, folded.shape[2], device=x.device, dtype=x.dtype)
    where = doppler[None, None, :, None].expand(len(x), 1, *folded.shape[2:])
    return torch.cat([folded, where], dim=1)
