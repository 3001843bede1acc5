"""What generated spectrograms bring a classifier that has few real ones, beside what classical augmentation brings it.

Classifiers are trained on some real training recordings: alone, with classical augmentation, and with generated
spectrograms of the same labels beside them. All have as many steps with as large batches, and are measured on the whole
test split.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from tqdm import tqdm

from echoes import latentstore, params, seeds
from echoes.augmentation import spectrograms
from echoes.augmentation.spectrograms import SpectrogramAugmentation, Steps
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.evaluation import differences
from echoes.evaluation.blocks import require_resamples
from echoes.evaluation.kinematics import Limits
from echoes.models import autoencoders, denoisers, students
from echoes.models import evaluation_classifiers as classifiers
from echoes.models.evaluation_classifiers import Alter, Architecture
from echoes.models.microdoppler import sieve
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.nets.classifiers import Classifier
from echoes.provenance import require_parent
from echoes.training.microbatches import MicroBatch
from echoes.training.schedule import Schedule

BATCH = 64  # generated at once
ALL = "all"  # in place of a number of recordings
REAL, CLASSICAL = "real", "classical"


@dataclass(frozen=True)
class AugmentParams:
    """The section `<track>.augment`.

    counts     training recordings of each combination of labels that a classifier is given; all there are in any case.
    multiples  generated spectrograms for each real one; sieve: whether those that no body makes are left out of them.
    repeats    classifiers of each kind: with other weights to begin with and, of few recordings, with others of them.
    judge      how each is trained; its seed is that of all that is drawn.
    classical  the rival of what is generated.
    resamples  of the bootstrap.
    """

    counts: tuple[int, ...]
    multiples: tuple[int, ...]
    sieve: bool
    repeats: int
    judge: Schedule
    classical: SpectrogramAugmentation
    resamples: int

    def __post_init__(self) -> None:
        params.require_counts(repeats=self.repeats)
        for name in ("counts", "multiples"):
            found = getattr(self, name)
            if list(found) != sorted(set(found)) or (found and found[0] < 1):
                raise InputError(f"{name}: expected numbers from 1 on that increase, got {list(found)}")
        if not self.classical.alters and not self.classical.disturbs:
            raise InputError("classical: expected one that alters something, got only lengths and powers of 0")
        require_resamples(self.resamples)


@dataclass(frozen=True)
class Examples:
    """Spectrograms (N, C, F, T) float16 in network range, complex ones as powers, their labels (N, kinds), and of
    each the number (N,) of its combination of labels in an order that all share.
    """

    spectrograms: np.ndarray
    labels: np.ndarray
    combination: np.ndarray


def require_spectrograms(grids: Grids | Spectrograms) -> Spectrograms:
    """Raises InputError for the grids of another family."""
    if not isinstance(grids, Spectrograms):
        raise InputError(f"{grids.path}: expected a track of labelled spectrograms, got one of radar clouds")
    return grids


def generator(vae_path: Path, path: Path, grids: Spectrograms, seed: int, device: torch.device) -> Sampler:
    """The consistency model at `path` in one call.

    Raises InputError where it was not made of these grids and this autoencoder, or is told no labels.
    """
    vae, vae_header = autoencoders.load(vae_path, device)
    model, of, header = students.load_cd(path, device)
    require_parent(path, header, vae_path, vae_header)
    require_parent(path, header, grids.path, grids.header)
    if (by := of.denoiser.condition.by) != "labels":
        raise InputError(f"{path}: expected a model conditioned by labels, which are what it augments, got {by}")
    decoder = Decoder(vae, denoisers.whitening(header))
    return Sampler(model, students.steps(of.sigmas, []), UNGUIDED, decoder, latentstore.shape(header), seed)


def report(data: Spectrograms, sampler: Sampler, p: AugmentParams) -> dict[str, float | int]:
    """Flat numbers, of each architecture and number of recordings: `<architecture>_<count>_<arm>_accuracy` on real test
    data, for the last kind of label, and `..._minus_real`, `..._minus_classical`, differences of two arms, each with
    `_lo` and `_hi`, 95 % over tries and test recordings; `recordings_<count>` and `spectrograms_<count>`, how many real
    ones that is in all, of the first try. Arms: real, classical, generated_<multiple>x.
    """
    train, test = data.frames("train"), data.frames("test")
    real, tested, recordings = examples(data, train), examples(data, test), data.recordings()
    _require_enough(data, real, recordings[train], p)
    limits = sieve.of_training(data) if p.sieve else None
    made = generated(sampler, data, real, max(p.multiples, default=0), limits)
    found: dict[str, float | int] = {}
    rows = [(count, architecture) for count in (*p.counts, None) for architecture in get_args(Architecture)]
    for count, architecture in tqdm(rows, "augment", mininterval=1.0):
        name = ALL if count is None else str(count)
        first = chosen(real, recordings[train], count, p.judge.seed, 0)
        found |= {f"recordings_{name}": len(set(recordings[train][first])), f"spectrograms_{name}": len(first)}
        right: dict[str, list[np.ndarray]] = {}
        for repeat in range(p.repeats):
            own = chosen(real, recordings[train], count, p.judge.seed, repeat)
            for arm, given, alter in _arms(data, real, made, own, p, repeat):
                judge = _fitted(data, given, architecture, alter, p.judge, repeat, sampler.device)
                right.setdefault(arm, []).append(_right(judge, tested))
        tries = {arm: np.stack(rows) for arm, rows in right.items()}
        found |= compared(f"{architecture}_{name}", tries, recordings[test], p.judge.seed, p.resamples)
    return found


def examples(data: Spectrograms, frames: np.ndarray) -> Examples:
    """Real spectrograms of a split."""
    labels = data.labels(frames)
    combination = np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1)
    return Examples(data.powers(data.target_batch(frames)).astype(np.float16), labels, combination)


def _require_enough(data: Spectrograms, real: Examples, recordings: np.ndarray, p: AugmentParams) -> None:
    """Raises InputError where a combination of labels has fewer training recordings than are asked for."""
    for number in np.unique(real.combination):
        own = real.combination == number
        if (there := len(set(recordings[own]))) < max(p.counts, default=0):
            told = f"{there}, the training recordings of {_named(data, real.labels[own][0])}"
            raise InputError(f"augment.counts: expected at most {told}, got {max(p.counts)}")


def chosen(real: Examples, recordings: np.ndarray, count: int | None, seed: int, repeat: int) -> np.ndarray:
    """Sorted places of the spectrograms of `count` recordings of each combination of labels; None: of all.

    recordings  (N,) of which each real spectrogram is. Those of a smaller count are among those of a larger one.
    """
    kept = []
    for number in np.unique(real.combination):
        own = np.flatnonzero(real.combination == number)
        drawn = seeds.rng(seed, "augment", "recordings", repeat, int(number)).permutation(np.unique(recordings[own]))
        kept.append(own[np.isin(recordings[own], drawn[:count])])
    return np.sort(np.concatenate(kept))


def generated(sampler: Sampler, data: Spectrograms, real: Examples, multiple: int, limits: Limits | None) -> Examples:
    """`multiple` spectrograms for each real one, of its labels, combination after combination; within the limits of the
    kinematic sieve, where there are any.
    """
    numbers, first, counts = np.unique(real.combination, return_index=True, return_counts=True)
    parts = [np.zeros((0, *real.spectrograms.shape[1:]), np.float16)]
    for place, count in zip(first, counts, strict=True):
        parts += _drawn(sampler, data, real.labels[place], multiple * int(count), limits)
    combination = np.repeat(numbers, multiple * counts)
    return Examples(np.concatenate(parts), np.repeat(real.labels[first], multiple * counts, axis=0), combination)


def _drawn(
    sampler: Sampler, data: Spectrograms, labels: np.ndarray, count: int, limits: Limits | None
) -> list[np.ndarray]:
    """`count` spectrograms of the same labels (kinds,), float16, in parts; raises InputError where the limits let fewer
    through.
    """
    name, most, missing = _named(data, labels), count if limits is None else sieve.MOST * count, count
    parts: list[np.ndarray] = []
    for start in range(0, most, BATCH):
        ids = range(start, min(start + BATCH, most))
        cond = torch.from_numpy(np.repeat(labels[None], len(ids), axis=0)).to(sampler.device)
        drawn = sampler.decoded(cond, sampler.noise(ids, f"augment {name}"), ids).clamp(-1, 1).float().cpu().numpy()
        made = data.powers(drawn)
        if limits is not None:
            made = made[limits.hold(sieve.measured(made, data), [sieve.names(data)[labels[-1]]] * len(ids))]
        parts.append(made[:missing].astype(np.float16))
        missing -= len(parts[-1])
        if not missing:
            return parts
    if missing:
        told = f"{count} spectrograms of {name} within limits among {most} that were drawn, got {count - missing}"
        raise InputError(f"augment.sieve: expected {told}")
    return parts


def beside(made: Examples, real: Examples, own: np.ndarray, multiple: int, seed: int, repeat: int) -> np.ndarray:
    """Places of `multiple` generated spectrograms for each of the real ones at the places `own`, of the same labels.

    Those of a smaller multiple are among those of a larger one.
    """
    taken = []
    for number, count in zip(*np.unique(real.combination[own], return_counts=True), strict=True):
        pool = np.flatnonzero(made.combination == number)
        order = seeds.rng(seed, "augment", "generated", repeat, int(number)).permutation(pool)
        taken.append(order[: multiple * count])
    return np.concatenate(taken)


def _arms(
    data: Spectrograms, real: Examples, made: Examples, own: np.ndarray, p: AugmentParams, repeat: int
) -> Iterator[tuple[str, Examples, Alter]]:
    """Name, what is trained on, and how a batch of it is altered."""
    alone = _take(real, own)
    yield REAL, alone, unaltered
    yield CLASSICAL, alone, classical(data, p.classical, p.judge.seed, repeat)
    for multiple in p.multiples:
        others = _take(made, beside(made, real, own, multiple, p.judge.seed, repeat))
        parts = zip(vars(alone).values(), vars(others).values(), strict=True)
        yield f"generated_{multiple}x", Examples(*(np.concatenate(both) for both in parts)), unaltered


def _take(some: Examples, which: np.ndarray) -> Examples:
    return Examples(*(values[which] for values in vars(some).values()))


def unaltered(x: np.ndarray, _: MicroBatch) -> np.ndarray:
    return x


def classical(data: Spectrograms, p: SpectrogramAugmentation, seed: int, repeat: int) -> Alter:
    """Every spectrogram of every batch altered and then disturbed, as it would be where an autoencoder is trained."""
    steps = Steps(data.velocity.step, data.time.step, data.ceiling_db - data.floor_db)

    def alter(x: np.ndarray, part: MicroBatch) -> np.ndarray:
        places = range(part.start, part.stop)
        rngs = [seeds.rng(seed, "augment", "classical", repeat, part.step, place) for place in places]
        rows = zip(x.astype(np.float32), rngs, strict=True)
        return np.stack(
            [spectrograms.disturbed(spectrograms.altered(one, steps, p, rng), steps, p, rng) for one, rng in rows]
        )

    return alter


def _fitted(
    data: Spectrograms,
    given: Examples,
    architecture: Architecture,
    alter: Alter,
    judge: Schedule,
    repeat: int,
    device: torch.device,
) -> Classifier:
    """A classifier of the last kind of labels; whatever it is given, one of a repeat begins with the same weights."""
    classes, name = (len(list(data.label_names.values())[-1]),), f"augment {repeat}"
    of = given.spectrograms, given.labels[:, -1:]
    return classifiers.fit_altered(*of, classes, architecture, judge, name, device, alter)


def _right(judge: Classifier, tested: Examples) -> np.ndarray:
    """(N,) 1.0 for each spectrogram that is recognised."""
    x, starts = tested.spectrograms, range(0, len(tested.labels), BATCH)
    found = [classifiers.predictions(judge, x[start : start + BATCH])[:, 0] for start in starts]
    return (np.concatenate(found) == tested.labels[:, -1]).astype(np.float64)


def compared(
    prefix: str, tries: dict[str, np.ndarray], recordings: np.ndarray, seed: int, resamples: int
) -> dict[str, float | int]:
    """The numbers of all arms. tries: arm -> (S, N) whether each test spectrogram was recognised in each try."""
    found: dict[str, float | int] = {}

    def tell(key: str, values: np.ndarray) -> None:
        lo, hi = differences.interval(values, recordings, seed, resamples)
        found.update({key: float(values.mean()), f"{key}_lo": lo, f"{key}_hi": hi})

    for arm, values in tries.items():
        tell(f"{prefix}_{arm}_accuracy", values)
        for other in (REAL, CLASSICAL):
            if arm not in (REAL, other):
                tell(f"{prefix}_{arm}_minus_{other}", values - tries[other])
    return found


def _named(data: Spectrograms, labels: np.ndarray) -> str:
    """`3 walk`."""
    return " ".join(names[label] for names, label in zip(data.label_names.values(), labels, strict=True))
