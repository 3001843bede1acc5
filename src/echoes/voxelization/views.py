"""Which frames are voxelized, and how often: small recordings show each training frame in several ways."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from echoes import seeds
from echoes.dataset.frames import UNPAIRED
from echoes.judging.judge import FRAMES, evenly
from echoes.readers.frames import Entry, Frame
from echoes.voxelization.cloud_params import Augmentation


@dataclass(frozen=True)
class View:
    """An entry of a split, to be turned by an angle about z, from x to y, with a share of its radar points, `power_db`
    louder, displaced by noise and faded with range.
    """

    entry: Entry
    split: str
    rotation_rad: float
    share: float
    power_db: float
    noise_m: float
    fade: float


@dataclass(frozen=True)
class Shown:
    """The views of an entry, itself first, and the earlier entries whose returns go in, too, the newest first.

    measured  whether its frame is to tell of itself.
    """

    views: tuple[View, ...]
    earlier: tuple[Entry, ...]
    measured: bool

    @property
    def entry(self) -> Entry:
        return self.views[0].entry


def shown(
    entries: Sequence[Entry],
    splits: Sequence[str],
    earlier: Sequence[tuple[Entry, ...]],
    augmentation: Augmentation,
) -> list[Shown]:
    """Each entry that was not purged, and beside an entry to train on its altered copies.

    Of those with a radar, FRAMES that are evenly spread are to be measured.
    """
    listed: list[Shown] = []
    for entry, split, before in zip(entries, splits, earlier, strict=True):
        if split == "purged":
            continue
        views = [View(entry, split, 0.0, 1.0, 0.0, 0.0, 0.0)]
        if split in ("train", UNPAIRED):
            rng = seeds.rng(augmentation.seed, "copies", entry.sequence, entry.key)
            most_rad = augmentation.max_rotation_rad
            turns = rng.uniform(-most_rad, most_rad, augmentation.copies).tolist()
            shares = rng.uniform(augmentation.min_fraction, 1.0, augmentation.copies).tolist()
            louder = (augmentation.power_db * rng.standard_normal(augmentation.copies)).tolist()
            fades = rng.uniform(0, augmentation.fade, augmentation.copies).tolist()
            views += [
                View(entry, split, turn, share, power_db, augmentation.noise_m, fade)
                for turn, share, power_db, fade in zip(turns, shares, louder, fades, strict=True)
            ]
        listed.append(Shown(tuple(views), before, False))
    paired = [number for number, one in enumerate(listed) if one.views[0].split != UNPAIRED]
    for number in (paired[i] for i in evenly(len(paired), FRAMES)):
        listed[number] = replace(listed[number], measured=True)
    return listed


def subsampled(frame: Frame, share: float) -> Frame:
    """The frame with that share of its radar points, the same ones each time."""
    if share == 1:
        return frame
    drawn = seeds.rng(len(frame.radar), "thinned", frame.sequence, repr(frame.stamp), repr(share))
    return replace(frame, radar=frame.radar[drawn.random(len(frame.radar)) < share])


def disturbed(frame: Frame, view: View) -> Frame:
    """The frame as a view has it, but for its rotation: subsampled, faded, displaced and louder; the target stays."""
    frame = subsampled(frame, view.share)
    rng = seeds.rng(len(frame.radar), "disturbed", frame.sequence, repr(frame.stamp), repr(view.rotation_rad))
    radar = frame.radar
    if view.fade and len(radar):
        range_m = np.linalg.norm(radar[:, :3], axis=1)
        radar = radar[rng.random(len(radar)) >= view.fade * range_m / range_m.max()]
    if view.noise_m or view.power_db:
        added = np.zeros_like(radar)
        added[:, :3] = view.noise_m * rng.standard_normal((len(radar), 3))
        added[:, 4] = view.power_db
        radar = radar + added
    return replace(frame, radar=radar)


def rotated(frame: Frame, angle_rad: float) -> Frame:
    """The frame with its points, velocity, pose and the origin of its rays turned about z; Doppler stays as it is."""
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
        pose=None if frame.pose is None else np.column_stack([frame.pose[:, :3] @ turn.T, frame.pose[:, 3]]),
        boxes=(),
    )
