"""A small network with all that a training has: noise, dropout, a running average, a curve, a selection."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from echoes import batch_noise, params
from echoes.training import sharding
from echoes.training.checkpoint import Checkpoints
from echoes.training.ema import Ema
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch
from echoes.training.rate import LearningRate
from echoes.training.run import training_run
from echoes.training.runtime import Runtime
from echoes.training.schedule import StageSchedule

STAGE = Path("stages", "train_toy.py")
SCHEDULE = {
    "steps": 12,
    "batch": 5,
    "lr": 0.02,
    "warmup": 3,
    "decay": {"kind": "cosine", "floor": 0.0},
    "weight_decay": 0.01,
    "clip": 1.0,
    "precision": "float32",
    "seed": 0,
    "ema": 0.9,
    "accumulate": 1,
    "gradient_checkpointing": False,
    "validation": {"every": 3, "patience": 0, "keep": "best"},
}
RUNTIME = {
    "processes": 1,
    "nodes": 1,
    "rendezvous": "",
    "sharding": "none",
    "checkpoint": {"steps": 1, "minutes": 0.0},
    "previews": 0,
    "trackers": [],
    "latents": "",
    "workers": {"processes": 1, "scheduler": ""},
}
FRAMES = np.arange(100, 117)  # numbers in a data set, of which these are the train split
DATA = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Two called children, as a denoiser has them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), batch_noise.Dropout(0.3))
        self.second = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x))
        return out


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `folder` the current one, as a project of its own with the script of a stage."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    STAGE.parent.mkdir()
    STAGE.write_text("")


def schedule(**changes: Any) -> StageSchedule:
    built: StageSchedule = params.build(StageSchedule, {**SCHEDULE, **changes}, "toy.net")
    return built


def runtime(**changes: Any) -> Runtime:
    built: Runtime = params.build(Runtime, {**RUNTIME, **changes}, "runtime")
    return built


def load(part: MicroBatch) -> Tensor:
    return DATA[torch.from_numpy(part.frames)]


def network() -> Net:
    torch.manual_seed(0)
    return Net()


def loss_of(module: nn.Module, size: float):
    def loss(batch: Tensor) -> Tensor:
        return size * ((module(batch + 0.1 * batch_noise.normal_like(batch)) - batch) ** 2).mean(1)

    return loss


@dataclass(frozen=True)
class Section:
    """Of params.yaml."""

    schedule: StageSchedule


class StoppedError(Exception):
    """In place of a SIGKILL."""


def fit(
    p: StageSchedule,
    r: Runtime,
    parents: dict[str, str] | None = None,
    stop: int | None = None,
    load=load,
    size: float = 1.0,
) -> SimpleNamespace:
    """What a training stage does, in the current folder; `stop` ends it within that step as a kill would, and that of
    the number of steps once all of them are done. size: of the loss.
    """
    module = network()
    ema = Ema(module, 0.9)
    if r.sharding == "full":
        sharding.shard(module, ema.model)
    seen: list[int] = []

    def steps(checkpoints: Checkpoints, rate: LearningRate):
        for step, numbers in train("toy", module, load, loss_of(module, size), FRAMES, p, checkpoints, rate):
            if step == stop:
                raise StoppedError
            seen.append(step)
            yield step, numbers

    def error(model: nn.Module) -> float:
        with torch.no_grad():
            return float((model(DATA[:50]) - DATA[:50]).square().mean())

    with training_run(STAGE, "toys", Section(p), r, parents or {"grids": "g"}, {"ema": ema}, error) as training:
        training.fit(steps(training.checkpoints, training.rate), lambda model, path: None)
        if stop == p.steps:
            raise StoppedError
        chosen = training.selection.into(Net())
    return SimpleNamespace(
        module=module, average=ema.model, chosen=chosen, log=training.log, seen=seen, selection=training.selection
    )


def content(found: SimpleNamespace) -> bytes:
    """All weights of a training, its averages and its selection, and its curve, less what a clock measured."""
    tensors = [t for m in (found.module, found.average, found.chosen) for t in m.state_dict().values()]
    curve = {name: value for name, value in found.log.state().items() if name != "machine"}
    return b"".join(t.numpy().tobytes() for t in tensors) + json.dumps(curve, sort_keys=True).encode()
