"""Stage voxelize: recordings -> sparse cells of radar and target, split, with what was observed."""

from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm

from echoes import arrays, files, metrics, params
from echoes.dataset.grids import GridsWriter
from echoes.entry import run
from echoes.readers.choice import READERS, Source
from echoes.readers.splits import BySequence, ByTime, assign
from echoes.voxelization import pairs, stamps
from echoes.voxelization.parallel import WHERE, ordered
from echoes.voxelization.statistics import Statistics
from echoes.voxelization.views import views


def main(track: str) -> None:
    source = params.load(Source, f"{track}.source")
    layout = params.load(pairs.GridParams, f"{track}.grid")
    split = params.load(BySequence | ByTime, f"{track}.split")
    root, grid, reader = Path("data", "raw", track), layout.grid(), READERS[source.reader]
    listed = reader.index(root, source)
    usable = stamps.usable(listed, root)
    splits = assign(usable, split)
    chosen = views(usable, splits, layout.copies)
    work = partial(pairs.prepare, reader.read, root, source, layout)
    statistics = Statistics(listed=len(listed), refused=len(listed) - len(usable), purged=splits.count("purged"))
    with arrays.writing(Path("data", track, "grids.zarr")) as writer:
        grids = GridsWriter(writer, grid)
        found = ordered(work, chosen, source.workers, source.scheduler)
        for pair, view in zip(tqdm(found, "voxelize", len(chosen), mininterval=1.0), chosen, strict=True):
            statistics.take(pair, view.split)
            if pair is not None:
                grids.append(pair.sequence, pair.stamp, view.split, pair.radar, pair.target, pair.observed)
        recording = {name: value for name, value in asdict(source).items() if name not in WHERE}
        made_with = {"source": recording, "grid": asdict(layout), "split": asdict(split)}
        grids.seal(grid, made_with, layout.scaling, source.ego_motion, {"raw": files.digest(root)})
    stamps.write(listed, Path("metrics", track, "plots", "stamps.csv"))
    metrics.write(Path("metrics", track, "voxelize.json"), statistics.summary())


if __name__ == "__main__":
    run(main)
