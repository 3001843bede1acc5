"""Stage extract_latents: grids and an autoencoder -> latents of every frame, with whitening statistics."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from echoes import latentstore, metrics, params
from echoes.compute.device import best_device
from echoes.compute.precision import Precision, computing
from echoes.compute.workers import Workers
from echoes.dataset import catalog
from echoes.entry import run
from echoes.errors import InputError
from echoes.models import autoencoders, mapping
from echoes.models.extraction import Extraction
from echoes.provenance import require_parent


@dataclass(frozen=True)
class Params:
    format: latentstore.Format
    batch: int
    precision: Precision

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise InputError(f"batch: expected at least 2, got {self.batch}")


def main(track: str) -> None:
    p, workers = params.load(Params, f"{track}.latents"), params.load(Workers, "runtime.workers")
    data, device = Path("data", track), best_device()
    grids = catalog.read(data / "grids.zarr")
    vae, header = autoencoders.load(data / "vae.safetensors", device)
    require_parent(data / "vae.safetensors", header, grids.path, grids.header)
    extraction = Extraction(vae, grids, header)
    header_of = partial(extraction.header, asdict(p))
    frame_map = mapping.frame_map("extract_latents", data, workers, p.precision, device)
    with computing(p.precision):
        latentstore.write(data / "latents", p.format, extraction.batches(p.batch, frame_map), header_of)
    metrics.write(Path("metrics", track, "extract_latents.json"), extraction.statistics())


if __name__ == "__main__":
    run(main)
