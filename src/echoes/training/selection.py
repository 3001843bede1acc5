"""Which weights are kept: the last, or the best on the validation split; and when nothing gets better any more."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

from echoes.compute import distributed, shares
from echoes.training.schedule import Validation

Module = TypeVar("Module", bound=nn.Module)


class Selection(Generic[Module]):
    """Measures a model now and then, and remembers its best weights; a part of checkpoints."""

    def __init__(self, model: Module, config: Validation, steps: int, measure: Callable[[], float]) -> None:
        """measure: () -> error of the model on the validation split, lower is better."""
        self._model, self._config, self._steps, self._measure = model, config, steps, measure
        self._best: dict[str, Tensor] = {}
        self._error, self._step, self._stale = math.inf, -1, 0

    def after(self, step: int) -> dict[str, float]:
        """The error after a step, as `val_error`; nothing where this is no step to measure at."""
        if not self._config.every or ((step + 1) % self._config.every and step + 1 != self._steps):
            return {}
        error = distributed.of_first(self._measure())
        if not math.isfinite(error):
            raise FloatingPointError(f"the error on the validation split is {error} at step {step}")
        if error < self._error:
            self._error, self._step, self._stale = error, step, 0
            if self._config.keep == "best":
                self._best = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        else:
            self._stale += 1
        return {"val_error": error}

    @property
    def exhausted(self) -> bool:
        """Whether the training has not got better for as long as its params are patient."""
        return bool(self._config.patience) and self._stale >= self._config.patience

    def into(self, model: Module) -> Module:
        """The selected weights in `model`, a fresh one of the same kind, ready for use."""
        chosen = self._best or self._model.state_dict()
        model.load_state_dict({name: shares.whole(tensor) for name, tensor in chosen.items()})
        return model.eval().requires_grad_(False)

    def tensors(self) -> dict[str, Tensor]:
        return self._best

    def state(self) -> Mapping[str, Any]:
        # JSON has no infinity
        return {"error": self._error if self._step >= 0 else None, "step": self._step, "stale": self._stale}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        like = self._model.state_dict()
        self._best = {name: shares.alike(tensor, like[name]) for name, tensor in tensors.items()}
        self._error = math.inf if state["error"] is None else state["error"]
        self._step, self._stale = state["step"], state["stale"]
