"""Stage evaluate: what every method made against the real test split -> metrics with intervals, and figures."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from echoes import arrays, files, metrics, params, provenance
from echoes.dataset import choice
from echoes.entry import run
from echoes.models.microdoppler import evaluation as spectrograms
from echoes.models.microdoppler.comparison import SpectrogramEvaluation
from echoes.models.radar import evaluation as clouds
from echoes.models.radar.comparison import CloudEvaluation
from echoes.provenance import Header

EVALUATE: dict[str, Callable[..., dict[str, Any]]] = {"radar": clouds.evaluate, "microdoppler": spectrograms.evaluate}


def main(track: str) -> None:
    p = params.load(CloudEvaluation | SpectrogramEvaluation, f"{track}.evaluate")
    data, measured = Path("data", track), Path("metrics", track)
    grids = choice.read(data / "grids.zarr")
    timings = metrics.read(measured / "sample.json")
    with files.replacing(measured / "plots" / "evaluate") as figures:
        figures.mkdir()
        report = EVALUATE[grids.family](grids, data / "samples.zarr", timings, p, figures)
    metrics.write(measured / "evaluate.json", report)
    parents = {"grids": grids.header, "samples": arrays.Reader(data / "samples.zarr", "samples").header}
    header = Header("evaluation", asdict(p), {kind: parent.identity for kind, parent in parents.items()})
    provenance.write(header, measured / "provenance.json", measured / "evaluate.json")


if __name__ == "__main__":
    run(main)
