"""What more real frames bring, and what a start from another track does, on the validation stretches of a fold.

python bench/learning_curve.py TRACK FOLD SOURCE [COUNT ...]

Trains the regression alone, with the schedule of `ldm`, on COUNT training frames and on all of them, from fresh weights
and from those of the trained track SOURCE. The frames are evenly spaced over the training stretches. Prints ratios to
the validation frames' radar, and then the distance of each start from SOURCE beside each one from fresh weights, with
95 % intervals over stretches. No test frame is looked at. SOURCE has to be trained, `dvc repro train_ldm@SOURCE`, with
a regression of the same size.
"""

import sys
from pathlib import Path

import machine
import numpy as np
import torch
from few_frames import Scores, against_radar, fitted
from torch import Tensor

from echoes import params
from echoes.compute.device import best_device
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.folds import projects, running
from echoes.models import denoisers
from echoes.models.objectives import LdmParams
from echoes.models.radar import regression

SCRATCH = "scratch"


def main(track: str, fold: str, source: str, *counts: str) -> None:
    machine.tell()
    numbers, device = params.document(Path("params.yaml")), best_device()
    project = projects.write(Path(), numbers, track, int(fold), running.cache(Path()))
    running.repro(project, f"voxelize@{track}", f"fold {fold} of {track}")
    grids = Grids(project / "data" / track / "grids.zarr")
    p: LdmParams = params.build(LdmParams, numbers[track]["ldm"], f"{track}.ldm")
    assert p.loss.regression is not None
    number_of, train = recorded(grids), grids.frames("train")
    real = np.arange(number_of[-1] + 1)
    starts = {SCRATCH: None, source: trained(Path("data", source, "ldm.safetensors"), device)}
    every: dict[tuple[int, str], Scores] = {}
    counts_and_all = [*map(int, counts), len(real)]
    print("| frames | start | loss | Chamfer x | F1@1m x | worse frames |\n|---:|---|---:|---:|---:|---:|", flush=True)
    for count in counts_and_all:
        for name, start in starts.items():
            frames = train[np.isin(number_of, evenly_spaced(real, count))]
            network = fitted(grids, p, frames, device, start)
            loss = regression.error(network, grids, p.loss.regression)["val_regression_loss"]
            every[count, name] = against_radar(network, grids, p.schedule.seed, device)
            ratios = (loss, *every[count, name].ratios())
            print(f"| {count} | {name} | {' | '.join(f'{ratio:.3f}' for ratio in ratios)} |", flush=True)
    print(f"\n| frames | {' | '.join(f'beside {SCRATCH}, {count}' for count in counts_and_all)} |")
    print("|---:|" + "---:|" * len(counts_and_all))
    for count in counts_and_all:
        beside = [every[count, source].beside(every[other, SCRATCH].fused_m) for other in counts_and_all]
        print(f"| {count} | {' | '.join(beside)} |")


def recorded(grids: Grids) -> np.ndarray:
    """(N,) number of the recorded frame that each training frame is or is an altered copy of."""
    stamps = grids.stamps()[grids.frames("train")]
    return np.cumsum(np.diff(stamps, prepend=stamps[0]) != 0)


def trained(path: Path, device: torch.device) -> dict[str, Tensor]:
    """The weights of the regression of a trained track."""
    network = denoisers.load_ldm(path, device)[0].regression
    if network is None:
        raise InputError(f"{path}: expected a regression, got none")
    return network.state_dict()


if __name__ == "__main__":
    main(*sys.argv[1:])
