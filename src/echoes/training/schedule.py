"""How long, how fast and how exactly a network trains, as params."""

from dataclasses import dataclass
from typing import Literal

from echoes import params
from echoes.compute.precision import Precision
from echoes.errors import InputError
from echoes.training.decay import Decay, OneCycle, Plateau


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network trains.

    lr         the highest one. It rises linearly over `warmup` steps; `decay` says what follows.
    clip       bounds the norm of the gradient.
    precision  auto is bfloat16 where the device has it, else float16 on a GPU and float32 on a processor.
    """

    steps: int
    batch: int
    lr: float
    warmup: int
    decay: Decay
    weight_decay: float
    clip: float
    precision: Precision
    seed: int

    def __post_init__(self) -> None:
        if self.batch < 2:  # oneDNN's convolutions are seven times slower on single samples
            raise InputError(f"batch: expected at least 2, got {self.batch}")
        params.require_counts(steps=self.steps)
        for name in ("lr", "clip"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in ("warmup", "weight_decay"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if isinstance(self.decay, OneCycle) and self.warmup:
            raise InputError(f"warmup: expected 0 where decay.kind is one_cycle, which rises itself, got {self.warmup}")
        if isinstance(self.decay, Plateau) and not self.measured:
            raise InputError("decay.kind: expected another one where validation.every is 0, got plateau")

    @property
    def measured(self) -> bool:
        """Whether the validation split is measured on the way."""
        return False


@dataclass(frozen=True)
class Validation:
    """every: steps between two measurements, 0 for none; patience: measurements without a better one after which the
    training ends, 0 for never; keep: the weights of the last step, or those that measured best.
    """

    every: int
    patience: int
    keep: Literal["last", "best"]

    def __post_init__(self) -> None:
        for name in ("every", "patience"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.every == 0 and (self.patience or self.keep == "best"):
            raise InputError("every: expected at least 1 where patience or keep: best ask for measurements, got 0")


@dataclass(frozen=True)
class StageSchedule(Schedule):
    """The section `schedule` of the network of a stage.

    ema                     decay of the average of the weights, which is what is kept.
    accumulate              parts in which each process goes through its share of a batch: the gradient of the whole
                            batch in the memory of a part.
    gradient_checkpointing  computes the activations of blocks anew in the backward pass: less memory, more time.
    validation              what the weights are measured by on the validation split, how often, and what follows.
    """

    ema: float
    accumulate: int
    gradient_checkpointing: bool
    validation: Validation

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("ema", self.ema)
        if not 1 <= self.accumulate <= self.batch:
            raise InputError(f"accumulate: expected 1 to the batch of {self.batch}, got {self.accumulate}")

    @property
    def measured(self) -> bool:
        return self.validation.every > 0


def check_share(name: str, value: float) -> None:
    """Raises InputError unless `value` is at least 0 and below 1, as a decay or a dropout is."""
    if not 0 <= value < 1:
        raise InputError(f"{name}: expected at least 0 and less than 1, got {value}")
