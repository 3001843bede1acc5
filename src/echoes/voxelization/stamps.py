"""Which entries may be used, where their clock jumps back, and how far the stamps of their sensors are apart."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

from echoes import files
from echoes.errors import InputError
from echoes.readers import clocks
from echoes.readers.frames import Entry


def usable(entries: Sequence[Entry], root: Path) -> list[Entry]:
    """The entries that their reader did not refuse; raises InputError where none is left."""
    left = [entry for entry in entries if not entry.refused]
    if not left:
        reason = entries[0].refused if entries else "the recording lists none"
        raise InputError(f"{root}: expected frames to use, got none ({reason})")
    if len(left) < len(entries):
        first = next(entry for entry in entries if entry.refused)
        logging.info(
            "voxelize: %d of %d frames refused, the first: %s", len(entries) - len(left), len(entries), first.refused
        )
    return left


def clock_jumps(entries: Sequence[Entry]) -> int:
    """How often the clock of the recording jumps back; says so where it does."""
    if told := clocks.told(entries):
        logging.info("voxelize: %s", told)
    return sum(entry.jumps_back for entry in entries)


def write(entries: Sequence[Entry], path: Path) -> None:
    """The signed difference LiDAR minus radar of every pair [s], the refused ones too, as CSV."""
    with files.replacing(path) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["sequence", "stamp_s", "lidar_minus_radar_s", "refused"])
        for entry in entries:
            offset = "" if entry.offset_s is None else f"{entry.offset_s:.6f}"
            table.writerow([entry.sequence, f"{entry.stamp:.6f}", offset, entry.refused])
