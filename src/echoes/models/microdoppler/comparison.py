"""samples.zarr of a micro-Doppler track against the real test split: what evaluate reports."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from echoes import params
from echoes.arrays import Reader
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.evaluation import bootstrap, classification, halves, inception, manifolds, spectrogram_report, spectrograms
from echoes.evaluation.blocks import require_resamples
from echoes.evaluation.spectrogram_report import Classified
from echoes.evaluation.spectrograms import Motion
from echoes.metric_order import in_order
from echoes.models import evaluation_classifiers as classifiers
from echoes.models.microdoppler import sieve
from echoes.nets.classifiers import Classifier
from echoes.provenance import require_parent
from echoes.rasters import stft
from echoes.training.schedule import Schedule

GENERATED = ("ldm", "cd_1", "cd_2")  # of which a student that has one call lacks the last


@dataclass(frozen=True)
class SpectrogramEvaluation:
    """The section `<track>.evaluate` of spectrograms.

    judge      how each classifier is trained.
    inception  file with the weights of Inception, in whose features distances are measured too (docs/results.md).
    resamples  of the bootstrap; panels: spectrograms per method and label in the picture.
    """

    of: Literal["spectrograms"]
    judge: Schedule
    inception: str | None
    resamples: int
    seed: int
    panels: int

    def __post_init__(self) -> None:
        params.require_counts(panels=self.panels)
        require_resamples(self.resamples)


@dataclass(frozen=True)
class _Content:
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """(N, C, F, T) spectrograms on the disk, of which those are in memory that are asked for.

    read  places (n,) -> (n, C, F, T) float32, n at least 1.
    """

    shape: tuple[int, ...]
    read: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: np.ndarray) -> np.ndarray:
        return self.read(places) if len(places) else np.zeros((0, *self.shape[1:]), np.float32)


def recorded(data: Spectrograms, frames: np.ndarray) -> Stored:
    """The spectrograms of `frames` (N,) of the recordings."""
    return Stored((len(frames), data.channels, *data.shape), lambda places: data.target_batch(frames[places]))


def unpacked(data: Spectrograms, stored: Stored, folder: Path) -> Stored:
    """Spectrograms as they are looked at, complex ones as powers (N, 1, F, T), in a file of `folder` without a name.

    Classifiers ask for rows in no order, and one row of a compressed array costs the chunk that it lies in.
    """
    shape = (len(stored), stored.shape[1] if data.stft is None else 1, *stored.shape[2:])
    with tempfile.TemporaryFile(dir=folder) as file:
        rows = np.memmap(file, np.float32, "w+", shape=shape)
    first = 0
    for part in classifiers.batches(stored):
        rows[first : first + len(part)] = data.powers(part)
        first += len(part)
    return Stored(shape, lambda places: np.asarray(rows[places]))


class Samples:
    """The spectrograms (N, C, F, T) that the stage sample wrote, and the labels (N, kinds) of the generated ones."""

    def __init__(self, path: Path, data: Spectrograms) -> None:
        """Raises InputError unless they were made from `data`, have its shape, and labels that it has."""
        self._reader = Reader(path, "samples")
        require_parent(path, self._reader.header, data.path, data.header)
        self._reader.require("labels", "i", None, len(data.label_names))
        self.labels = self._reader.all("labels")
        counts = [len(names) for names in data.label_names.values()]
        if not ((self.labels >= 0) & (self.labels < counts)).all():
            found = [self.labels.min(axis=0).tolist(), self.labels.max(axis=0).tolist()]
            raise InputError(f"{path}/labels: expected less than {counts} of {list(data.label_names)}, got {found}")
        told: _Content = params.build_subset(_Content, self._reader.header.content, f"{path}: header")
        self.generated = [name for name in GENERATED if name in told.methods]
        for name in self.generated:
            self._reader.require(name, "f", len(self.labels), data.channels, *data.shape)
        self._reader.require("vae_bound", "f", len(data.frames("test")), data.channels, *data.shape)

    def of(self, name: str) -> Stored:
        """The spectrograms of a method."""
        count, _, row = self._reader.rows_of()[name]

        def read(places: np.ndarray) -> np.ndarray:
            return np.concatenate([self._reader.rows(name, i, i + 1) for i in places.tolist()]).astype(np.float32)

        return Stored((count, *row), read)


class Comparison:
    """Real test spectrograms and generated ones, seen by two classifiers that were trained on real ones.

    Distances are measured in the features of one, labels are recognised by the other, of another architecture: no
    generator pleases both by one trick.
    """

    def __init__(self, data: Spectrograms, path: Path, p: SpectrogramEvaluation, device: torch.device) -> None:
        """Raises InputError unless the samples at `path` were made from `data`, and for no weights of Inception."""
        samples = Samples(path, data)
        self.data, self._p, self._device = data, p, device
        self._inception = None if p.inception is None else inception.load(Path(p.inception), device)
        self._classes = tuple(len(names) for names in data.label_names.values())
        train, test = data.frames("train"), data.frames("test")
        stored = {"real": (recorded(data, test), data.labels(test))}
        stored |= {name: (samples.of(name), samples.labels) for name in samples.generated}
        stored["vae_bound"] = (samples.of("vae_bound"), data.labels(test))
        self.spectrograms = {name: (unpacked(data, x, path.parent), labels) for name, (x, labels) in stored.items()}
        self._phases = {name: _phases(x, data) for name, (x, _) in stored.items()}
        trained_on = (unpacked(data, recorded(data, train), path.parent), data.labels(train))
        self._features = self._fit(*trained_on, "conv", "features")
        self._judge = self._fit(*trained_on, "tokens", "judge")
        self._limits = sieve.of_training(data)
        self._train_features = classifiers.features(self._features, trained_on[0])
        self.classified: dict[str, Classified] = {}
        self._quantities: dict[str, np.ndarray] = {}
        for name, (x, labels) in self.spectrograms.items():
            self.classified[name], self._quantities[name] = self._seen(x, labels)

    def report(self, timings: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """A flat block of numbers per method, how many real spectrograms there are, and how many were compared.

        All methods are compared with the same half of the real ones, `real` being the other half: the floor.
        """
        recordings = self.data.recordings()[self.data.frames("test")]
        real = self.classified["real"]
        reference, other = halves.halves(real.labels, recordings, self._p.seed)
        pools = {name: np.arange(len(judged.labels)) for name, judged in self.classified.items()}
        pools |= {"reference": reference, "real": other, "vae_bound": other}
        chosen = alike({name: (pool, self._labels(name)[pool]) for name, pool in pools.items()})
        blocks: dict[str, Any] = {}
        for name, judged in self.classified.items():
            numbers = spectrogram_report.block(
                judged,
                chosen[name],
                real.take(chosen["reference"]),
                list(self.data.label_names),
                self._p.seed,
                self._p.resamples,
            )
            others = {**self._as_training_data(name), **self._novelty(name), **self._sifted(name)}
            others |= {**self._in_inception(name, chosen), **self._phases[name]}
            others |= _timed(timings, name)
            blocks[name] = in_order({**numbers, **others})
        return {**blocks, "spectrograms": len(real.labels), "compared": len(chosen["reference"])}

    def confusions(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Method -> (classes, classes) counts of the judge, for the last kind of label."""
        of = {name: self.classified[name] for name in names}
        return {
            name: classification.confusion(judged.labels[:, -1], judged.predictions[:, -1], self._classes[-1])
            for name, judged in of.items()
        }

    def _labels(self, name: str) -> np.ndarray:
        return self.classified["real" if name == "reference" else name].labels

    def _fit(self, x: Stored, labels: np.ndarray, architecture: classifiers.Architecture, name: str) -> Classifier:
        return classifiers.fit(x, labels, self._classes, architecture, self._p.judge, name, self._device)

    def _seen(self, x: Stored, labels: np.ndarray) -> tuple[Classified, np.ndarray]:
        """What the classifiers say of spectrograms, and the quantities of the sieve (N, K); a batch is in memory."""
        data, span_db = self.data, self.data.ceiling_db - self.data.floor_db
        features, predictions, motions, quantities = [], [], [], []
        for part in classifiers.batches(x):
            power = part.mean(axis=1)  # of pictures in colour, their brightness
            features.append(classifiers.features(self._features, part))
            predictions.append(classifiers.predictions(self._judge, part))
            motions.append(spectrograms.motion(power, data.velocity.centres, data.time.step, span_db))
            quantities.append(sieve.measured(part, data))
        seen = np.concatenate(features), np.concatenate(predictions), Motion.joined(motions)
        return Classified(labels, *seen), np.concatenate(quantities)

    def _as_training_data(self, name: str) -> dict[str, float | None]:
        """Accuracy on real test data of the judge's architecture trained on this method's spectrograms alone."""
        keys = [f"train_on_generated_{kind}_accuracy" for kind in self.data.label_names]
        keys[-1] = "train_on_generated_accuracy"
        if name == "vae_bound":  # made from the test data
            return dict.fromkeys(keys)
        judge = self._judge if name == "real" else self._fit(*self.spectrograms[name], "tokens", "judge")
        x, labels = self.spectrograms["real"]
        right = (classifiers.predictions(judge, x) == labels).mean(axis=0)
        return dict(zip(keys, right.tolist(), strict=True))

    def _novelty(self, name: str) -> dict[str, float]:
        """nearest_ratio: 1 for as new as unseen recordings, towards 0 for copies of the training set."""
        made, real = self.classified[name].features, self.classified["real"].features
        return {"nearest_ratio": manifolds.nearest_ratio(made, real, self._train_features)}

    def _in_inception(self, name: str, chosen: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Distances of what is compared of a method to the reference in its features; none where it is not given."""
        if self._inception is None:
            return {}
        sets = (self.spectrograms[name][0][chosen[name]], self.spectrograms["real"][0][chosen["reference"]])
        return inception.distances(*(inception.features(self._inception, x, self._device) for x in sets))

    def _sifted(self, name: str) -> dict[str, float | None]:
        """sieve_share: of the spectrograms that are within the limits of the kinematic sieve, with its interval."""
        names, labels = sieve.names(self.data), self.classified[name].labels[:, -1]
        hold = self._limits.hold(self._quantities[name], [names[label] for label in labels])
        lo, hi = bootstrap.interval(hold.astype(np.float64), self._p.seed, self._p.resamples)
        return {"sieve_share": float(hold.mean()), "sieve_share_lo": lo, "sieve_share_hi": hi}


def _phases(x: Stored, data: Spectrograms) -> dict[str, float]:
    """stft_inconsistency: of complex spectrograms, mean over them; of others nothing."""
    if data.stft is None:
        return {}
    each = [stft.inconsistency(values, data.stft) for part in classifiers.batches(x) for values in part]
    return {"stft_inconsistency": float(np.mean(each))}


def alike(pools: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    """Equally many of each combination of labels from every pool: as many as the pool with the fewest has.

    pools  name -> (N,) indices and their (N, kinds) labels. Raises InputError where too few are left to have
    neighbours.
    """
    first = next(iter(pools.values()))[1]
    chosen: dict[str, list[int]] = {name: [] for name in pools}
    for combination in np.unique(first, axis=0):
        members = {name: pool[(labels == combination).all(axis=1)] for name, (pool, labels) in pools.items()}
        count = min(len(found) for found in members.values())
        for name, found in members.items():
            chosen[name].extend(found[:count])
    if len(chosen[next(iter(pools))]) <= halves.NEAREST:
        counts = ", ".join(f"{name} {len(pool)}" for name, (pool, _) in pools.items())
        raise InputError(
            f"split.test, sample.frames: expected more than {halves.NEAREST} spectrograms of labels that all have, "
            f"got {len(chosen[next(iter(pools))])} of {counts}"
        )
    return {name: np.array(sorted(found), dtype=np.int64) for name, found in chosen.items()}


def _timed(timings: Mapping[str, Mapping[str, float]], name: str) -> Mapping[str, float]:
    return timings.get(name, {"latency_ms": 0.0, "calls": 0})
