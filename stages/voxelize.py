"""Stage voxelize: recordings -> the grids of a track: sparse cells of radar and target, or labelled spectrograms."""

from pathlib import Path

from echoes import arrays, metrics, params
from echoes.choices import telling, voxelizing
from echoes.compute.workers import Workers
from echoes.entry import run
from echoes.judging.stops import Inspect
from echoes.readers.catalog import READERS, family_of
from echoes.voxelization import families


def main(track: str) -> None:
    reader = params.load(str, f"{track}.source.reader")
    voxelizer = families.voxelizer(family_of(reader, f"{track}.source.reader"))
    source = params.load(READERS[reader].Source, f"{track}.source")
    layout = params.load(voxelizer.Layout, f"{track}.grid")
    split = params.load(voxelizer.Split, f"{track}.split")
    inspect = params.load(Inspect, f"{track}.inspect")
    workers = params.load(Workers, "runtime.workers")
    voxelizer.require(track, reader, layout, split)
    inspect.require_known(voxelizer.FINDINGS, f"{track}.inspect")
    telling.tell("voxelize", track, {"source": voxelizing.source(reader), "grid": voxelizing.GRID}.get)
    with arrays.writing(Path("data", track, "grids.zarr")) as writer:
        table = Path("metrics", track, "plots", "stamps.csv")
        statistics = voxelizer.write(Path("data", "raw", track), source, layout, split, workers, writer, table)
        metrics.write(Path("metrics", track, "voxelize.json"), statistics)
        inspect.require_sane(statistics.get("findings", {}), f"{track}.inspect")


if __name__ == "__main__":
    run(main)
