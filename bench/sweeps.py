"""What earlier radar frames bring, by the validation frames of a track.

python bench/sweeps.py TRACK STEPS COUNT[,COUNT...] [FOLD ...]

Voxelizes the recordings of the track with one radar frame and with each COUNT, and trains the regression alone for
STEPS with the schedule of `ldm`, on each of the folds where it is split by stretch. Prints ratios to the radar's own
frame, with 95 % intervals over stretches to that of one sweep, and how long each took. No test frame is looked at.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import machine
from few_frames import Scores, against_radar, fitted

from echoes import arrays, params
from echoes.compute.device import best_device
from echoes.compute.workers import Workers
from echoes.dataset.grids import Grids
from echoes.models.objectives import LdmParams
from echoes.models.radar import regression
from echoes.rasters.sweeps import Sweeps
from echoes.readers.catalog import READERS
from echoes.readers.splits import ByStretch
from echoes.voxelization import clouds
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.sections import Split

SECONDS = 0.5


def main(track: str, steps: str, counts: str, *folds: str) -> None:
    machine.tell()
    print("| fold | sweeps | voxelize s | train s | loss | Chamfer x | F1@1m x | worse frames | Chamfer beside one |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for fold, split in splits(track, folds):
        of_one: Scores | None = None
        for sweeps in (1, *map(int, counts.split(","))):
            voxelized_s, trained_s, loss, scores = measured(track, int(steps), Sweeps(sweeps, SECONDS), split)
            of_one = of_one or scores
            ratios = [f"{ratio:.3f}" for ratio in (loss, *scores.ratios())]
            cells = [
                fold,
                str(sweeps),
                f"{voxelized_s:.0f}",
                f"{trained_s:.0f}",
                *ratios,
                scores.beside(of_one.fused_m),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def splits(track: str, folds: tuple[str, ...]) -> Iterator[tuple[str, Split]]:
    """The split of the track, or those of its folds, by their numbers."""
    split = params.load(Split, f"{track}.split")
    if not isinstance(split, ByStretch):
        yield "", split
        return
    for fold in folds or (str(split.fold),):
        yield fold, replace(split, fold=int(fold))


def measured(track: str, steps: int, sweeps: Sweeps, split: Split) -> tuple[float, float, float, Scores]:
    """Seconds to voxelize and to train, loss of the regression, and its clouds beside the radar's."""
    reader = params.load(str, f"{track}.source.reader")
    source = params.load(READERS[reader].Source, f"{track}.source")
    layout = replace(params.load(GridParams, f"{track}.grid"), sweeps=sweeps)
    p: LdmParams = params.load(LdmParams, f"{track}.ldm")
    p = replace(p, schedule=replace(p.schedule, steps=steps))
    assert p.loss.regression is not None
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        with arrays.writing(Path(folder, "grids.zarr")) as writer:
            root, table = Path("data", "raw", track), Path(folder, "stamps.csv")
            clouds.write(root, source, layout, split, Workers(0, ""), writer, table)
        voxelized = perf_counter()
        grids, device = Grids(Path(folder, "grids.zarr")), best_device()
        network = fitted(grids, p, grids.frames("train"), device)
        trained = perf_counter()
        loss = regression.error(network, grids, p.loss.regression)["val_regression_loss"]
        scores = against_radar(network, grids, p.schedule.seed, device)
    return voxelized - start, trained - voxelized, loss, scores


if __name__ == "__main__":
    main(*sys.argv[1:])
