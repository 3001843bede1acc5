"""Generated spectrograms without those that no body makes: drawn on until enough are left."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echoes import weights
from echoes.errors import InputError
from echoes.evaluation import kinematics
from echoes.evaluation.kinematics import Limits
from echoes.inference.generator import Labels, SpectrogramGenerator
from echoes.models.microdoppler import sieve
from echoes.models.trained import require_files


@dataclass(frozen=True)
class Sifted:
    """What passed, in the order of its numbers.

    spectrograms  (N, C, F, T) float32 in network range.
    sample_ids    (N,) the number of each among all samples of its labels.
    dropped       quantity -> how many spectrograms before the last of these went beyond its limits first.
    """

    spectrograms: np.ndarray
    sample_ids: tuple[int, ...]
    dropped: Mapping[str, int]


def limits(folder: Path, generator: SpectrogramGenerator) -> Limits:
    """Those of the track in a folder such as `data/microdoppler`, which its consistency model carries.

    Raises InputError where it has none, was made from another denoiser, or knows other labels than the generator.
    """
    path = folder / "cd.safetensors"
    require_files(path)
    header = weights.header(path, "cd")
    if generator.identity not in (header.identity, header.parents.get("ldm")):
        teacher = header.parents.get("ldm", "nothing")[:12]
        raise InputError(f"{path}: was made from ldm {teacher}, but the model is {generator.identity[:12]}")
    found = sieve.stored(header, path)
    for labels in generator.combinations:
        if labels[-1] not in found.of:
            raise InputError(f"{path}: expected limits of {labels[-1]}, got those of {', '.join(found.of)}")
    return found


def sifted(generator: SpectrogramGenerator, labels: Labels, count: int, batch: int, within: Limits) -> Sifted:
    """The first `count` samples of these labels that are within the limits; the same for every batch.

    Raises InputError where there are fewer among `sieve.MOST` times as many.
    """
    most = sieve.MOST * count
    kept: list[np.ndarray] = []
    numbers: list[int] = []
    dropped: Counter[str] = Counter()
    span_db = generator.range_db[1] - generator.range_db[0]
    for start in range(0, most, batch):
        sample_ids = range(start, min(start + batch, most))
        made = generator.samples(labels, sample_ids)
        values = kinematics.quantities(generator.powers(made), generator.velocity, generator.time, span_db)
        for number, one, broken in zip(sample_ids, made, within.broken(values, labels[-1]), strict=True):
            if broken is not None:
                dropped[broken] += 1
                continue
            kept.append(one)
            numbers.append(number)
            if len(kept) == count:
                return Sifted(np.stack(kept), tuple(numbers), dict(dropped))
    told = f"{count} of {' '.join(labels)} among {most} that were drawn, got {len(kept)}"
    raise InputError(f"--sieve: expected spectrograms within limits, {told}; beyond: {reasons(dropped)}")


def reasons(dropped: Mapping[str, int]) -> str:
    """`speed_mps 3, outside_share 2`, in the order of the quantities."""
    return ", ".join(f"{name} {dropped[name]}" for name in kinematics.QUANTITIES if dropped.get(name)) or "none"
