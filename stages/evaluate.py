"""Stage evaluate: clouds of every method against the targets -> metrics with intervals, and figures."""

from dataclasses import dataclass
from pathlib import Path

from echoes import metrics, params
from echoes.dataset.grids import Grids
from echoes.entry import run
from echoes.models import comparison
from echoes.reports import figures


@dataclass(frozen=True)
class Params:
    resamples: int
    seed: int
    panels: int


def main(track: str) -> None:
    p = params.load(Params, f"{track}.evaluate")
    data, measured = Path("data", track), Path("metrics", track)
    grids = Grids(data / "grids.zarr")
    samples = comparison.Samples(data / "samples.zarr", grids)
    report = comparison.report(samples, grids, metrics.read(measured / "sample.json"), p.seed, p.resamples)
    metrics.write(measured / "evaluate.json", report)
    rows = comparison.panels(samples, grids, p.panels)
    figures.birdseye(rows, grids.grid, measured / "plots" / "birdseye.png", "height [m]")
    figures.error_over_range(report, ["chamfer_m", "f1@1.0m"], measured / "plots" / "error_over_range.png")


if __name__ == "__main__":
    run(main)
