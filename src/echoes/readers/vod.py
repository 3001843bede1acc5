"""View-of-Delft, in the layout of KITTI: frames of a ZF FRGen21 4D radar and a Velodyne HDL-64.

    <radar>/training/velodyne/NNNNN.bin   float32 (N, 7) x, y, z [m], RCS [dBsm], v_r, v_r_compensated [m/s], time
    <radar>/training/calib/NNNNN.txt      Tr_velo_to_cam: radar -> camera, 3 rows of 4
    <radar>/training/pose/NNNNN.json      odomToCamera 4x4; optional
    lidar/training/velodyne/NNNNN.bin     float32 (N, 4) x, y, z [m], reflectance
    lidar/training/calib/NNNNN.txt        Tr_velo_to_cam: LiDAR -> camera

`<radar>` is the parameter `radar`: radar, or a folder of accumulated scans such as radar_3_scans. Power is the
RCS. v_r is relative; its sign is a parameter, because the data set does not state it (`echoes inspect` checks it).
The frames carry no stamps: they follow the LiDAR at 10 Hz, so the number gives the stamp, and the stamp
difference of a pair (below 40 ms by the authors' choice) is not known. A sequence is a run of
consecutive numbers, cut where two poses lie farther apart than the vehicle can drive: the drives of the data
set are numbered through. odomToCamera takes camera coordinates to odom (its height is the camera's, 1.3 m).
Names of six digits, as of KITTI, are read as well.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes.errors import InputError
from echoes.readers import float_rows, tables, visible
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import MOVED, RADAR_COLUMNS, TARGET_COLUMNS, EgoMotion, Entry, Frame, check_points

PERIOD_S = 0.1
NUMBER = re.compile("[0-9]{5,6}")  # six, as those of KITTI


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["vod"]
    ego_motion: EgoMotion
    doppler: Doppler
    radar: str  # folder of the radar
    doppler_sign: Literal[1, -1]  # of v_r when a point recedes
    reflectivity_max: float  # reflectance that becomes 1

    def __post_init__(self) -> None:
        if self.reflectivity_max <= 0:
            raise InputError(f"reflectivity_max: expected more than 0, got {self.reflectivity_max}")


def index(root: Path, source: Source) -> list[Entry]:
    """The frames in order of their number; every frame has its LiDAR, calibrations and pose, or none has."""
    numbers = _numbers(root / source.radar / "training/velodyne")
    for folder, suffix in _needed(root, source):
        for number in numbers:
            if not (path := folder / f"{number}{suffix}").is_file():
                raise InputError(f"{path}: no such file; {source.radar} has frame {number}")
    entries: list[Entry] = []
    places = [_place(root, source, number) for number in numbers]
    for i, number in enumerate(numbers):
        joined = i > 0 and int(number) == int(numbers[i - 1]) + 1 and _drivable(places[i - 1], places[i], source)
        sequence = entries[-1].sequence if joined else f"vod-{number}"
        entries.append(Entry(sequence, PERIOD_S * int(number), number))
    return entries


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: Doppler positive = receding, LiDAR in the radar's frame."""
    path = root / source.radar / "training/velodyne" / f"{entry.key}.bin"
    rows = _floats(path, 7)
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a NaN, which the check takes
        radar = rows[:, [0, 1, 2, 4, 3]] * np.array([1, 1, 1, source.doppler_sign, 1], dtype=np.float32)
    target, origin = None, (0.0, 0.0, 0.0)
    if (root / "lidar").is_dir():
        target, origin = _lidar(root, source, entry.key)
    return Frame(
        entry.sequence,
        entry.stamp,
        check_points(radar, RADAR_COLUMNS, path),
        target,
        origin,
        _velocity(root, source, entry.key),
        _place(root, source, entry.key),
    )


def _needed(root: Path, source: Source) -> list[tuple[Path, str]]:
    radar, lidar = root / source.radar / "training", root / "lidar/training"
    needed = [(radar / "pose", ".json")] if (radar / "pose").is_dir() else []
    if (root / "lidar").is_dir():
        needed += [(lidar / "velodyne", ".bin"), (lidar / "calib", ".txt")]
    return [*needed, (radar / "calib", ".txt")] if needed else []


def _numbers(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected NNNNN.bin in it")
    names = [path.stem for path in visible.below(folder, folder.glob("*.bin"))]
    if not names:
        raise InputError(f"{folder}: expected NNNNN.bin, got none")
    for name in names:
        if not NUMBER.fullmatch(name) or len(name) != len(names[0]):
            raise InputError(f"{folder}: expected names of five digits, or all of six, got {name!r}")
    return names


def _floats(path: Path, columns: int) -> np.ndarray:
    """(N, columns) float32."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        return float_rows.load(path, columns)
    except ValueError as error:
        expected = f"expected rows of {columns} float32 ({4 * columns} bytes)"
        raise InputError(f"{path}: {expected}, got {error}; the reader clouds takes other columns") from error


def _lidar(root: Path, source: Source, number: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    path = root / "lidar/training/velodyne" / f"{number}.bin"
    rows = _floats(path, 4)
    check_points(rows, TARGET_COLUMNS, path)
    reflectivity = rows[:, 3] / source.reflectivity_max
    if len(rows) and (reflectivity.min() < 0 or reflectivity.max() > 1):
        got = f"{rows[:, 3].min()}..{rows[:, 3].max()}"
        raise InputError(f"{path}: expected reflectance 0..{source.reflectivity_max} (reflectivity_max), got {got}")
    to_camera = _to_camera(root / "lidar/training/calib" / f"{number}.txt")
    to_radar = np.linalg.inv(_to_camera(_radar_calibration(root, source, number))) @ to_camera
    xyz = rows[:, :3] @ to_radar[:3, :3].T + to_radar[:3, 3]
    x, y, z = to_radar[:3, 3].tolist()
    return check_points(np.column_stack([xyz, reflectivity]), TARGET_COLUMNS, path), (x, y, z)


def _radar_calibration(root: Path, source: Source, number: str) -> Path:
    return root / source.radar / "training/calib" / f"{number}.txt"


def _to_camera(path: Path) -> np.ndarray:
    """(4, 4) sensor -> camera."""
    for line in tables.text(path).splitlines():
        name, _, values = line.partition(":")
        if name == "Tr_velo_to_cam":
            return _matrix(values.split(), f"{path}: Tr_velo_to_cam", 3)
    raise InputError(f"{path}: expected a line Tr_velo_to_cam: and 12 numbers, got none")


def _matrix(values: list[str] | list[float], origin: str, rows: int) -> np.ndarray:
    """(4, 4) rigid transform from `rows` of 4 numbers."""
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{origin}: expected {4 * rows} numbers, got: {error}") from error
    if numbers.shape != (4 * rows,):
        raise InputError(f"{origin}: expected {4 * rows} numbers, got {numbers.size}")
    return tables.rigid(np.concatenate([numbers, [0, 0, 0, 1]])[:16].reshape(4, 4).tolist(), origin)


def _place(root: Path, source: Source, number: str) -> np.ndarray | None:
    """(4, 4) radar -> odom, or None where no poses were recorded."""
    folder = root / source.radar / "training/pose"
    if not folder.is_dir():
        return None
    path = folder / f"{number}.json"
    for line in tables.text(path).splitlines():  # one JSON object per line: odom, map, UTM
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: expected a JSON object per line, got: {error}") from error
        if isinstance(found, dict) and isinstance(found.get("odomToCamera"), list):
            camera = _matrix(found["odomToCamera"], f"{path}: odomToCamera", 4)
            return camera @ _to_camera(_radar_calibration(root, source, number))
    raise InputError(f"{path}: expected odomToCamera and 16 numbers, got none")


def _drivable(before: np.ndarray | None, after: np.ndarray | None, source: Source) -> bool:
    if before is None or after is None:
        return True
    return bool(np.linalg.norm(after[:3, 3] - before[:3, 3]) <= source.doppler.max_speed_mps * PERIOD_S)


def _velocity(root: Path, source: Source, number: str) -> np.ndarray | None:
    """(3,) velocity of the radar in its own frame [m/s], from the poses before and after; None without them."""
    own = _place(root, source, number)
    if own is None:
        return None
    places = {0: own}
    for step in (-1, 1):
        name = f"{int(number) + step:0{len(number)}d}"
        if (root / source.radar / "training/pose" / f"{name}.json").is_file():
            place = _place(root, source, name)
            if place is not None and _drivable(own, place, source):
                places[step] = place
    if len(places) == 1:
        return None
    seconds = PERIOD_S * (max(places) - min(places))
    moved = places[max(places)][:3, 3] - places[min(places)][:3, 3]
    return own[:3, :3].T @ moved / seconds
