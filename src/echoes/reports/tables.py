"""What `evaluate` measured -> a table: Markdown for a document, plain for a terminal."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from echoes.errors import InputError
from echoes.metric_order import METRIC_ORDER

Evaluation = Mapping[str, Any]  # evaluate.json: a flat block per method, and single numbers such as `threshold`


def markdown(evaluation: Evaluation) -> str:
    """One row per method: the mean, and its 95 % interval in brackets where it has one."""
    header, *rows = cells(evaluation)
    lines = [" | ".join([name, *(f"{value} {around}".strip() for value, around in row)]) for name, row in rows]
    rule = " | ".join(["---", *("---:" for _ in header[1])])
    head = " | ".join([header[0], *(name for name, _ in header[1])])
    return "".join(f"| {line} |\n" for line in [head, rule, *lines])


def plain(evaluation: Evaluation) -> str:
    """The same in aligned columns, the interval below its mean."""
    rows = []
    for name, row in cells(evaluation):
        rows += [[name, *(mean for mean, _ in row)], ["", *(interval for _, interval in row)]]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equally many texts in columns, the first to the left, the others to the right; without empty rows."""
    first, *widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for label, *texts in rows:
        columns = [text.rjust(width) for text, width in zip(texts, widths, strict=True)]
        lines.append("  ".join([label.ljust(first), *columns]).rstrip())
    return "".join(f"{line}\n" for line in lines if line)


def caption(track: str, evaluation: Evaluation) -> str:
    """`radar: frames 64, threshold 0.46`."""
    singles = [f"{key} {number(value)}" for key, value in evaluation.items() if not isinstance(value, Mapping)]
    return f"{track}: {', '.join(singles)}" if singles else track


def latest(folder: Path, form: Callable[[Evaluation], str] = plain) -> list[str]:
    """The table of every track below `folder` that has been evaluated, by name, in the form `plain` or `markdown`."""
    parts = []
    for path in sorted(folder.glob("*/evaluate.json")):
        evaluation = _read(path)
        parts.append(f"{caption(path.parent.name, evaluation)}\n\n{form(evaluation)}")
    return parts


def folds(folder: Path, form: Callable[[Evaluation], str] = plain) -> list[str]:
    """The table of every track below `folder` whose folds were evaluated: their points, over all folds."""
    parts = []
    for path in sorted(folder.glob("*/folds.json")):
        found = _read(path)
        parts.append(f"{caption(f'{path.parent.name}, points of all folds', found)}\n\n{form(of_points(found))}")
    return parts


def of_points(evaluation: Evaluation) -> Evaluation:
    """The numbers of points alone, of each method."""
    methods = {name: block for name, block in evaluation.items() if isinstance(block, Mapping)}
    return {name: {k: v for k, v in block.items() if k.startswith("points_")} for name, block in methods.items()}


def _read(path: Path) -> Evaluation:
    try:
        evaluation: Evaluation = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected JSON, got {error}") from error
    return evaluation


def cells(evaluation: Evaluation) -> list[tuple[str, list[tuple[str, str]]]]:
    """Header and rows: the name of the method, and (mean, interval) as text for each column that any method has."""
    methods = {name: block for name, block in evaluation.items() if isinstance(block, Mapping)}
    columns = [column for column in METRIC_ORDER if any(column in block for block in methods.values())]
    rows = [(name, [(number(b.get(c)), _interval(b, c)) for c in columns]) for name, b in methods.items()]
    return [("method", [(column, "") for column in columns]), *rows]


def _interval(block: Mapping[str, Any], key: str) -> str:
    lo, hi = block.get(f"{key}_lo"), block.get(f"{key}_hi")
    return "" if lo is None or hi is None else f"[{number(lo)}, {number(hi)}]"


def number(value: float | None) -> str:
    """About 3 digits, and 2 of what is small; `-` for what no frame had."""
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}" if abs(value) >= 0.01 or not value else f"{value:.2g}"
