"""Command results --worst: the frames on which each method of a track of clouds is farthest from the target."""

from pathlib import Path

import pandas as pd

from echoes.arrays import Reader
from echoes.errors import InputError
from echoes.reports import tables

TABLE = "plots/evaluate/frames.csv"  # of the stage evaluate, in the folder of the metrics of a track
MEASURED = "chamfer_m"


def worst(metrics: Path, data: Path, count: int) -> str:
    """A table for each evaluated track of clouds: for each method its `count` worst frames, by its Chamfer distance
    beside that of what goes in.

    Raises InputError where no track has been evaluated, and where the grids of one are not there.
    """
    paths = sorted(metrics.glob(f"*/{TABLE}"))
    if not paths:
        raise InputError(f"{metrics}: expected <track>/{TABLE}, which the stage evaluate writes of clouds; got none")
    return "\n".join(_table(path, data, count) for path in paths)


def distances(frames: pd.DataFrame) -> pd.DataFrame:
    """Frames, methods as columns -> Chamfer distance of points [m]; the first method is what goes in."""
    points = frames[frames["protocol"] == "points"]
    return points.pivot(index="frame", columns="method", values=MEASURED)[list(points["method"].unique())]


def _table(path: Path, data: Path, count: int) -> str:
    track = path.relative_to(path.parents[3]).parts[0]
    found = distances(pd.read_csv(path))
    rows = ranked(found, data / track / "grids.zarr", count)
    return f"{track}: {MEASURED} of points, {count} worst of {len(found)} frames\n\n{tables.aligned(rows)}"


def ranked(found: pd.DataFrame, grids: Path, count: int) -> list[list[str]]:
    """A header, and for each method its `count` worst frames; found: as `distances` gives it."""
    where = places(grids)
    of, (given, *methods) = found.to_dict(), map(str, found.columns)
    rows = [["method", "frame", "sequence", "stamp s", f"{given} m", "method m", "ratio"]]
    for method in methods:
        ratios = (found[method] / found[given]).nlargest(count)
        for frame, ratio in zip(ratios.index.tolist(), ratios.tolist(), strict=True):
            own, others = of[method][frame], of[given][frame]
            rows.append([method, str(frame), *where[frame], f"{others:.2f}", f"{own:.2f}", f"{ratio:.2f}"])
    return rows


def places(grids: Path) -> list[tuple[str, str]]:
    """Of each frame the sequence that it is of, and its stamp."""
    reader = Reader(grids, "grids")
    names = reader.header.content["sequences"]
    found = zip(reader.all("sequence"), reader.all("stamp"), strict=True)
    return [(str(names[int(number)]), f"{stamp:.2f}") for number, stamp in found]
