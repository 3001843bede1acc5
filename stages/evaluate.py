"""Stage evaluate: what every method made against the real test split -> metrics with intervals, and figures."""

from dataclasses import asdict
from pathlib import Path

from echoes import arrays, files, metrics, params, provenance
from echoes.compute.workers import Workers
from echoes.dataset import catalog
from echoes.entry import run
from echoes.models import families, mapping
from echoes.provenance import Header


def main(track: str) -> None:
    data, measured = Path("data", track), Path("metrics", track)
    grids = catalog.read(data / "grids.zarr")
    evaluation = families.evaluation(grids.family)
    p, workers = params.load(evaluation.Section, f"{track}.evaluate"), params.load(Workers, "runtime.workers")
    frame_map = mapping.frame_map("evaluate", data, workers, "float32", mapping.CPU)  # no network goes through frames
    timings = metrics.read(measured / "sample.json")
    with files.replacing(measured / "plots" / "evaluate") as figures:
        figures.mkdir()
        report = evaluation.evaluate(grids, data / "samples.zarr", timings, p, figures, frame_map)
    metrics.write(measured / "evaluate.json", report)
    parents = {"grids": grids.header, "samples": arrays.Reader(data / "samples.zarr", "samples").header}
    header = Header("evaluation", asdict(p), {kind: parent.identity for kind, parent in parents.items()})
    provenance.write(header, measured / "provenance.json", measured / "evaluate.json")


if __name__ == "__main__":
    run(main)
