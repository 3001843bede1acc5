"""Stage sample: every method of a track -> what it makes, and how long each took."""

from pathlib import Path

from echoes import arrays, metrics, params
from echoes.choices import telling
from echoes.compute.device import best_device
from echoes.compute.precision import computing
from echoes.dataset import catalog
from echoes.entry import run
from echoes.models import families, trained


def main(track: str) -> None:
    p = params.load(trained.SampleParams, f"{track}.sample")
    telling.tell("sample", track, lambda section: p.CHOICES)
    data = Path("data", track)
    grids = catalog.read(data / "grids.zarr")
    made = trained.load(data, grids, best_device())
    made.tile(p.tiles)
    sampling = families.sampling(grids.family).Sampling(made, grids, p)
    with computing(p.precision), arrays.writing(data / "samples.zarr") as writer:
        sampling.write(writer)
    metrics.write(Path("metrics", track, "sample.json"), sampling.timings())


if __name__ == "__main__":
    run(main)
