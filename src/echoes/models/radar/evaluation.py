"""What the stage evaluate does for a radar track."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echoes.dataset.grids import Grids
from echoes.models.mapping import FrameMap
from echoes.models.radar import comparison
from echoes.models.radar.comparison import CloudEvaluation
from echoes.reports import figures

Section = CloudEvaluation  # `<track>.evaluate`


def evaluate(
    grids: Grids,
    path: Path,
    timings: Mapping[str, Mapping[str, float]],
    p: CloudEvaluation,
    folder: Path,
    frame_map: FrameMap,
) -> dict[str, Any]:
    """The report; draws its figures into `folder`."""
    samples = comparison.Samples(path, grids)
    found = comparison.measured(samples, grids, p, frame_map)
    sets = comparison.as_sets(samples, grids, p.seed)
    report = comparison.report(samples, grids, found, sets, timings, p)
    comparison.write_table(samples, grids, found, folder / comparison.TABLE)
    rows = comparison.panels(samples, grids, p.panels)
    figures.birdseye(rows, grids.grid, folder / "birdseye.png", "height [m]")
    methods = {method: report[method] for method in samples.methods}
    figures.error_over_range(methods, ["chamfer_m", "f1@1.0m"], folder / "error_over_range.png")
    return report
