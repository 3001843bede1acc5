"""Command results: what evaluate measured, and where to look."""

from pathlib import Path

from echoes.reports import tables


def results(metrics: Path) -> str:
    """The table of each evaluated track, and the path of its picture. Raises InputError where there is none."""
    lines = [tables.latest(metrics)]
    for path in sorted(metrics.glob("*/evaluate.json")):
        if (picture := path.parent / "plots" / "birdseye.png").is_file():
            lines.append(f"picture of {path.parent.name}: {picture}")
    return "\n".join(lines)
