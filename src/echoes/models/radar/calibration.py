"""What of a readout is settled on validation frames: the gate, the thresholds, where it helps, and last the blend."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import expit

from echoes import seeds
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation import gate, points
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.gate import Gate, Samples
from echoes.evaluation.points import Region, restrict
from echoes.evaluation.thresholds import choose_threshold
from echoes.models.radar import cell_choice, clouds
from echoes.models.radar.onecall import Said
from echoes.models.radar.readout import LATENT, REGRESSION, Fusion, Placement, Readout, bands

BATCH, FRAMES = 16, 40  # of the validation split, evenly spread
EMPTY_SHARE = 0.02  # of empty cells without a return near: enough to fit a handful of numbers
WORTH = 0.02  # of the cost of a readout, which is of two things
GHOST = 0.04  # of it: what leaving returns out must bring, or all are kept
RADIUS_M = 1.0  # within which a point of one cloud is right where the other has one
KEEP = (0.005, 0.01, 0.02, 0.04, 0.08)
RIDGE = 10.0  # of the gate: as much as ten cells say for trusting the regression as it is
TRUTH = 2500  # points of the truth that a candidate is measured by
LEVELS = (0.02, 0.03, 0.045, 0.065, 0.09, 0.12, 0.16, 0.22, 0.3, 0.4, 0.55, 0.75)  # of points
SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0)  # of a sample in a blend
DECIDE = tuple(float(level) for level in np.linspace(0.04, 0.9, 44).round(2))  # of cells

Say = Callable[[np.ndarray], Said]  # frames (B,) -> what the networks say of them


@dataclass(frozen=True)
class Validated:
    """A validation frame: what the gate weighs (K, D, H, W) and measured (C + 3, D, H, W), in float16."""

    frame: int
    weighed: np.ndarray
    measured: np.ndarray

    def without(self, i: int) -> "Validated":
        """The same where the i-th input of the gate says nothing, so that it is not used."""
        weighed = self.weighed.copy()
        weighed[i] = 0
        return replace(self, weighed=weighed)


@dataclass(frozen=True)
class Settled:
    """A readout, and its cost on validation frames."""

    readout: Readout
    cost: float


def fit(say: Say, grids: Grids, names: Sequence[str], device: torch.device, seed: int) -> Readout:
    """The readout that is best on validation frames.

    Beside a regression the latent model must lower the cost by WORTH, or it is not used: it doubles the time.

    say   what the networks say of frames; names: of the inputs of the gate.
    """
    frames = evenly_spaced(grids.frames("val"), FRAMES)
    said = list(_said(say, frames))
    chosen = _with_what_is_worth_it(said, grids, names, device, seed)
    return replace(chosen, blend=blend(chosen, said, grids, device, seed))


def _with_what_is_worth_it(
    said: Sequence[Validated], grids: Grids, names: Sequence[str], device: torch.device, seed: int
) -> Readout:
    both = _settled(said, grids, names, device, seed)
    if REGRESSION not in names or not both.readout.uses_latent:
        return both.readout
    alone = _settled([v.without(names.index(LATENT)) for v in said], grids, names, device, seed)
    return both.readout if both.cost < alone.cost * (1 - WORTH) else alone.readout


def blend(readout: Readout, said: Sequence[Validated], grids: Grids, device: torch.device, seed: int) -> float:
    """The share of a sample in a blend of the least cost, of SHARES; the least share of those that cost the same."""
    latent, placement = readout.gate.inputs.index(LATENT), Placement.of(grids)
    frames = [
        (p, expit(v.weighed[latent].astype(np.float32)), v.measured.astype(np.float32), *truth(grids, v.frame, seed))
        for p, v in zip(_probabilities(readout, said, grids, device), said, strict=True)
    ]

    def spent(share: float) -> float:
        scores = []
        for gated, sampled, measured, true, region in frames:
            made = placement.at(cell_choice.blended_cells(gated, sampled, share), gated, measured)
            scores.append(points.evaluate_points(restrict(made.points, region), true, grids.grid.diagonal_m))
        return cost(scores)

    return SHARES[int(np.argmin([spent(share) for share in SHARES]))]


def _settled(said: Sequence[Validated], grids: Grids, names: Sequence[str], device: torch.device, seed: int) -> Settled:
    fitted = fit_gate(said, grids, names, seed)
    readout = Readout(fitted, 0.5, 0.0, LEVELS[0], LEVELS[0], 0.5, (True, True, True), SHARES[0])
    probable = _probabilities(readout, said, grids, device)
    targets = [clouds.target(grids, v.frame) for v in said]
    listed = [(np.argwhere(p >= DECIDE[0]), p[p >= DECIDE[0]]) for p in probable]
    readout = replace(readout, decide=choose_threshold(listed, targets, DECIDE))
    return _placed(readout, said, probable, grids, device, seed)


def fit_gate(said: Sequence[Validated], grids: Grids, names: Sequence[str], seed: int) -> Gate:
    """Fitted to all occupied cells, all with a return near them, and a share of the others with the weight of all."""
    stretch, of_column = grids.stretches(), bands(grids.grid)
    of_cell = np.broadcast_to(of_column, grids.shape).ravel()
    parts = []
    for v in said:
        occupied = np.zeros(grids.shape, bool)
        occupied[tuple(grids.cells("target", v.frame).indices.T)] = True
        sure = (occupied | (v.weighed[-1] > 0)).ravel()
        drawn = seeds.rng(seed, "gate", v.frame).random(sure.size) < EMPTY_SHARE
        chosen = np.flatnonzero(sure | drawn)
        logits = v.weighed.reshape(len(names), -1)[:, chosen].T.astype(np.float64)
        weight = np.where(sure[chosen], 1.0, 1 / EMPTY_SHARE)
        block = np.full(len(chosen), stretch[v.frame])
        parts.append(Samples(logits, occupied.ravel()[chosen], of_cell[chosen], weight, block))
    return gate.fit(gate.join(parts), tuple(names), RIDGE)


def _placed(
    readout: Readout,
    said: Sequence[Validated],
    probable: Sequence[np.ndarray],
    grids: Grids,
    device: torch.device,
    seed: int,
) -> Settled:
    """The thresholds of the points with the least cost, and the bands in which these are nearer to the LiDAR.

    Near to returns and far from them by one threshold first, then far by a higher one, then near; then returns are left
    out where that brings GHOST.
    """
    truths = [truth(grids, v.frame, seed) for v in said]

    def scores(candidate: Readout) -> list[dict[str, float]]:
        fusion = Fusion(candidate, Placement.of(grids), device)
        return [
            points.evaluate_points(restrict(_fused(fusion, p, v, grids), region), true, grids.grid.diagonal_m)
            for p, v, (true, region) in zip(probable, said, truths, strict=True)
        ]

    def best(candidates: Sequence[Readout]) -> Readout:
        return candidates[int(np.argmin([cost(scores(candidate)) for candidate in candidates]))]

    readout = best([replace(readout, near=level, far=level) for level in LEVELS])
    readout = best([replace(readout, far=level) for level in LEVELS if level >= readout.near])
    readout = best([replace(readout, near=level) for level in LEVELS if level <= readout.far])
    fewer = best([replace(readout, keep=level) for level in KEEP])
    if cost(scores(fewer)) < cost(scores(readout)) * (1 - GHOST):
        readout = fewer
    of_radar = [
        points.evaluate_points(restrict(grids.points("input", v.frame), region), true, grids.grid.diagonal_m)
        for v, (true, region) in zip(said, truths, strict=True)
    ]
    fused = scores(readout)
    of_returns = np.concatenate(
        [p[tuple(grids.present(v.frame).indices.T)] for p, v in zip(probable, said, strict=True)]
    )
    helps = tuple(mean_of(fused, f"chamfer_m_{b}") <= mean_of(of_radar, f"chamfer_m_{b}") for b in BANDS_M)
    placed = replace(readout, bands=helps, outside=float(of_returns.mean()))
    return Settled(placed, cost(scores(placed)))


def cost(frames: Sequence[dict[str, float]]) -> float:
    """Chamfer distance over F1, both means over frames.

    Neither is enough alone. The least distance is that of a block of doubtful cells, because a surface that is missed
    costs metres and a wrong point beside a right one nothing; the best F1 leaves out what is not sure.
    """
    return mean_of(frames, "chamfer_m") / max(mean_of(frames, f"f1@{RADIUS_M}m"), 1e-6)


def mean_of(frames: Sequence[dict[str, float]], key: str) -> float:
    """The mean over the frames that have a value; 0 where none has."""
    values = np.array([frame[key] for frame in frames])
    return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else 0.0


def truth(grids: Grids, frame: int, seed: int) -> tuple[np.ndarray, Region]:
    """(N, 3) points of the target of a frame, at most TRUTH of them, and the region in which points are compared."""
    region = Region(grids.grid.diagonal_m, grids.grid, grids.ground(frame), grids.ground_m)
    found = restrict(grids.points("target", frame), region)
    if len(found) > TRUTH:
        found = found[seeds.rng(seed, "truth", frame).choice(len(found), TRUTH, replace=False)]
    return found, region


def _fused(fusion: Fusion, probability: np.ndarray, v: Validated, grids: Grids) -> np.ndarray:
    radar, returns = grids.cells("input", v.frame), grids.points("input", v.frame)
    return fusion.fused(probability, v.measured.astype(np.float32), radar, returns).points


def _said(say: Say, frames: np.ndarray) -> Iterator[Validated]:
    for batch in batches_of(frames, BATCH):
        said = say(batch)
        weighed, measured = (tensor.cpu().half().numpy() for tensor in (said.weighed, said.measured))
        for i, frame in enumerate(batch):
            yield Validated(int(frame), weighed[i], measured[i])


def _probabilities(readout: Readout, said: Sequence[Validated], grids: Grids, device: torch.device) -> list[np.ndarray]:
    fusion = Fusion(readout, Placement.of(grids), device)
    return [
        fusion.probability(torch.from_numpy(v.weighed[None].astype(np.float32)).to(device))[0].cpu().numpy()
        for v in said
    ]
