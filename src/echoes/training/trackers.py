"""What follows a training beside DVCLive: TensorBoard, Weights & Biases, MLflow, each an extra of its own.

None of them is imported, and no file is written, before there is something to tell.
"""

import importlib.util
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from echoes.errors import InputError

Name = Literal["tensorboard", "wandb", "mlflow"]
PROJECT = "echoes"


class Tracker(Protocol):
    """Is told what a training gives, step by step; after a stop once more from the beginning, as another run."""

    def numbers(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, path: Path) -> None:
        """path: of a PNG, of what the model makes after a step."""
        ...

    def close(self) -> None: ...


class TensorBoard:
    """Files in logs/<track>/<stage>, those of a run that was stopped cut off."""

    def __init__(self, logs: Path, stage: str, track: str, params: Mapping[str, Any]) -> None:
        self._folder = logs / track / stage
        self._writer: Any = None

    def _opened(self, step: int) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # seconds to import

            self._writer = SummaryWriter(str(self._folder), purge_step=step)
        return self._writer

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._opened(step).add_scalar(name, value, step)

    def picture(self, step: int, path: Path) -> None:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        self._opened(step).add_image("samples", pixels, step, dataformats="HWC")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class WeightsAndBiases:
    """A run in logs/<track>/wandb; offline, for `wandb sync`, unless its own variable WANDB_MODE says otherwise."""

    def __init__(self, logs: Path, stage: str, track: str, params: Mapping[str, Any]) -> None:
        self._folder, self._stage, self._track, self._params = logs / track, stage, track, params
        self._run: Any = None

    def _opened(self) -> Any:
        if self._run is None:
            import wandb

            self._folder.mkdir(parents=True, exist_ok=True)
            self._run = wandb.init(
                project=PROJECT,
                group=self._track,
                name=f"{self._stage}@{self._track}",
                config=dict(self._params),
                dir=str(self._folder),
                mode=os.environ.get("WANDB_MODE", "offline"),
            )
        return self._run

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        self._opened().log(dict(values), step=step)

    def picture(self, step: int, path: Path) -> None:
        import wandb

        self._opened().log({"samples": wandb.Image(str(path))}, step=step)

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()


class MLflow:
    """A run of the experiment <track> in logs/mlflow.db, its pictures in logs/mlflow."""

    def __init__(self, logs: Path, stage: str, track: str, params: Mapping[str, Any]) -> None:
        self._logs, self._stage, self._track, self._params = logs.resolve(), stage, track, params
        self._client: Any = None
        self._run = ""

    def _opened(self) -> Any:
        if self._client is None:
            from mlflow.entities import Param
            from mlflow.tracking import MlflowClient

            self._logs.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(tracking_uri=f"sqlite:///{self._logs / 'mlflow.db'}")
            known, pictures = self._client.get_experiment_by_name(self._track), (self._logs / "mlflow").as_uri()
            number = known.experiment_id if known else self._client.create_experiment(self._track, pictures)
            self._run = self._client.create_run(number, run_name=self._stage).info.run_id
            listed = [Param(name, str(value)) for name, value in flat(self._params).items()]
            self._client.log_batch(self._run, params=listed)
        return self._client

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        client = self._opened()
        from mlflow.entities import Metric

        now_ms = int(1000 * time.time())
        client.log_batch(self._run, metrics=[Metric(name, value, now_ms, step) for name, value in values.items()])

    def picture(self, step: int, path: Path) -> None:
        self._opened().log_artifact(self._run, str(path), "samples")

    def close(self) -> None:
        if self._client is not None:
            self._client.set_terminated(self._run)


TRACKERS: Mapping[Name, Callable[[Path, str, str, Mapping[str, Any]], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


def chosen(names: Sequence[Name], stage: str, track: str, params: Mapping[str, Any]) -> list[Tracker]:
    """Trackers by their names. params: of the training, nested.

    Raises InputError where the package of one is not there.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"runtime.trackers: {name} needs another package; run `pip install -e '.[{name}]'`")
    return [TRACKERS[name](Path("logs"), stage, track, params) for name in dict.fromkeys(names)]


def flat(params: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested mappings as one, of dotted names."""
    found: dict[str, Any] = {}
    for name, value in params.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found
