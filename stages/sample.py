"""Stage sample: every method of a track -> what it makes, and how long each took."""

from pathlib import Path

from echoes import arrays, metrics, params
from echoes.choices import telling
from echoes.compute.device import best_device
from echoes.compute.precision import computing
from echoes.compute.workers import Workers
from echoes.dataset import catalog
from echoes.entry import run
from echoes.models import families, mapping, trained


def main(track: str) -> None:
    p, workers = params.load(trained.SampleParams, f"{track}.sample"), params.load(Workers, "runtime.workers")
    telling.tell("sample", track, lambda section: p.CHOICES)
    data, device = Path("data", track), best_device()
    grids = catalog.read(data / "grids.zarr")
    frame_map = mapping.frame_map("sample", data, workers, p.precision, device)
    sampling = families.sampling(grids.family).Sampling(trained.load(data, grids, device), grids, p, frame_map)
    with computing(p.precision), arrays.writing(data / "samples.zarr") as writer:
        sampling.write(writer)
    metrics.write(Path("metrics", track, "sample.json"), sampling.timings())


if __name__ == "__main__":
    run(main)
