"""Command results: what evaluate measured, and where to look."""

from pathlib import Path

from echoes.errors import InputError
from echoes.reports import tables


def results(metrics: Path, markdown: bool) -> str:
    """The tables of each evaluated track and of its folds, and the paths of its pictures.

    Raises InputError where there is none.
    """
    form = tables.markdown if markdown else tables.plain
    lines = [*tables.latest(metrics, form), *tables.folds(metrics, form)]
    if not lines:
        told = "expected <track>/evaluate.json or folds.json, which the stages evaluate and folds write"
        raise InputError(f"{metrics}: {told}; got none")
    for path in sorted(metrics.glob("*/evaluate.json")):
        pictures = sorted((path.parent / "plots" / "evaluate").glob("*.png"))
        lines += [f"picture of {path.parent.name}: {picture}" for picture in pictures]
    return "\n".join(lines)
