"""Astyx HiRes 2019: frames of an Astyx 6455 4D radar and a Velodyne VLP-16, with annotated boxes.

    radar_6455/NNNNNN.txt          X Y Z [m] V_r [m/s] Mag [dB]
    lidar_vlp16/NNNNNN.txt         X Y Z [m] Reflectivity 0..255, LaserID, Timestamp [us since the hour]
    calibration/NNNNNN.json        sensors[].calib_data.T_to_ref_COS: sensor -> reference = radar
    groundtruth_obj3d/NNNNNN.json  objects[]: center3d, dimension3d [m], orientation_quat (w, x, y, z)

The tables may be gzip files (.txt.gz). Only radar_6455/ is needed to enhance. V_r is positive = approaching
(found by fitting one ego velocity to each of 80 frames), so its sign is turned here; it repeats after
10.3936 m/s (128 bins of .0812 m/s). The radar files carry no stamps: a frame takes the stamp of the first
return of its LiDAR turn, unwrapped over the hours, and has no stamp difference; without LiDAR its number
stands in, at the LiDAR's 10 Hz. Runs of consecutive numbers are the sequences, named by their first one
(`astyx-42`; the first of all is `astyx-0`); where the clock jumps back, as at frame 379 of the set as published,
another drive begins and with it a sequence.
"""

import re
import reprlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from echoes.errors import InputError
from echoes.readers import clocks, tables, visible
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import (
    MAX_VALUE,
    MOVED,
    RADAR_COLUMNS,
    TARGET_COLUMNS,
    Box,
    EgoMotion,
    Entry,
    Frame,
    check_points,
)

RADAR, LIDAR, CALIBRATION, BOXES = "radar_6455", "lidar_vlp16", "calibration", "groundtruth_obj3d"
RADAR_HEADER = ("X", "Y", "Z", "V_r", "Mag")
LIDAR_HEADER = ("X", "Y", "Z", "Reflectivity", "LaserID", "Timestamp")
NUMBER = re.compile("[0-9]{6}")
HOUR_S = 3600.0
PERIOD_S = 0.1  # of a turn of the LiDAR


@dataclass(frozen=True)
class Source:
    """Where the frames come from, in params.yaml."""

    RENAMED: ClassVar = MOVED

    reader: Literal["astyx"]
    ego_motion: EgoMotion
    doppler: Doppler


def index(root: Path, source: Source) -> list[Entry]:
    """The frames of the recording in order of their number; every file of a frame must be there."""
    numbers = _numbers(root / RADAR)
    stamps = _stamps(root, numbers) if (root / LIDAR).is_dir() else [PERIOD_S * int(n) for n in numbers]
    for folder in (CALIBRATION if (root / LIDAR).is_dir() else "", BOXES if (root / BOXES).is_dir() else ""):
        for number in numbers if folder else ():
            if not (path := root / folder / f"{number}.json").is_file():
                raise InputError(f"{path}: no such file; {root / RADAR} has frame {number}")
    jumps = clocks.jumps(stamps)
    listed = zip(_sequences(numbers, jumps), stamps, numbers, jumps, strict=True)
    return [Entry(sequence, stamp, number, jumps_back=jumped) for sequence, stamp, number, jumped in listed]


def read(root: Path, source: Source, entry: Entry) -> Frame:
    """One frame: Doppler positive = receding, LiDAR in the radar's frame, reflectivity / 255."""
    path = _table(root / RADAR, entry.key)
    radar = tables.read(path, RADAR_HEADER) * np.array([1, 1, 1, -1, 1])
    target, origin = (None, (0.0, 0.0, 0.0)) if not (root / LIDAR).is_dir() else _lidar(root, entry.key)
    boxes = _boxes(root / BOXES / f"{entry.key}.json") if (root / BOXES).is_dir() else ()
    radar = check_points(radar, RADAR_COLUMNS, path)
    return Frame(entry.sequence, entry.stamp, radar, target, origin, boxes=boxes)


def _numbers(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected NNNNNN.txt or NNNNNN.txt.gz in it")
    names = sorted(path.name.split(".")[0] for path in visible.below(folder, folder.glob("*.txt*")))
    if not names:
        raise InputError(f"{folder}: expected NNNNNN.txt or NNNNNN.txt.gz, got none")
    for name in names:
        if not NUMBER.fullmatch(name):
            raise InputError(f"{folder}: expected names of six digits, got {name!r}")
    for name, following in pairwise(names):
        if name == following:
            raise InputError(f"{folder}: expected one file for frame {name}, got {name}.txt and {name}.txt.gz")
    return names


def _table(folder: Path, number: str) -> Path:
    plain, packed = folder / f"{number}.txt", folder / f"{number}.txt.gz"
    return plain if plain.is_file() else packed


def _sequences(numbers: list[str], jumps: list[bool]) -> list[str]:
    names = ["astyx-0"]
    for (before, number), jumped in zip(pairwise(map(int, numbers)), jumps[1:], strict=True):
        names.append(names[-1] if number == before + 1 and not jumped else f"astyx-{number}")
    return names


def _stamps(root: Path, numbers: list[str]) -> list[float]:
    """Seconds since the first hour; the clock of the LiDAR starts again with every hour, and may jump back."""
    seconds: list[float] = []
    hours = 0
    for number in numbers:
        path = _table(root / LIDAR, number)
        first = tables.first_row(path, LIDAR_HEADER)[5] * 1e-6
        if not 0 <= first < HOUR_S:
            raise InputError(f"{path}: expected a Timestamp of 0 to 3.6e9 us, got {first * 1e6:.0f}")
        # Half an hour back is a new hour; less is another drive.
        hours += bool(seconds) and first + hours * HOUR_S < seconds[-1] - HOUR_S / 2
        seconds.append(first + hours * HOUR_S)
    return seconds


def _lidar(root: Path, number: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    """The LiDAR's returns in the radar's frame, and where its rays start there."""
    path = _table(root / LIDAR, number)
    rows = tables.read(path, LIDAR_HEADER)
    if len(rows) and not ((rows[:, 3] >= 0) & (rows[:, 3] <= 255)).all():
        raise InputError(f"{path}: expected Reflectivity 0..255, got {rows[:, 3].min()}..{rows[:, 3].max()}")
    check_points(rows[:, :4], TARGET_COLUMNS, path)
    matrix = _to_radar(root / CALIBRATION / f"{number}.json")
    points = np.column_stack([rows[:, :3] @ matrix[:3, :3].T + matrix[:3, 3], rows[:, 3] / 255])
    x, y, z = matrix[:3, 3].tolist()
    return check_points(points, TARGET_COLUMNS, path), (x, y, z)


def _to_radar(path: Path) -> np.ndarray:
    """(4, 4) LiDAR -> radar."""
    found = {}
    for sensor in tables.document(path, sensors=list)["sensors"]:
        try:
            found[sensor["sensor_uid"]] = sensor["calib_data"]["T_to_ref_COS"]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: expected sensor_uid and calib_data.T_to_ref_COS in each sensor") from error
    if not np.allclose(tables.rigid(found.get(RADAR), f"{path}: T_to_ref_COS of {RADAR}"), np.eye(4)):
        raise InputError(f"{path}: expected the radar as reference (T_to_ref_COS of {RADAR} the identity)")
    return tables.rigid(found.get(LIDAR), f"{path}: T_to_ref_COS of {LIDAR}")


def _boxes(path: Path) -> tuple[Box, ...]:
    boxes = []
    for item in tables.document(path, objects=list)["objects"]:
        try:
            numbers = np.array([*item["center3d"], *item["dimension3d"], *item["orientation_quat"]], dtype=np.float64)
            label = str(item["classname"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{path}: expected {_BOX} in each object, got {reprlib.repr(item)}") from error
        if numbers.shape != (10,) or not (np.abs(numbers) <= MAX_VALUE).all():
            raise InputError(f"{path}: expected 3, 3 and 4 numbers for {_BOX}, got {numbers.tolist()}")
        w, x, y, z = numbers[6:].tolist()
        yaw_rad = float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
        centre_x, centre_y, centre_z, length, width, height = numbers[:6].tolist()
        boxes.append(Box(label, (centre_x, centre_y, centre_z), (length, width, height), yaw_rad))
    return tuple(boxes)


_BOX = "center3d, dimension3d, orientation_quat and classname"
