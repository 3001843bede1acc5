"""Which frames are voxelized, and how often: small recordings show each training frame from several headings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from echoes import seeds
from echoes.errors import InputError
from echoes.readers.frames import Entry, Frame


@dataclass(frozen=True)
class Turns:
    """copies of each training frame, turned about the vertical axis by up to `most_rad` either way.

    A turned pair is what the sensors would have seen with another heading, but for the borders of their
    fields of view. Validation and test frames stay as they are.
    """

    copies: int
    most_rad: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("copies", "most_rad"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")


@dataclass(frozen=True)
class View:
    """An entry of a split, to be turned by an angle about z, from x to y."""

    entry: Entry
    split: str
    turn_rad: float


def views(entries: Sequence[Entry], splits: Sequence[str], turns: Turns) -> list[View]:
    """Each entry that was not purged, and after a training entry its turned copies."""
    listed = []
    for entry, split in zip(entries, splits, strict=True):
        if split == "purged":
            continue
        angles = [0.0]
        if split == "train":
            drawn = seeds.rng(turns.seed, "turn", entry.sequence, entry.key)
            angles += drawn.uniform(-turns.most_rad, turns.most_rad, turns.copies).tolist()
        listed += [View(entry, split, angle) for angle in angles]
    return listed


def turned(frame: Frame, angle_rad: float) -> Frame:
    """The frame with its points, its velocity and the origin of its rays turned about z; Doppler stays as it is."""
    if angle_rad == 0:
        return frame
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])

    def points(cloud: np.ndarray) -> np.ndarray:
        return np.concatenate([cloud[:, :3] @ turn.T, cloud[:, 3:]], axis=1).astype(cloud.dtype)

    x_m, y_m, z_m = turn @ np.array(frame.target_origin)
    return replace(
        frame,
        radar=points(frame.radar),
        target=None if frame.target is None else points(frame.target),
        target_origin=(float(x_m), float(y_m), float(z_m)),
        ego_velocity=None if frame.ego_velocity is None else turn @ frame.ego_velocity,
        pose=None,
        boxes=(),
    )
