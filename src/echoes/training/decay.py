"""How a learning rate goes on after its warmup: as shares of the highest one, one section of params for each kind."""

import math
from dataclasses import dataclass
from typing import Literal

from echoes import params
from echoes.errors import InputError


@dataclass(frozen=True)
class Constant:
    """The same to the end."""

    kind: Literal["constant"]

    def share(self, step: int, steps: int) -> float:
        """Of the highest learning rate, at one of `steps` steps."""
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 to the floor (Loshchilov and Hutter 2017, Eq. 5, without restarts)."""

    kind: Literal["cosine"]
    floor: float

    def __post_init__(self) -> None:
        _check_floor(self.floor)

    def share(self, step: int, steps: int) -> float:
        return self.floor + (1 - self.floor) * (0.5 * (1 + math.cos(math.pi * step / steps)))


@dataclass(frozen=True)
class Linear:
    """A straight line from 1 to the floor."""

    kind: Literal["linear"]
    floor: float

    def __post_init__(self) -> None:
        _check_floor(self.floor)

    def share(self, step: int, steps: int) -> float:
        return 1 + (self.floor - 1) * step / steps


@dataclass(frozen=True)
class Stepwise:
    """Every so many steps times a factor, but never below the floor."""

    kind: Literal["step"]
    every: int
    factor: float
    floor: float

    def __post_init__(self) -> None:
        params.require_counts(every=self.every)
        _check_factor(self.factor)
        _check_floor(self.floor)

    def share(self, step: int, steps: int) -> float:
        return max(self.floor, self.factor ** (step // self.every))


@dataclass(frozen=True)
class Exponential:
    """By the same factor in each step, to the floor at the end."""

    kind: Literal["exponential"]
    floor: float

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1:
            raise InputError(f"floor: expected more than 0 and at most 1, got {self.floor}")

    def share(self, step: int, steps: int) -> float:
        return self.floor ** (step / steps)


@dataclass(frozen=True)
class OneCycle:
    """Up from `start` to 1 over a share `rise` of the steps and down to the floor, half a cosine each: 1cycle of
    Smith and Topin 2019 in torch's form. Their momentum goes the other way; that of AdamW stays.
    """

    kind: Literal["one_cycle"]
    rise: float
    start: float
    floor: float

    def __post_init__(self) -> None:
        if not 0 < self.rise < 1:
            raise InputError(f"rise: expected more than 0 and less than 1, got {self.rise}")
        if not 0 < self.start <= 1:
            raise InputError(f"start: expected more than 0 and at most 1, got {self.start}")
        _check_floor(self.floor)

    def share(self, step: int, steps: int) -> float:
        # The first step is at `start`, the last one at the floor.
        top, end = self.rise * steps - 1, steps - 1
        if step <= top:
            return _between(self.start, 1.0, step / top) if top > 0 else 1.0
        return _between(1.0, self.floor, (step - top) / (end - top))


@dataclass(frozen=True)
class Plateau:
    """Times a factor after more than `patience` measurements of the validation split in a row of which none was better
    than the best so far by more than a share `threshold`, but never below the floor.
    """

    kind: Literal["plateau"]
    factor: float
    patience: int
    threshold: float
    floor: float

    def __post_init__(self) -> None:
        _check_factor(self.factor)
        if self.patience < 0:
            raise InputError(f"patience: expected 0 or more, got {self.patience}")
        if not 0 <= self.threshold < 1:
            raise InputError(f"threshold: expected at least 0 and less than 1, got {self.threshold}")
        _check_floor(self.floor)

    def share(self, step: int, steps: int) -> float:
        """Of what measurements have left: see `rate.LearningRate`."""
        return 1.0


Decay = Constant | Cosine | Linear | Stepwise | Exponential | OneCycle | Plateau


def _between(start: float, end: float, done: float) -> float:
    """From start to end along half a cosine; done: 0..1."""
    return end + (start - end) * (0.5 * (1 + math.cos(math.pi * done)))


def _check_floor(floor: float) -> None:
    if not 0 <= floor <= 1:
        raise InputError(f"floor: expected 0 to 1, got {floor}")


def _check_factor(factor: float) -> None:
    if not 0 < factor < 1:
        raise InputError(f"factor: expected more than 0 and less than 1, got {factor}")
