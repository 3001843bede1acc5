"""Stage augment: real recordings and a track's generator -> what generated spectrograms bring a classifier."""

from pathlib import Path

from echoes import metrics, params
from echoes.compute.device import best_device
from echoes.dataset import catalog
from echoes.entry import run
from echoes.models.microdoppler import curves


def main(track: str) -> None:
    p: curves.AugmentParams = params.load(curves.AugmentParams, f"{track}.augment")
    data = Path("data", track)
    grids = curves.require_spectrograms(catalog.read(data / "grids.zarr"))
    sampler = curves.generator(data / "vae.safetensors", data / "cd.safetensors", grids, p.judge.seed, best_device())
    metrics.write(Path("metrics", track, "augment.json"), curves.report(grids, sampler, p))


if __name__ == "__main__":
    run(main)
