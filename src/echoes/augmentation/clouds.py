"""Alterations of clouds of cells in training batches: of what a network is given, and of what it is to say.

A cloud is (C, D, H, W) in network range with named channels, the occupancy first, 0 where empty. The generator is the
caller's, named by step and sample. For a number of 0 nothing is drawn.

What shifts a whole frame or turns it with its Doppler right is done before voxelization, in voxelization/views.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np

from echoes import tasks
from echoes.errors import InputError
from echoes.rasters import scaling
from echoes.rasters.scaling import Scaling
from echoes.tasks import KINDS


@dataclass(frozen=True)
class InputAugmentation:
    """The section `<track>.ldm.augmentation`: what goes in is disturbed, what is to come out stays as it is.

    dropout      chance of an occupied cell to be emptied: a return that was missed.
    doppler_mps  standard deviation of what is added to the Doppler of each cell.
    power_db     likewise of its power.
    clutter      expected number of false returns, as a share of the occupied cells. They lie in any empty cell and
                 measure what one of the frame's own returns does.
    noise        standard deviation of what is added to all that is measured, in network range (-1..1).
    cutout       edges of a box that is emptied, as shares of the grid's; its middle lies in any cell (DeVries and
                 Taylor 2017).
    """

    dropout: float
    doppler_mps: float
    power_db: float
    clutter: float
    noise: float
    cutout: float

    def __post_init__(self) -> None:
        for name in ("doppler_mps", "power_db", "clutter", "noise"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("dropout", "cutout"):
            require_share(name, getattr(self, name))

    @property
    def disturbs(self) -> bool:
        """Whether what goes in becomes another."""
        return any((self.dropout, self.doppler_mps, self.power_db, self.clutter, self.noise, self.cutout))


@dataclass(frozen=True)
class UnphysicalMoves:
    """Chances of moves that no radar makes: the grid flipped along x or z, and turned by one to three quarters about z.

    Rays then come from where no sensor is. The mirror along y, which is physical, has a key of its own.
    """

    flip_x: float
    flip_z: float
    quarter_turn: float

    def __post_init__(self) -> None:
        for name in ("flip_x", "flip_z", "quarter_turn"):
            require_share(name, getattr(self, name))

    @property
    def moves(self) -> bool:
        return any((self.flip_x, self.flip_z, self.quarter_turn))


@dataclass(frozen=True)
class CloudAugmentation(InputAugmentation):
    """The section `<track>.vae.augmentation` of clouds: beside the disturbances, what alters input and target alike.

    mixup       alpha of the Beta distribution of the share of a frame that another one is mixed into.
    unphysical  moves of the whole grid.
    """

    of: Literal["clouds"]
    mixup: float
    unphysical: UnphysicalMoves

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mixup < 0:
            raise InputError(f"mixup: expected 0 or more, got {self.mixup}")


@dataclass(frozen=True)
class Move:
    """Flips along x and z, and quarter turns about z."""

    flip_x: bool
    flip_z: bool
    quarters: int


Rows = tuple[np.ndarray, np.ndarray]  # (M, 3) indices z, y, x of occupied cells, and (M, C) all of their channels


def require_share(name: str, value: float) -> None:
    """Raises InputError for a value outside 0..1."""
    if not 0 <= value <= 1:
        raise InputError(f"{name}: expected 0 to 1, got {value}")


def disturbed(
    cloud: np.ndarray, channels: Sequence[str], units: Scaling, p: InputAugmentation, rng: np.random.Generator
) -> np.ndarray:
    """A cloud (C, D, H, W) as a worse radar would have seen it; units: those of its network range."""
    indices = np.stack(np.nonzero(cloud[0]), axis=1)
    rows: Rows = indices, cloud[(slice(None), *indices.T)].T
    rows = dropped(rows, p.dropout, rng)
    rows = cluttered(rows, p.clutter, cloud.shape[1:], rng)
    rows = rows[0], jittered(rows[1], channels, deviations(channels, units, p), rng)
    indices, values = cut(rows, p.cutout, cloud.shape[1:], rng)
    made = np.zeros_like(cloud)
    made[(slice(None), *indices.T)] = values.T
    return made


def dropped(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """The cells without about that share of them."""
    if not share:
        return rows
    kept = rng.random(len(rows[0])) >= share
    return rows[0][kept], rows[1][kept]


def cluttered(rows: Rows, share: float, shape: Sequence[int], rng: np.random.Generator) -> Rows:
    """The cells and false ones, a Poisson number with `share` of them as its mean; shape: of the grid."""
    indices, values = rows
    if not share or not len(indices):
        return rows
    cells = int(np.prod(shape))
    places = rng.choice(cells, min(rng.poisson(share * len(indices)), cells), replace=False)
    places = places[~np.isin(places, np.ravel_multi_index(tuple(indices.T), tuple(shape)))]
    copied = values[rng.integers(len(indices), size=len(places))]
    found = np.stack(np.unravel_index(places, tuple(shape)), axis=1)
    return np.concatenate([indices, found]), np.concatenate([values, copied])


def deviations(channels: Sequence[str], units: Scaling, p: InputAugmentation) -> dict[str, float]:
    """Channel -> standard deviation, in network range, of what is added to it: jitter and noise together."""
    jitter = {"velocity": p.doppler_mps, "decibel": p.power_db}
    found = {}
    for name in tasks.measured(channels):
        ends = scaling.to_network(name, np.array([0.0, jitter.get(KINDS[name], 0.0)]), units)
        found[name] = hypot(float(ends[1] - ends[0]), p.noise)
    return found


def jittered(
    values: np.ndarray, channels: Sequence[str], std: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """values (M, C) with noise of that deviation added to each channel where its mask says that it is known."""
    made = values.copy()
    for name in (name for name, deviation in std.items() if deviation):
        i, known = channels.index(name), values[:, channels.index(tasks.mask_of(name, channels))] > 0
        made[:, i] += std[name] * rng.standard_normal(len(values)) * known
        if KINDS[name] == "variance":  # a deviation in network range, which is never negative
            made[:, i] = made[:, i].clip(min=0)
    return made


def cut(rows: Rows, share: float, shape: Sequence[int], rng: np.random.Generator) -> Rows:
    """The cells outside of a box with `share` of the edges of the grid, of which a part may lie beyond the border."""
    if not share:
        return rows
    edges = np.array([round(share * size) for size in shape])
    first = rng.integers(np.array(shape)) - edges // 2
    kept = ((rows[0] < first) | (rows[0] >= first + edges)).any(axis=1)
    return rows[0][kept], rows[1][kept]


def mixed(cloud: np.ndarray, other: np.ndarray, share: float, channels: Sequence[str]) -> np.ndarray:
    """share * cloud + (1 - share) * other (Zhang et al. 2018, Mixup), (C, D, H, W).

    A mask becomes the chance that it is set in the frame that one of the two is drawn as; cross-entropy takes it so.
    We depart where one of the two alone knows a measurement: it stays what it is, instead of being pulled towards 0,
    the middle of its range, and counts with its mask.
    """
    made = share * cloud + (1 - share) * other
    for name in tasks.measured(channels):
        i, known = channels.index(name), made[channels.index(tasks.mask_of(name, channels))]
        np.divide(made[i], known, out=made[i], where=known > 0)
    return made


def draw_move(p: UnphysicalMoves, rng: np.random.Generator) -> Move:
    """A flip or a turn with the chance of each."""
    flip_x, flip_z = (chance > 0 and bool(rng.random() < chance) for chance in (p.flip_x, p.flip_z))
    turns = p.quarter_turn > 0 and rng.random() < p.quarter_turn
    return Move(flip_x, flip_z, int(rng.integers(1, 4)) if turns else 0)


def moved(field: np.ndarray, move: Move) -> np.ndarray:
    """(..., D, H, W) flipped and turned from x to y; H = W where it is turned."""
    flipped = np.flip(field, tuple(axis for axis, does in ((-1, move.flip_x), (-3, move.flip_z)) if does))
    return np.rot90(flipped, move.quarters, axes=(-1, -2))
