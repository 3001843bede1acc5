"""Stage voxelize: recordings -> the grids of a track: sparse cells of radar and target, or labelled spectrograms."""

from pathlib import Path

from echoes import arrays, metrics, params
from echoes.entry import run
from echoes.readers.choice import READERS, Reader
from echoes.voxelization.families import Layout, Split, writer_of


def main(track: str) -> None:
    reader = params.load(Reader, f"{track}.source.reader")
    source = params.load(READERS[reader].Source, f"{track}.source")
    layout = params.load(Layout, f"{track}.grid")
    split = params.load(Split, f"{track}.split")
    write = writer_of(track, source, layout, split)
    with arrays.writing(Path("data", track, "grids.zarr")) as writer:
        table = Path("metrics", track, "plots", "stamps.csv")
        statistics = write(Path("data", "raw", track), source, layout, split, writer, table)
    metrics.write(Path("metrics", track, "voxelize.json"), statistics)


if __name__ == "__main__":
    run(main)
