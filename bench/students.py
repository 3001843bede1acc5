"""What each kind of student makes of one call, by validation frames of a track of clouds, at equal steps.

python bench/students.py TRACK STEPS [KIND ...]

After `dvc repro train_ldm@TRACK`. Each kind is distilled by the stage itself in a folder of its own, as in family.py.
Prints of one sample at its best threshold the overlap, the cells beside those that are there and the Chamfer distance,
and of all samples as a set how far they are from the real clouds of the same frames; of draws
(`echoes.models.radar.drawing`) the scores against the frame; and of the posterior mean, of a student that tells it,
overlap and distance. The first row is the denoiser by its solver. No test frame is looked at.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import family
import machine
import numpy as np
import yaml
from torch import Tensor

from echoes import params
from echoes.compute.device import best_device
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation import ensembles, realism
from echoes.evaluation.clouds import evaluate_frame
from echoes.evaluation.thresholds import choose_threshold
from echoes.models import students, trained
from echoes.models.conditions import unmirrored
from echoes.models.radar import clouds, encoded
from echoes.models.radar.drawing import drawn_cells
from echoes.models.radar.thresholds import THRESHOLDS
from echoes.models.sampler import Sampler, seed_of
from echoes.models.trained import SampleParams, Trained

FRAMES, BATCH, DRAWS = 32, 16, 8
KINDS: dict[str, dict[str, Any]] = {
    "consistency": {"kind": "consistency"},
    "trajectory": {"kind": "trajectory", "denoising": 0.5},
    "ensemble": {"kind": "ensemble", "members": 2, "alpha": 0.95, "blocks": [1, 2]},
}
NUMBERS = ("iou_3d", "count_ratio", "chamfer_m")
SETS = ("frechet", "jsd_bev", "mmd2_bev", "height_w1_m", "clusters_w1", "run_w1_cells")
SCORES = ("crps", "energy_score", "spread_skill")


@dataclass(frozen=True)
class Frames:
    """Validation frames, and what networks are given of them."""

    grids: Grids
    of: Trained
    numbers: list[int]

    def decoded(self, sampler: Sampler) -> np.ndarray:
        """(N, C, D, H, W) what a sampler makes of them."""
        parts = batches_of(np.array(self.numbers), BATCH)
        return np.concatenate([sampler(self._cond(part), part.tolist()).cpu().numpy() for part in parts])

    def _cond(self, part: np.ndarray) -> Tensor:
        cond: Tensor = self.of.conditions(part, unmirrored(part)).to(self.of.device)
        return cond

    def scored(self, decoded: np.ndarray) -> tuple[float, dict[str, float]]:
        """The threshold of the best overlap, and the mean numbers there."""
        targets = [clouds.target(self.grids, frame) for frame in self.numbers]
        kept = clouds.from_decoded(Tensor(decoded), THRESHOLDS[0], self.grids)
        level = choose_threshold([(cloud.indices, cloud.features[:, 0]) for cloud in kept], targets, THRESHOLDS)
        made = clouds.from_decoded(Tensor(decoded), level, self.grids)
        pairs = zip(made, targets, strict=True)
        rows = [evaluate_frame(cloud.predicted(), target, self.grids.grid) for cloud, target in pairs]
        return level, {name: float(np.mean([row[name] for row in rows])) for name in NUMBERS}

    def as_set(self, decoded: np.ndarray, level: float) -> Mapping[str, float | None]:
        """How far all clouds together are from the real ones."""
        made = [cloud.indices for cloud in clouds.from_decoded(Tensor(decoded), level, self.grids)]
        real = [self.grids.cells("target", frame).indices for frame in self.numbers]
        of_both = [
            realism.described(cells, encoded.features(self.of.vae, self.grids, cells, BATCH), self.grids.grid)
            for cells in (real, made)
        ]
        return realism.compared(*of_both, self.grids.grid)

    def drawn(self, sampler: Sampler, level: float) -> Mapping[str, float | None]:
        """The scores of DRAWS members."""
        several = [replace(sampler, seed=seed_of(sampler.seed, k)) for k in range(DRAWS)]
        probable = [1 / (1 + np.exp(-self.decoded(one)[:, 0])) for one in several]
        found = []
        for i, frame in enumerate(self.numbers):
            observed = self.grids.observed(frame)
            made = zip(several, probable, strict=True)
            cells = [drawn_cells(p[i], level, self.grids.grid, one.seed, frame) for one, p in made]
            members = np.stack([self._occupied(indices) for indices in cells])
            truth = self._occupied(self.grids.cells("target", frame).indices)
            found.append((ensembles.shares(members, observed), ensembles.shares(truth, observed)))
        return ensembles.summarise(found)

    def _occupied(self, indices: np.ndarray) -> np.ndarray:
        occupied = np.zeros(self.grids.shape, bool)
        occupied[tuple(indices.T)] = True
        return occupied


def main(track: str, steps: str, *kinds: str) -> None:
    machine.tell()
    numbers = yaml.safe_load(Path("params.yaml").read_text())
    names = ["sample " + name for name in (*NUMBERS, *SETS, *SCORES)] + [f"mean {name}" for name in NUMBERS[::2]]
    print(f"| student | distill s | {' | '.join(names)} |\n|---|---:|{'---:|' * len(names)}", flush=True)
    for i, kind in enumerate(kinds or tuple(KINDS)):
        root, seconds = distilled(numbers, track, int(steps), kind)
        frames = opened(root, track)
        p = params.load(SampleParams, f"{track}.sample")
        drawn = frames.of.samplers(p)
        if i == 0:
            tell("denoiser, solver", "-", of_sampler(frames, drawn["ldm"], ensemble=False))
        told = list(of_sampler(frames, drawn["cd_1"], ensemble=True))
        if kind == "trajectory":
            mean = students.mean(drawn["cd_1"], frames.of.model, frames.of.of.sigmas)
            _, of_mean = frames.scored(frames.decoded(mean))
            told += [f"{of_mean[name]:.4g}" for name in NUMBERS[::2]]
        tell(kind, f"{seconds:.0f}", told)


def distilled(numbers: Mapping[str, Any], track: str, steps: int, kind: str) -> tuple[Path, float]:
    """The folder of a student, and what its distillation took [s]."""
    variant = family.Variant("distill_cd", kind, {"cd.student": KINDS[kind]})
    root, start = family.project(family.changed(numbers, track, steps, variant), track, variant), perf_counter()
    command = [sys.executable, "stages/distill_cd.py", track]
    subprocess.run(command, cwd=root, check=True, env={**os.environ, "PYTHONPATH": "src"})
    return root, perf_counter() - start


def opened(root: Path, track: str) -> Frames:
    data = root / "data" / track
    grids = Grids(data / "grids.zarr")
    chosen = evenly_spaced(grids.frames("val"), FRAMES).tolist()
    return Frames(grids, trained.load(data, grids, best_device()), chosen)


def of_sampler(frames: Frames, sampler: Sampler, *, ensemble: bool) -> Iterator[str]:
    decoded = frames.decoded(sampler)
    level, found = frames.scored(decoded)
    yield from (f"{found[name]:.4g}" for name in NUMBERS)
    of_set = frames.as_set(decoded, level)
    yield from (f"{of_set[name]:.4g}" for name in SETS)
    if ensemble:
        scores = frames.drawn(sampler, level)
        yield from (f"{scores[name]:.4g}" for name in SCORES)


def tell(name: str, seconds: str, cells: Iterator[str] | Sequence[str]) -> None:
    found = list(cells)
    found += ["-"] * (len(NUMBERS) + len(SETS) + len(SCORES) + len(NUMBERS[::2]) - len(found))
    print(f"| {name} | {seconds} | {' | '.join(found)} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
