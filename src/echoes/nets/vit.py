"""A vision transformer as timm and DINOv2 lay out its tensors (Dosovitskiy et al. 2021; Oquab et al. 2024).

Modules are named as in their files. Written from the papers and the names of the tensors.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from echoes import params
from echoes.errors import InputError
from echoes.nets.attention import attend

EPSILON = 1e-6  # of its norms


@dataclass(frozen=True)
class VitShape:
    """inputs     channels of a picture.
    patch      cells along each axis that become a token of `width` features.
    depth      blocks, of `hidden` features within.
    heads      of the attention.
    registers  tokens beside that of the class (Darcet et al. 2024).
    positions  that have an embedding: a square of patches, and before it one of the class where `placed`.
    scaled     whether what a block adds is scaled by feature (Touvron et al. 2021).
    """

    inputs: int
    patch: int
    width: int
    depth: int
    hidden: int
    heads: int
    registers: int
    positions: int
    placed: bool
    scaled: bool

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("inputs", "patch", "width", "depth", "hidden", "heads")}
        params.require_counts(**counts)
        if self.width % self.heads:
            raise InputError(f"heads: expected a divisor of {self.width} features, got {self.heads}")
        if self.side < 1 or self.side**2 + self.placed != self.positions:
            raise InputError(f"positions: expected those of a square of patches, got {self.positions}")

    @property
    def side(self) -> int:
        """Patches along each axis that have a position of their own."""
        return int(max(0, self.positions - self.placed) ** 0.5 + 0.5)


class Vit(nn.Module):
    """(B, C, F, T) pictures -> features of their patches."""

    def __init__(self, shape: VitShape) -> None:
        super().__init__()
        self.shape = shape
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        if shape.registers:
            self.reg_token = nn.Parameter(torch.zeros(1, shape.registers, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.positions, shape.width))
        self.patch_embed = PatchEmbedding(shape)
        self.blocks = nn.ModuleList(VitBlock(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, EPSILON)

    def forward(self, x: Tensor) -> list[Tensor]:
        """x (B, C, F, T), whole patches -> (B, width, F / patch, T / patch) behind each block, at last normed."""
        embedded: Tensor = self.patch_embed.proj(x)
        sizes = embedded.shape[2:]
        class_position, positions = self._positions(sizes)
        patches = embedded.flatten(2).transpose(1, 2) + positions
        own = [self.cls_token + class_position, *([self.reg_token] if self.shape.registers else [])]
        tokens = torch.cat([*(token.expand(len(x), -1, -1) for token in own), patches], dim=1)
        found = []
        for block in self.blocks:
            tokens = block(tokens)
            found.append(tokens)
        found[-1] = self.norm(tokens)
        before = 1 + self.shape.registers
        return [tokens[:, before:].transpose(1, 2).unflatten(2, tuple(sizes)) for tokens in found]

    def _positions(self, sizes: torch.Size) -> tuple[Tensor, Tensor]:
        """Embeddings of the class (1, 1, width) or 0, and of `sizes` patches (1, tokens, width), interpolated."""
        side, embedding = self.shape.side, self.pos_embed
        of_class = embedding[:, :1] if self.shape.placed else torch.zeros_like(embedding[:, :1])
        of_patches = embedding[:, 1:] if self.shape.placed else embedding
        if tuple(sizes) == (side, side):
            return of_class, of_patches
        square = of_patches.transpose(1, 2).unflatten(2, (side, side))
        scaled = F.interpolate(square.float(), tuple(sizes), mode="bicubic", antialias=True)
        return of_class, scaled.flatten(2).transpose(1, 2).to(embedding.dtype)


class PatchEmbedding(nn.Module):
    """A matrix of the cells of each patch."""

    def __init__(self, shape: VitShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(shape.inputs, shape.width, shape.patch, shape.patch)


class VitBlock(nn.Module):
    """Attention between all tokens, then a layer of each token by itself; both behind a norm, and added."""

    def __init__(self, shape: VitShape) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(shape.width, EPSILON), VitAttention(shape.width, shape.heads)
        self.ls1 = LayerScale(shape.width) if shape.scaled else nn.Identity()
        self.norm2, self.mlp = nn.LayerNorm(shape.width, EPSILON), Mlp(shape.width, shape.hidden)
        self.ls2 = LayerScale(shape.width) if shape.scaled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, tokens, width) -> (B, tokens, width)."""
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class VitAttention(nn.Module):
    """softmax(q k^T / sqrt(features)) v of each head, and a matrix over all heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        split = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).contiguous()
        mixed = attend(*split.unbind(0))
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class Mlp(nn.Module):
    """W2 gelu(W1 x)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class LayerScale(nn.Module):
    """x * gamma."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma
