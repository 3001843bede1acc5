"""The learning rate of each step."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from echoes.training.decay import Plateau
from echoes.training.schedule import Schedule


def learning_rate(step: int, schedule: Schedule) -> float:
    """What the params alone say of the learning rate of a step, a pure function of it."""
    rising = min(1.0, (step + 1) / max(1, schedule.warmup))
    return schedule.lr * rising * schedule.decay.share(step, schedule.steps)


class LearningRate:
    """step -> learning rate, lowered where measurements say so; a part of checkpoints."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._share, self._best, self._stale = 1.0, math.inf, 0

    def __call__(self, step: int) -> float:
        return self._share * learning_rate(step, self._schedule)

    def measured(self, error: float) -> None:
        """Take note of a measurement of the validation split, lower is better."""
        decay = self._schedule.decay
        if not isinstance(decay, Plateau):
            return
        if error < self._best * (1 - decay.threshold):
            self._best, self._stale = error, 0
            return
        self._stale += 1
        if self._stale > decay.patience:
            self._share, self._stale = max(decay.floor, self._share * decay.factor), 0

    def tensors(self) -> dict[str, Tensor]:
        return {}

    def state(self) -> Mapping[str, Any]:
        # JSON has no infinity
        best = self._best if math.isfinite(self._best) else None
        return {"share": self._share, "best": best, "stale": self._stale}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        self._share, self._stale = state["share"], state["stale"]
        self._best = math.inf if state["best"] is None else state["best"]
