"""What every fold of a track measured -> numbers over all folds, against the points and cells of what went in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from echoes.evaluation.blocks import block_interval, ratio_interval
from echoes.tasks import POINTS

PREFIX = {"points": "points_", "cells": ""}  # protocol -> what its keys begin with, as in evaluate.json
KEYS = ("chamfer_m", "precision@1.0m", "recall@1.0m", "f1@1.0m")
RATIOS = {"chamfer_ratio": "chamfer_m", "f1_ratio": "f1@1.0m"}

Numbers = dict[str, float | int | None]


@dataclass(frozen=True)
class Measured:
    """What one method made of a test frame of a fold, under one protocol; without what the frame has no value of."""

    fold: int
    frame: str
    stretch: str
    protocol: str
    method: str
    values: Mapping[str, float]


def summarise(rows: Sequence[Measured], seed: int, resamples: int) -> dict[str, Numbers | int]:
    """A flat block of numbers per method, those of points under `points_` names; folds, stretches and frames.

    `<key>` is the mean over the frames of all folds that have a value (each frame of the recording is tested in one
    fold), `<key>_mean_of_folds` the mean of the folds' own means, and these are `<key>_fold_0` and so on.
    `chamfer_ratio` and `f1_ratio` are the mean of the method over that of what went in (`radar`, or `lidar`), both over
    the frames of all folds in which both have a value: below 1 the first, above 1 the second where the method helps.
    `_lo` and `_hi` end the 95 % intervals of means and ratios over resamples of whole stretches, whatever their fold.
    `worse_than_<given>` is the number of folds in which the method's mean of `chamfer_m`, over the same frames, is the
    larger. None is what no frame has a value of.
    """
    stretch = {(row.fold, row.frame): (row.fold, row.stretch) for row in rows}
    number = {one: i for i, one in enumerate(sorted(set(stretch.values())))}
    folds = np.array([fold for fold, _ in stretch])
    blocks = np.array([number[one] for one in stretch.values()])
    report: dict[str, Numbers | int] = {}
    methods = list(dict.fromkeys(row.method for row in rows))
    given = next(name for name in POINTS if name in methods)
    for method in methods:
        block: Numbers = {}
        for protocol, prefix in PREFIX.items():
            own, others = (_table(rows, stretch, protocol, name) for name in (method, given))
            found = _means(own, folds, blocks, seed, resamples) | _against(own, others, folds, blocks, seed, resamples)
            found[f"worse_than_{given}"] = _worse(own, others, folds)
            block |= {f"{prefix}{key}": value for key, value in found.items()}
        report[method] = block
    return {**report, "folds": len(set(folds.tolist())), "stretches": len(number), "frames": len(stretch)}


def _table(
    rows: Sequence[Measured], frames: Mapping[tuple[int, str], object], protocol: str, method: str
) -> dict[str, np.ndarray]:
    """Key -> (N,) the value of each of N frames, nan where there is none."""
    own = {(row.fold, row.frame): row.values for row in rows if (row.protocol, row.method) == (protocol, method)}
    return {key: np.array([own.get(frame, {}).get(key, math.nan) for frame in frames]) for key in KEYS}


def _means(
    table: Mapping[str, np.ndarray], folds: np.ndarray, blocks: np.ndarray, seed: int, resamples: int
) -> Numbers:
    found: Numbers = {}
    for key, values in table.items():
        known = ~np.isnan(values)
        found[key] = _mean(values[known])
        found[f"{key}_lo"], found[f"{key}_hi"] = block_interval(values[known], blocks[known], seed, resamples)
        each = {f"{key}_fold_{fold}": _mean(values[known & (folds == fold)]) for fold in np.unique(folds)}
        found[f"{key}_mean_of_folds"] = _mean(np.array([mean for mean in each.values() if mean is not None]))
        found |= each
    return found


def _against(
    table: Mapping[str, np.ndarray],
    given: Mapping[str, np.ndarray],
    folds: np.ndarray,
    blocks: np.ndarray,
    seed: int,
    resamples: int,
) -> Numbers:
    found: Numbers = {}
    for name, key in RATIOS.items():
        both = ~np.isnan(table[key]) & ~np.isnan(given[key])
        values, others = table[key][both], given[key][both]
        found[name] = float(values.mean() / others.mean()) if others.any() else None
        found[f"{name}_lo"], found[f"{name}_hi"] = ratio_interval(values, others, blocks[both], seed, resamples)
    return found


def _worse(table: Mapping[str, np.ndarray], given: Mapping[str, np.ndarray], folds: np.ndarray) -> int:
    """In how many folds the method is farther off than what went in."""
    farther = table["chamfer_m"] - given["chamfer_m"]  # nan where one has no value
    excess = [_mean(farther[~np.isnan(farther) & (folds == fold)]) for fold in np.unique(folds)]
    return sum(mean > 0 for mean in excess if mean is not None)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
