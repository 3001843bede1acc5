"""The limits of the kinematic sieve of a track: fitted to its training spectrograms, stored with its models."""

from pathlib import Path

import numpy as np

from echoes import params
from echoes.dataset.frames import batches_of
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.evaluation import kinematics
from echoes.evaluation.kinematics import Limits
from echoes.provenance import Header

KEY = "sieve"  # in the header of a cd
MOST = 20  # spectrograms that are drawn for one that is wanted
BATCH = 256


def of_training(data: Spectrograms) -> Limits:
    """The limits by all training spectrograms, of which a batch is in memory."""
    frames = data.frames("train")
    values = [measured(data.powers(data.target_batch(chosen)), data) for chosen in batches_of(frames, BATCH)]
    least, labels = kinematics.resolution(data.velocity, data.time), data.labels(frames)[:, -1]
    return kinematics.fit(np.concatenate(values), labels, names(data), least)


def measured(spectrograms: np.ndarray, data: Spectrograms) -> np.ndarray:
    """(N, K) quantities of (N, C, F, T) spectrograms with the axes of `data`, powers or colours."""
    return kinematics.quantities(spectrograms, data.velocity, data.time, data.ceiling_db - data.floor_db)


def names(data: Spectrograms) -> tuple[str, ...]:
    """Of the last kind of labels, by which limits differ."""
    return list(data.label_names.values())[-1]


def stored(header: Header, path: Path) -> Limits:
    """What travels with a cd; raises InputError where it does not. path: of that file."""
    if KEY not in header.content:
        told = "expected the limits of the sieve, which distill_cd settles, got none: it is older than the sieve"
        raise InputError(f"{path}: {told}; run distill_cd again")
    found: Limits = params.build(Limits, header.content[KEY], f"{path}: {KEY}")
    return found
