"""Which numbers of evaluate.json docs/results.md explains: the keys in the first column of its tables."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"
APART = ("set_...", "radar_...")  # told of as a whole, and each of them by its name too


def unexplained(report: Mapping[str, Any]) -> list[str]:
    """The keys of a report, of its methods and beside them, that no row of a table is about.

    A row may be of a beginning (`points_...`) or of an end (`..._lo`) that keys have: the rest is explained elsewhere.
    """
    keys = [key for block in report.values() if isinstance(block, Mapping) for key in block]
    keys += [key for key, value in report.items() if not isinstance(value, Mapping)]
    told = _told()
    return [key for key in dict.fromkeys(keys) if not _explained(key, told)]


def _told() -> set[str]:
    cells = re.findall(r"^\| (`[^|]+) \|", PAGE.read_text(), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def _explained(key: str, told: set[str]) -> bool:
    if key in told:
        return True
    ends = [name.removeprefix("...") for name in told if name.startswith("...")]
    starts = [name.removesuffix("...") for name in told if name.endswith("...") and name not in APART]
    rests = [key.removesuffix(end) for end in ends if key.endswith(end)]
    rests += [key.removeprefix(start) for start in starts if key.startswith(start)]
    return any(_explained(rest, told) for rest in rests)
