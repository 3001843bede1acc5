"""What a U-Net is: the section `unet`, its sizes by name, and the grids that it takes."""

from dataclasses import dataclass, replace
from typing import Literal

from echoes import params
from echoes.errors import InputError
from echoes.nets.attention import Kind, require_axis
from echoes.nets.layers import Convolution, Norm
from echoes.nets.strides import NAMES, Named, Strides, levels, written_out


@dataclass(frozen=True)
class UNetSize:
    """Numbers of a U-Net, level by level from the finest one down.

    channels     of each level; the next one down is coarser by a step of the strides.
    blocks       residual blocks of each level, on the way down and again on the way up.
    attention    of each level, after its blocks on the way down; that of the lowest one stands before the middle.
    norm         of the blocks, the attention and the output.
    convolution  of the residual blocks.
    """

    channels: tuple[int, ...]
    blocks: int
    attention: tuple[Kind, ...]
    norm: Norm
    convolution: Convolution

    def __post_init__(self) -> None:
        if not self.channels:
            raise InputError("channels: expected at least one level, got none")
        if min(self.channels) < 1:
            raise InputError(f"channels: expected at least 1 for each level, got {list(self.channels)}")
        if self.blocks < 0:
            raise InputError(f"blocks: expected 0 or more, got {self.blocks}")
        if len(self.attention) != len(self.channels):
            told = f"one for each of the {len(self.channels)} levels of channels, from the finest one"
            raise InputError(f"attention: expected {told}, got {list(self.attention)}")


def _size(base: int, times: tuple[int, ...], blocks: int, of: Kind, lowest: Kind, norm: Norm) -> UNetSize:
    """A size with attention of one kind at every level below the second."""
    inner: tuple[Kind, ...] = tuple("none" if level < 2 else of for level in range(len(times) - 1))
    return UNetSize(tuple(base * n for n in times), blocks, (*inner, lowest), norm, "dense")


_GROUPS32 = Norm("group", 32)
# Those of earlier systems, whose attention at the factors 4 and 8 is that of the third and the fourth level here.
SIZES = {
    "ldm_default": _size(32, (1, 2, 3), 1, "none", "linear", _GROUPS32),
    "lightweight": _size(64, (1, 2, 2, 4), 2, "full", "full", _GROUPS32),
    "ultra_lightweight": replace(
        _size(48, (1, 2, 2, 2), 1, "linear", "none", Norm("instance", 32)), convolution="depthwise"
    ),
    "balanced": _size(64, (1, 2, 3, 4), 2, "window", "window", Norm("adaptive", 32)),
    "wide_1234": _size(128, (1, 2, 3, 4), 2, "full", "full", _GROUPS32),
    "wide_1248": _size(128, (1, 2, 4, 8), 2, "full", "full", _GROUPS32),
    "doppler_192": UNetSize((192, 384, 512, 640), 2, ("window", "window", "axial", "axial"), _GROUPS32, "dense"),
    "doppler_256": UNetSize((256, 512, 768, 1024), 2, ("window", "window", "axial", "axial"), _GROUPS32, "dense"),
}


@dataclass(frozen=True)
class UNetConfig:
    """The section `unet`.

    size     a name, or explicit numbers.
    strides  between two levels (see strides.written_out), or a list with the numbers of each step, one for each axis.
    least    cells that adaptive strides leave of an axis that they halve.
    heads    of the attention of every level.
    window   cells along each axis of a window, and of a region of sparse attention; no more than a level has count.
    keep     regions that a region looks at in sparse attention.
    """

    size: (
        Literal[
            "ldm_default",
            "lightweight",
            "ultra_lightweight",
            "balanced",
            "wide_1234",
            "wide_1248",
            "doppler_192",
            "doppler_256",
        ]
        | UNetSize
    )
    strides: Named | Strides
    least: int
    heads: int
    window: int
    keep: int
    dropout: float

    def __post_init__(self) -> None:
        params.require_counts(least=self.least, heads=self.heads, window=self.window, keep=self.keep)
        self._require_heads()
        self._require_strides()
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout: expected 0 to less than 1, got {self.dropout}")

    @property
    def numbers(self) -> UNetSize:
        return self.size if isinstance(self.size, UNetSize) else SIZES[self.size]

    def written_out(self, sizes: tuple[int, ...], key: str) -> "UNetConfig":
        """The same with the strides that it has on (B, C, *sizes).

        Raises InputError, naming what is at fault in the section `key`, unless the network takes such grids.
        """
        self.require_sizes(sizes, key)
        return replace(self, strides=self._strides(sizes, self.strides))

    def steps(self, rank: int) -> Strides:
        """Those that no longer depend on the sizes of a grid."""
        assert self.strides != "adaptive", "adaptive strides are written out for a grid first"
        return self._strides((1,) * rank, self.strides)

    def require_sizes(self, sizes: tuple[int, ...], key: str) -> None:
        """Raises InputError, naming what is at fault in the section `key`, unless the network takes (B, C, *sizes)."""
        if not isinstance(self.strides, str) and any(len(step) != len(sizes) for step in self.strides):
            told = f"{len(sizes)} numbers for each step, one for each axis of {list(sizes)} cells"
            raise InputError(f"{key}.strides: expected {told}, got {_lists(self.strides)}")
        found = levels(sizes, self._strides(sizes, self.strides))
        if len(found) < len(self.numbers.channels):
            raise InputError(self._told_depth(sizes, len(found), key))
        for kind in self.numbers.attention:
            require_axis(kind, len(sizes), f"{key}.size.attention")
        self._require_norm(found, key)

    def _strides(self, sizes: tuple[int, ...], of: Named | Strides) -> Strides:
        return written_out(of, sizes, len(self.numbers.channels) - 1, self.least)

    def _told_depth(self, sizes: tuple[int, ...], depth: int, key: str) -> str:
        count = len(self.numbers.channels)
        fits = [name for name in NAMES if len(levels(sizes, self._strides(sizes, name))) == count]
        what = f"{key}.size.channels" if isinstance(self.size, UNetSize) else f"{key}.size"
        got = f"{count} levels" if isinstance(self.size, UNetSize) else f"{self.size}, which has {count}"
        named = self.strides if isinstance(self.strides, str) else _lists(self.strides)
        other = f"with strides {' or '.join(fits)} they fit" if fits else "no strides by name make so many"
        most = f"at most {depth} level{'s' * (depth > 1)} for strides {named} on {list(sizes)} cells"
        return f"{what}: expected {most}, got {got}; {other}"

    def _require_norm(self, found: list[tuple[int, ...]], key: str) -> None:
        norm = self.numbers.norm
        for channels, sizes in zip(self.numbers.channels, found, strict=True):
            if set(sizes) == {1} and not norm.leaves_something(channels, 1):
                told = f"channels that share a mean where a level is one cell, as of {channels} channels"
                raise InputError(f"{key}.size.norm: expected {told}, got {norm.kind} of {norm.groups} groups")

    def _require_heads(self) -> None:
        for channels, kind in zip(self.numbers.channels, self.numbers.attention, strict=True):
            if kind != "none" and channels % self.heads:
                raise InputError(f"heads: expected a divisor of {channels} channels, got {self.heads}")

    def _require_strides(self) -> None:
        if isinstance(self.strides, str):
            return
        steps = len(self.numbers.channels) - 1
        if len(self.strides) != steps:
            told = f"a name, or {steps} steps between {steps + 1} levels"
            raise InputError(f"strides: expected {told}, got {_lists(self.strides)}")
        if any(n < 1 for step in self.strides for n in step):
            raise InputError(f"strides: expected at least 1 along each axis, got {_lists(self.strides)}")


def _lists(of: Strides) -> list[list[int]]:
    return [list(step) for step in of]
