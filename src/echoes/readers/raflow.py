"""RaFlow: scans of an automotive 4D radar, in pairs; the target is several scans seen from one of them.

    <part>/radar_seqs-S_samples-K.json   pc1, pc2: car_loc_x y z [m], car_vel_r [m/s], power [dB], rcs [dBsm];
                                         interval [s]; trans 4x4

car_vel_r is positive = receding and does not repeat. A recording is a sequence ("train-0"), and another one begins
where its clock jumps back ("train-0-2"), which an interval of 0 or less says. Its frames are its distinct
measurements (see raflow_scans.py). Stamps are the intervals added up; files may be missing in between, and there
only the number of missing files is known, so stamps are then lower bounds of time, which keeps the purge of a
split safe. The target is never taken across a jump or a missing file.

A neighbouring scan is moved by the Doppler ego velocity of the scans (mean of both ends of an interval) and
by the recorded rotation. The recorded translation is not used: it jumps by a metre. Points of a neighbour
that move over ground are left out, because they are elsewhere by now.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes import params
from echoes.errors import InputError
from echoes.readers import clocks, ego_motion, visible
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points
from echoes.readers.raflow_scans import Tick, displacement, repeats, ticks

NAME = re.compile(r"radar_seqs-(0|[1-9]\d*)_samples-(0|[1-9]\d*)\.json")
PERIOD_S = 0.1  # of the files


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["raflow"]
    ego_motion: EgoMotion
    doppler: Doppler
    accumulate: int  # neighbouring scans on each side that join the target
    max_residual_mps: float  # a neighbour's point that moves faster over ground does not
    recentre: bool  # undo the displacement of the scans by the recorded pose
    reflectivity_dbsm: tuple[float, float]  # RCS that becomes 0 and 1; beyond them it is clipped

    def __post_init__(self) -> None:
        params.require_counts(accumulate=self.accumulate)
        if self.max_residual_mps <= 0:
            raise InputError(f"max_residual_mps: expected more than 0, got {self.max_residual_mps}")
        low, high = self.reflectivity_dbsm
        if not low < high:
            raise InputError(f"reflectivity_dbsm: expected a low and a higher value, got {low} and {high}")


def index(root: Path, source: Source) -> list[Entry]:
    """The distinct measurements of all recordings, in order of time.

    Every file is read here: only its content tells a repeated measurement.
    """
    entries = []
    for (folder, recording), paths in sorted(_recordings(root).items()):
        stamp, last = 0.0, None
        sequence = "-".join([*Path(folder).parts, recording])
        for run in ticks([paths[number] for number in sorted(paths)]):
            number = _number(run[0].origin)
            passed_s = 0.0 if last is None else PERIOD_S * max(1, number - last)
            stamp = 0.0 if run[0].jumped else stamp + passed_s
            stamps = stamp + np.cumsum([tick.interval_s for tick in run])
            fresh = [i for i, tick in enumerate(run) if i == 0 or not repeats(run[i - 1].scan, tick.scan)]
            entries += [
                _entry(
                    sequence, float(stamps[i]), f"{folder}/{recording}", number, _window(fresh, k, source.accumulate)
                )
                for k, i in enumerate(fresh)
            ]
            stamp, last = float(stamps[-1]), number + len(run) - 1
    return clocks.cut(entries)


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One measurement, and the target: it and its neighbours moved into its place."""
    name, own, first, last = entry.key.rsplit(" ", 3)
    folder, recording = name.rsplit("/", 1)
    files = range(int(first), max(int(last), int(first) + 1))
    (run,) = ticks([root / folder / f"radar_seqs-{recording}_samples-{n}.json" for n in files])
    if source.recentre:
        run = [_recentred(tick) for tick in run]
    own_position = int(own) - int(first)
    radar = check_points(run[own_position].scan[:, :5], RADAR_COLUMNS, run[own_position].origin)
    target = accumulate(run, own_position, source) if len(radar) else np.zeros((0, 4))
    return Frame(entry.sequence, entry.stamp, radar, check_points(target, TARGET_COLUMNS, run[own_position].origin))


def accumulate(run: Sequence[Tick], own: int, source: Source) -> np.ndarray:
    """(M, 4) x, y, z [m], reflectivity 0..1: the distinct scans of the run, seen from scan `own`."""
    velocities = _velocities(run, source.doppler)
    poses = _poses(run, velocities)
    to_own = np.linalg.inv(poses[own]) @ poses
    low, high = source.reflectivity_dbsm
    parts = []
    for i, tick in enumerate(run):
        if i > 0 and repeats(run[i - 1].scan, tick.scan):
            continue
        moving_mps = np.abs(ego_motion.over_ground(tick.scan, velocities[i], source.doppler.span_mps))
        kept = (moving_mps <= source.max_residual_mps) | (i == own)
        xyz = tick.scan[kept, :3] @ to_own[i, :3, :3].T + to_own[i, :3, 3]
        parts.append(np.column_stack([xyz, np.clip((tick.scan[kept, 5] - low) / (high - low), 0, 1)]))
    return np.concatenate(parts)


def _poses(run: Sequence[Tick], velocities: np.ndarray) -> np.ndarray:
    """(T, 4, 4) radar at each tick -> radar at the first; the vertical velocity is taken as 0."""
    poses = [np.eye(4)]
    level = velocities * (1, 1, 0)
    for tick, before, after in zip(run[1:], level, level[1:], strict=False):
        step = np.eye(4)
        step[:3, :3] = tick.turn
        step[:3, 3] = (before + tick.turn @ after) / 2 * tick.interval_s
        poses.append(poses[-1] @ step)
    return np.stack(poses)


def _velocities(run: Sequence[Tick], doppler: Doppler) -> np.ndarray:
    """(T, 3) ego velocity at each tick [m/s]; a scan that does not tell takes what its neighbours give."""
    fits = [ego_motion.estimate(tick.scan, doppler) for tick in run]
    known = [i for i, fit in enumerate(fits) if fit is not None]
    if not known:
        raise InputError(
            f"{run[0].origin}: expected scans whose points agree on one ego velocity, got {len(run)} without"
        )
    times = np.cumsum([tick.interval_s for tick in run])
    found = np.stack([fit.velocity for fit in fits if fit is not None])
    return np.stack([np.interp(times, times[known], found[:, axis]) for axis in range(3)], axis=1)


def _recentred(tick: Tick) -> Tick:
    place = displacement(tick.scan)
    return replace(tick, scan=np.column_stack([tick.scan[:, :3] - place, tick.scan[:, 3:]]))


def _window(fresh: list[int], k: int, accumulate: int) -> tuple[int, int, int]:
    """Positions in a run: of the k-th distinct scan, and of the first and the last that join its target."""
    return fresh[k], fresh[max(0, k - accumulate)], fresh[min(len(fresh) - 1, k + accumulate)]


def _entry(sequence: str, stamp: float, name: str, number: int, window: tuple[int, int, int]) -> Entry:
    own, first, last = window
    refused = "no neighbouring scan to accumulate" if first == last else ""
    return Entry(sequence, stamp, f"{name} {number + own} {number + first} {number + last}", refused=refused)


def _number(path: Path) -> int:
    return int(path.stem.rsplit("-", 1)[1])


def _recordings(root: Path) -> dict[tuple[str, str], dict[int, Path]]:
    """(folder, recording) -> sample number -> file."""
    recordings: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    for path in visible.below(root, root.rglob("*.json")):
        if not (name := NAME.fullmatch(path.name)):
            raise InputError(f"{path}: expected radar_seqs-S_samples-K.json as name")
        recordings[path.parent.relative_to(root).as_posix(), name[1]][int(name[2])] = path
    if not recordings:
        raise InputError(f"{root}: expected radar_seqs-S_samples-K.json files in it or below, got none")
    return recordings
