"""Numbers -> metrics/<track>/<stage>.json: finite, rounded, stable in a diff."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echoes import files
from echoes.errors import InputError

DIGITS = 6  # significant ones: more is noise in a diff


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Write nested numbers as JSON, atomically.

    Raises ValueError, naming the key, for a number that is not finite. `None` (JSON's null) says
    that no frame had a value.
    """
    text = json.dumps(_rounded(values, ""), indent=2, allow_nan=False) + "\n"
    with files.replacing(path) as temporary:
        temporary.write_text(text)


def _rounded(value: Any, path: str) -> Any:
    if isinstance(value, Mapping):
        return {k: _rounded(v, f"{path}.{k}" if path else str(k)) for k, v in value.items()}
    if isinstance(value, bool | str | int | None):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{path}: expected a finite number, got {number}")
    return float(f"{number:.{DIGITS}g}")


def read(path: Path) -> Any:
    """What `write` wrote; raises InputError where the file is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected metrics in JSON, got {error}") from error
