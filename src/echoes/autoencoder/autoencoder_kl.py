"""The autoencoder of latent diffusion (Rombach et al. 2022, Appendix G), as others have published its weights; frozen.

Written from the tensors of these files and tested against diffusers' AutoencoderKL. All is of two axes. Our own
autoencoders fold blocks of cells first; this one convolves full resolution, which is what makes it dear.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.autoencoder.bottlenecks import GaussianBottleneck
from echoes.autoencoder.posteriors import Posterior
from echoes.errors import InputError
from echoes.nets.attention import attend
from echoes.nets.layers import conv

EPSILON = 1e-6  # of its norms
RANK = 2


@dataclass(frozen=True)
class KlShape:
    """What rebuilds the network; an artifact tells it in place of the file that it was read from.

    inputs           channels of a grid.
    channels         of each level, from full resolution down; each halves the one above it.
    blocks           residual blocks of a level on the way down; on the way up it has one more.
    attention        whether each level has attention behind each of its blocks.
    middle           whether there is attention between the two ways.
    groups           of each norm.
    encoded          channels between the two ways, half of what the encoder gives.
    latent_channels  those of the latents.
    quantizing, unquantizing   whether a matrix makes the one of the other, before and behind the latents.
    scale, shift     latents are (z - shift) * scale of what the network has.
    """

    layout: Literal["shape"]
    inputs: int
    channels: tuple[int, ...]
    blocks: int
    attention: tuple[bool, ...]
    middle: bool
    groups: int
    encoded: int
    latent_channels: int
    quantizing: bool
    unquantizing: bool
    scale: float
    shift: float

    def __post_init__(self) -> None:
        counts = {"inputs": self.inputs, "blocks": self.blocks, "groups": self.groups, "encoded": self.encoded}
        params.require_counts(**counts, latent_channels=self.latent_channels)
        if not self.channels or any(width < 1 or width % self.groups for width in self.channels):
            raise InputError(f"channels: expected multiples of the {self.groups} groups, got {list(self.channels)}")
        if len(self.attention) != len(self.channels):
            told = f"one for each of the {len(self.channels)} levels"
            raise InputError(f"attention: expected {told}, got {list(self.attention)}")
        if not (self.quantizing and self.unquantizing) and self.latent_channels != self.encoded:
            raise InputError(f"latent_channels: expected the {self.encoded} of encoded, got {self.latent_channels}")
        if self.scale <= 0:
            raise InputError(f"scale: expected more than 0, got {self.scale}")


class AutoencoderKl(nn.Module):
    """(B, C, F, T) <-> (B, Z, F / compression, T / compression)."""

    def __init__(self, shape: KlShape) -> None:
        super().__init__()
        self.shape, self.rank, self.latent_channels = shape, RANK, shape.latent_channels
        self.compression = 2 ** (len(shape.channels) - 1)
        self.encoder, self.decoder = Encoder(shape), Decoder(shape)
        inner, outer = shape.encoded, shape.latent_channels
        self.quant = conv(RANK, 2 * inner, 2 * outer, 1) if shape.quantizing else nn.Identity()
        self.unquant = conv(RANK, outer, inner, 1) if shape.unquantizing else nn.Identity()
        self.bottleneck = GaussianBottleneck(shape.latent_channels)
        self.requires_grad_(False)

    def encode(self, x: Tensor) -> Posterior:
        """(B, C, F, T) in network range -> the posterior of its latents; raises InputError for other sizes."""
        self.latent_shape(tuple(x.shape[2:]))
        of_network = self.bottleneck.posterior(self.quant(self.encoder(x)).float())
        scale, shift = self.shape.scale, self.shape.shift
        return Posterior((of_network.mean - shift) * scale, of_network.logvar + 2 * log(scale))

    def decode(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S / compression) -> (B, C, *S) values."""
        of_network = raw_latents / self.shape.scale + self.shape.shift
        out: Tensor = self.decoder(self.unquant(of_network)).float()
        return out

    def latent_shape(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """(Z, *S / compression) of a grid of `sizes`; raises InputError where one is no multiple of the compression."""
        if any(size % self.compression for size in sizes):
            told = f"one that divides a grid of {list(sizes)} cells, got one by {self.compression}"
            raise InputError(f"vae.architecture.pretrained: expected {told}")
        return self.latent_channels, *(size // self.compression for size in sizes)


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x))))))."""

    def __init__(self, channels: int, out: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(groups, channels, EPSILON), conv(RANK, channels, out)
        self.norm2, self.conv2 = nn.GroupNorm(groups, out, EPSILON), conv(RANK, out, out)
        self.skip = conv(RANK, channels, out, 1) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, out, F, T)."""
        inner = self.conv1(F.silu(self.norm1(x)))
        out: Tensor = self.skip(x) + self.conv2(F.silu(self.norm2(inner)))
        return out


class SelfAttention(nn.Module):
    """x + out(softmax(q k^T / sqrt(C)) v) of all cells, with one head."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, EPSILON)
        self.query, self.key, self.value, self.out = (conv(RANK, channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, C, F, T)."""
        normed = self.norm(x)
        cells = [of(normed).flatten(2).transpose(1, 2)[:, None] for of in (self.query, self.key, self.value)]
        query, key, value = (part.contiguous() for part in cells)
        mixed = attend(query, key, value)[:, 0].transpose(1, 2)
        out: Tensor = x + self.out(mixed.reshape(x.shape))
        return out


class Shrink(nn.Module):
    """Half the size, by a convolution whose padding is behind the last cell alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Widen(nn.Module):
    """Twice the size, each cell repeated and then convolved."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv(RANK, channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class Level(nn.Module):
    """Residual blocks, each with attention behind it or none, and then another resolution or the same."""

    def __init__(
        self, channels: int, out: int, blocks: int, attends: bool, groups: int, resample: type[Shrink | Widen] | None
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Residual(out if i else channels, out, groups) for i in range(blocks))
        self.attention = nn.ModuleList(_attention(attends, out, groups) for _ in range(blocks))
        self.resample = resample(out) if resample else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for block, attention in zip(self.blocks, self.attention, strict=True):
            x = attention(block(x))
        out: Tensor = self.resample(x)
        return out


class Encoder(nn.Module):
    """(B, inputs, F, T) -> (B, 2 encoded, F / 2^(levels - 1), T / 2^(levels - 1))."""

    def __init__(self, p: KlShape) -> None:
        super().__init__()
        self.enter = conv(RANK, p.inputs, p.channels[0])
        lowest = len(p.channels) - 1
        self.levels = nn.Sequential(
            *(
                Level(above, width, p.blocks, attends, p.groups, Shrink if i < lowest else None)
                for i, ((above, width), attends) in enumerate(
                    zip(pairwise((p.channels[0], *p.channels)), p.attention, strict=True)
                )
            )
        )
        self.middle = _middle(p)
        self.norm = nn.GroupNorm(p.groups, p.channels[-1], EPSILON)
        self.leave = conv(RANK, p.channels[-1], 2 * p.encoded)

    def forward(self, x: Tensor) -> Tensor:
        x = self.middle(self.levels(self.enter(x)))
        out: Tensor = self.leave(F.silu(self.norm(x)))
        return out


class Decoder(nn.Module):
    """The way back; its first level is the lowest."""

    def __init__(self, p: KlShape) -> None:
        super().__init__()
        widths, attention = p.channels[::-1], p.attention[::-1]
        self.enter, self.middle = conv(RANK, p.encoded, widths[0]), _middle(p)
        finest = len(widths) - 1
        self.levels = nn.Sequential(
            *(
                Level(below, width, p.blocks + 1, attends, p.groups, Widen if i < finest else None)
                for i, ((below, width), attends) in enumerate(
                    zip(pairwise((widths[0], *widths)), attention, strict=True)
                )
            )
        )
        self.norm = nn.GroupNorm(p.groups, widths[-1], EPSILON)
        self.leave = conv(RANK, widths[-1], p.inputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.levels(self.middle(self.enter(x)))
        out: Tensor = self.leave(F.silu(self.norm(x)))
        return out


def _middle(p: KlShape) -> nn.Sequential:
    width = p.channels[-1]
    return nn.Sequential(
        Residual(width, width, p.groups), _attention(p.middle, width, p.groups), Residual(width, width, p.groups)
    )


def _attention(attends: bool, channels: int, groups: int) -> nn.Module:
    return SelfAttention(channels, groups) if attends else nn.Identity()
