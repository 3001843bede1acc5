"""Stage sample: every method on the frames of the test split -> clouds, and how long each took."""

from pathlib import Path

from echoes import arrays, latentstore, metrics, params
from echoes.dataset.grids import Grids
from echoes.entry import run
from echoes.models.sampling import SampleParams, Sampling
from echoes.training import device


def main(track: str) -> None:
    p = params.load(SampleParams, f"{track}.sample")
    data = Path("data", track)
    grids, latents = Grids(data / "grids.zarr"), latentstore.read(data / "latents")
    sampling = Sampling(data, grids, latents, p, device.best())
    with arrays.writing(data / "samples.zarr") as writer:
        for method in sampling.methods:
            for cloud in sampling.clouds(method):
                writer.append_ragged(f"{method}_indices", cloud.indices)
                writer.append_ragged(f"{method}_features", cloud.features)
        writer.append("frame", sampling.frames)
        writer.seal(sampling.header())
    metrics.write(Path("metrics", track, "sample.json"), sampling.timings())


if __name__ == "__main__":
    run(main)
