"""The state of a training on disk: saved atomically now and then, found again by what the training is made of.

A step stops for a copy of the state alone; the copy is hashed and written in a thread while the training goes on.

A state lies in .dvc/tmp/scratch/<stage>@<track>/<fingerprint>, where neither `dvc repro` nor `dvc exp run` clears it
away and where temporary runs of queued experiments find it too. The fingerprint is of all that decides the result:
params that have an effect, identities of the inputs, code, versions. So other params or data begin afresh, and going
back to the old ones goes on with the old state.
"""

import copy
import fcntl
import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from echoes import files, weights
from echoes.choices.rules import in_force
from echoes.compute import distributed, shares
from echoes.compute.device import device_of
from echoes.errors import InputError
from echoes.provenance import Header

LOG = logging.getLogger(__name__)
STATE, ORIGIN = "state.safetensors", "origin.json"
SHARE = 0.02  # of the time at most is a training stopped for states that are saved by the clock


@dataclass(frozen=True)
class CheckpointConfig:
    """The state is saved every so many steps and every so many minutes, 0 for never by that count.

    The minutes become more where a training would else stop for more than 2 % of the time, and where a state takes
    longer to write than that.
    """

    steps: int
    minutes: float

    def __post_init__(self) -> None:
        for name in ("steps", "minutes"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")


class Stateful(Protocol):
    """What goes on with a training beside the trained module: running averages, curves, the best weights so far."""

    def tensors(self) -> Mapping[str, Tensor]: ...

    def state(self) -> Any:
        """What JSON can hold."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], state: Any) -> None:
        """Take what `tensors` and `state` gave."""
        ...


class Checkpoints:
    """The saved states of one training; a context that removes them when the training has left its artifact."""

    def __init__(
        self,
        script: Path,
        track: str,
        params: Any,
        parents: Mapping[str, str],
        config: CheckpointConfig,
        kept: Mapping[str, Stateful],
    ) -> None:
        """script   of the stage.
        params   a dataclass; parents: kind -> identity of the artifacts that are trained on.
        kept     name -> what is saved beside the module and its optimizer.
        """
        self._params, self._parents = in_force(params), dict(parents)
        self._origin = {
            "params": self._params,
            "parents": self._parents,
            "code": _code(script),
            "torch": torch.__version__,
        }
        self.stage, self._config, self._kept = script.stem, config, kept
        self._folder = scratch() / f"{script.stem}@{track}" / _digest(self._origin)
        self._saved_at, self._took = time.monotonic(), 0.0
        self._writer = ThreadPoolExecutor(1, "state")
        self._writing: Future[None] | None = None  # at most one, because it holds a copy of the state
        self._lock: int | None = None

    def __enter__(self) -> "Checkpoints":
        if distributed.is_first():
            self._claim()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last state; what its writer raises comes through where nothing else went wrong."""
        self._writer.shutdown()
        if self._lock is None:
            return
        try:
            if kind is None:
                self.wait()
                files.remove(self._folder)
        finally:
            os.close(self._lock)
            self._lock = None

    def _claim(self) -> None:
        """Only one process writes the states of a training; a twin, such as a queued experiment's, only reads them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / ORIGIN).write_text(json.dumps(self._origin, sort_keys=True, indent=1))
        lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            LOG.info(
                "%s: another run of the same training saves its state in %s; this one does not",
                self.stage,
                self._folder,
            )
        else:
            self._lock = lock

    def due(self, step: int) -> bool:
        """Whether the state is to be saved after a step; raises what the writer of the one before has raised."""
        if self._writing is not None and self._writing.done():
            self.wait()
        interval = max(60 * self._config.minutes, self._took / SHARE)
        return (self._config.steps > 0 and (step + 1) % self._config.steps == 0) or (
            self._config.minutes > 0 and self._writing is None and time.monotonic() - self._saved_at >= interval
        )

    def wait(self) -> None:
        """Wait until the last state is on the disk; raises what its writer has raised."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def save(
        self, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
    ) -> None:
        """Save the state after a step; all processes call it together, the first one writes.

        It is on the disk once `wait` has returned; a state that is still being written is waited for.
        """
        began = time.monotonic()
        self.wait()
        tensors = {f"module/{name}": tensor for name, tensor in module.state_dict().items()}
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{name}": tensor for name, tensor in state.items()}
        for part, kept in self._kept.items():
            tensors |= {f"{part}/{name}": tensor for name, tensor in kept.tensors().items()}
        complete = {name: shares.whole(tensor) for name, tensor in tensors.items()}
        if self._lock is not None:
            state = {name: part.state() for name, part in self._kept.items()}
            content = {"step": step, "machine": _machine(module), "scaler": scaler.state_dict(), "kept": state}
            header = Header("checkpoint", self._params, self._parents, copy.deepcopy(content))
            copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in complete.items()}
            self._writing = self._writer.submit(weights.save, copies, header, self._folder / STATE)
        self._saved_at = time.monotonic()
        self._took = self._saved_at - began

    def restore(self, module: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> int:
        """Put the last saved state back, if there is one; returns the step to begin with."""
        if not (self._folder / STATE).is_file():
            self._tell_of_others()
            return 0
        try:
            tensors, header = weights.load(self._folder / STATE, "checkpoint")
        except InputError as error:
            raise InputError(f"{error}; remove {self._folder} to begin afresh") from error
        like = module.state_dict()
        own = _under("module", tensors)
        module.load_state_dict({name: shares.alike(tensor, like[name]) for name, tensor in own.items()})
        _restore_optimizer(optimizer, _under("optimizer", tensors))
        if scaler.is_enabled() and header.content["scaler"]:  # which another device may have done without
            scaler.load_state_dict(header.content["scaler"])
        for part, kept in self._kept.items():
            kept.restore(_under(part, tensors), header.content["kept"][part])
        step = int(header.content["step"]) + 1
        LOG.info("%s: going on from step %d, saved in %s", self.stage, step, self._folder)
        if header.content["machine"] != (here := _machine(module)):
            was = header.content["machine"]
            LOG.warning("%s: the state was saved with %s, now with %s: bytes may differ", self.stage, was, here)
        return step

    def _tell_of_others(self) -> None:
        for other in sorted(self._folder.parent.glob(f"*/{STATE}")):
            before = json.loads((other.parent / ORIGIN).read_text())
            changed = ", ".join(_changed(before, self._origin))
            LOG.info("%s: beginning afresh, for the state in %s is of other %s", self.stage, other.parent, changed)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> list[str]:
    """The dotted names of what differs between two nested mappings."""
    names = []
    for key in {**before, **now}:
        one, other = before.get(key), now.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names += _changed(one, other, f"{path}{key}.")
        elif json.dumps(one) != json.dumps(other):  # a tuple of params is a list in JSON
            names.append(f"{path}{key}")
    return names


def scratch() -> Path:
    """Where states lie: in the main repository, also while DVC runs a stage in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".dvc" / "tmp" / "scratch"


def _under(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{part}/")}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split("/")
        like = parameters[int(number)]
        state.setdefault(int(number), {})[name] = shares.alike(tensor, like) if tensor.ndim else tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _machine(module: nn.Module) -> dict[str, Any]:
    """What the bytes of a training depend on beside its origin."""
    device = device_of(module)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "threads": torch.get_num_threads(), "processes": distributed.count()}


def _code(script: Path) -> str:
    """sha256 of the code of a stage: its script, and the modules of echoes that it has imported."""
    imported = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "echoes"]
    sources = [*sorted({str(Path(file)) for file in imported if file}), str(script)]
    return sha256("".join(files.digest(Path(file)) for file in sources).encode()).hexdigest()


def _digest(origin: Mapping[str, Any]) -> str:
    return sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()[:16]
