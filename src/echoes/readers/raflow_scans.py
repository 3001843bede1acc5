"""The scans of the RaFlow recordings: pairs of them in JSON files, repeated and displaced by the authors' tool.

A file holds two scans, `interval` apart. In a run of consecutive files the second scan of one is the first
of the next. Between the scans of a file whose interval is 0 or less the clock jumped back: a run ends with the first,
and the next begins with the file behind, which has the second. About half of the scans repeat the measurement
before them: the radar had no new one, so its Doppler, power and RCS come again while the points are moved by the
(noisy) recorded pose. Points of one measurement that share range and Doppler bin (below: twins) show by how much
it was moved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from echoes.errors import InputError
from echoes.readers import tables
from echoes.readers.frames import check_points

COLUMNS = ("car_loc_x", "car_loc_y", "car_loc_z", "car_vel_r", "power", "rcs")
MIN_TWINS = 6
ROUNDS = 20  # of the reweighting; the residual of true twins falls below 1 mm in 5


@dataclass(frozen=True)
class Tick:
    """One scan of a run of files.

    scan        (N, 6) x, y, z [m], Doppler [m/s] positive = receding, power [dB], RCS [dBsm].
    interval_s  since the tick before; 0 at the start of a run.
    turn        (3, 3) its axes -> the axes of the tick before.
    jumped      the clock jumped back since the run before; only at the start of a run.
    """

    origin: Path
    scan: np.ndarray
    interval_s: float
    turn: np.ndarray
    jumped: bool


def ticks(paths: Sequence[Path]) -> Iterator[list[Tick]]:
    """The runs of scans in consecutive files of a recording, each scan once."""
    run: list[Tick] = []
    jumped = False
    for path in paths:
        content = tables.document(path, pc1=dict, pc2=dict, interval=tables.NUMBER, trans=list)
        first, second = (_scan(content[name], f"{path}: {name}") for name in ("pc1", "pc2"))
        if not abs(content["interval"]) < np.inf:
            raise InputError(f"{path}: expected an interval in s, got {content['interval']}")
        if run and not np.array_equal(run[-1].scan, first):
            yield run
            run = []
        run = run or [Tick(path, first, 0.0, np.eye(3), jumped)]
        jumped = content["interval"] <= 0
        if jumped:
            yield run
            run = []
            continue
        # trans takes the coordinates of the second scan to those of the first (p1 = R p2 + t).
        turn = tables.rigid(content["trans"], f"{path}: trans")[:3, :3]
        run.append(Tick(path, second, float(content["interval"]), turn, False))
    if run:
        yield run


def repeats(before: np.ndarray, scan: np.ndarray) -> bool:
    """Most points have the Doppler, power and RCS of a point of the scan before: no new measurement."""
    seen = set(map(tuple, before[:, 3:6].tolist()))
    return sum(tuple(point) in seen for point in scan[:, 3:6].tolist()) > len(scan) / 2


def displacement(scan: np.ndarray) -> np.ndarray:
    """(3,) where the radar stood among the points [m].

    Two points with the same Doppler and power come from one cell of the range-Doppler map, so they are as
    far from the radar: |a - t| = |b - t| is linear in t. Solved over all such twins with Cauchy weights,
    because a few of them share their values by chance. Zero for fewer than MIN_TWINS twins.
    """
    order = np.lexsort((scan[:, 3], scan[:, 4]))
    first, second = (scan[order[part]] for part in (slice(None, -1), slice(1, None)))
    twins = (first[:, 3:5] == second[:, 3:5]).all(axis=1) if len(scan) > 1 else np.zeros(0, bool)
    if twins.sum() < MIN_TWINS:
        return np.zeros(3)
    a, b = first[twins, :3], second[twins, :3]
    rows, right = 2 * (a - b), (a**2).sum(axis=1) - (b**2).sum(axis=1)
    weights = np.ones(len(rows))
    for _ in range(ROUNDS):
        place = np.linalg.lstsq(rows * weights[:, None], right * weights, rcond=None)[0]
        misfit = np.abs(rows @ place - right)
        weights = 1 / np.sqrt(1 + (misfit / (np.median(misfit) + 1e-6)) ** 2)
    return place


def _scan(cloud: dict[str, Any], origin: str) -> np.ndarray:
    lists = []
    for name in COLUMNS:
        values = cloud.get(name)
        if not isinstance(values, list):
            raise InputError(f"{origin}: expected {name} as a list, got {type(values).__name__}")
        lists.append(values)
    for name, values in zip(COLUMNS, lists, strict=True):
        if len(values) != len(lists[0]):
            raise InputError(f"{origin}: expected {len(lists[0])} values for {name}, got {len(values)}")
    try:
        scan = np.array(lists, dtype=np.float64).T
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{origin}: expected lists of numbers, got: {error}") from error
    if scan.ndim != 2:
        raise InputError(f"{origin}: expected lists of numbers, got lists of lists")
    scan = scan.reshape(-1, len(COLUMNS))
    check_points(scan, COLUMNS, origin)
    return scan
