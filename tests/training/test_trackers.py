"""TensorBoard, Weights & Biases and MLflow have what they are told, each where its package is installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from echoes import params
from echoes.errors import InputError
from echoes.training import trackers
from echoes.training.runtime import Runtime
from trainings import RUNTIME

PARAMS = {"target_ema": 0.5, "schedule": {"lr": 0.1, "decay": {"kind": "constant"}}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_MODE", raising=False)


def tell(name):
    """Three rows and a picture, as a training tells them."""
    pytest.importorskip(name, reason=f"needs the extra {name}")
    Image.fromarray(np.full((4, 6, 3), (200, 100, 0), np.uint8)).save("2.png")
    (tracker,) = trackers.chosen([name], "train_toy", "toys", PARAMS)
    for step in (1, 2, 3):
        tracker.numbers(step, {"loss": 1 / step, "lr": 0.1})
        if step == 2:
            tracker.picture(step, Path("2.png"))
    tracker.close()


def test_tensorboard_has_numbers_and_pictures():
    tell("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("logs/toys/train_toy").Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(k, pytest.approx(1 / k)) for k in (1, 2, 3)]
    (picture,) = events.Images("samples")
    assert (picture.step, picture.width, picture.height) == (2, 6, 4)


def test_weights_and_biases_has_a_run_offline():
    tell("wandb")
    (run,) = Path("logs/toys/wandb").glob("offline-run-*")
    assert list(run.glob("*.wandb"))
    assert [path.name.split("_")[0] for path in run.glob("files/media/images/*.png")] == ["samples"]


def test_mlflow_has_params_numbers_and_pictures():
    tell("mlflow")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{Path('logs/mlflow.db').resolve()}")
    (run,) = client.search_runs([client.get_experiment_by_name("toys").experiment_id])
    assert run.info.run_name == "train_toy"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"target_ema": "0.5", "schedule.lr": "0.1", "schedule.decay.kind": "constant"}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert [path.name for path in Path("logs/mlflow").rglob("*.png")] == ["2.png"]


def test_a_tracker_that_is_told_nothing_leaves_nothing():
    installed = [name for name in trackers.TRACKERS if importlib.util.find_spec(name)]
    for tracker in trackers.chosen(installed, "train_toy", "toys", PARAMS):
        tracker.close()
    assert not Path("logs").exists()


def test_a_tracker_without_its_package_is_refused_in_one_line():
    missing = [name for name in trackers.TRACKERS if importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip("all extras are installed")
    message = rf"^runtime\.trackers: {missing[0]} needs another package; run `pip install -e '\.\[{missing[0]}\]'`$"
    with pytest.raises(InputError, match=message):
        trackers.chosen(missing, "train_toy", "toys", PARAMS)


def test_the_key_that_trackers_had_before_is_told_by_its_new_name():
    with pytest.raises(InputError, match=r"^runtime\.tensorboard: unknown; it is runtime\.trackers$"):
        params.build(Runtime, {**RUNTIME, "tensorboard": True}, "runtime")
    with pytest.raises(InputError, match=r"^runtime\.trackers\[0\]: expected one of tensorboard, wandb, mlflow, got"):
        params.build(Runtime, {**RUNTIME, "trackers": ["comet"]}, "runtime")
