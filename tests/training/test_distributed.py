"""Several processes, or several parts, take the steps of one process with the whole batch."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

import trainings
from trainings import fit, runtime, schedule

TESTS = Path(__file__).resolve().parents[1]
CLOSE = {"rtol": 0, "atol": 1e-5}
NEVER = {"steps": 0, "minutes": 0.0}

# All trainings in one start of two processes, because the start takes longer than they do.
WORKER = """
import json, os, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from echoes.compute import distributed
import trainings

torch.set_num_threads(1)
with distributed.joined():
    for name, asked in json.loads(sys.argv[1]).items():
        distributed.of_first(0)  # which may still write the state that this one goes on from
        p, r = trainings.schedule(**asked["schedule"]), trainings.runtime(processes=2, **asked["runtime"])
        try:
            found = trainings.fit(p, r, {"grids": asked["of"]}, asked["stop"])
        except trainings.StoppedError:
            continue
        if distributed.is_first():
            save_file(found.chosen.state_dict(), f"{name}.safetensors")
            Path(f"{name}.json").write_text(json.dumps([found.seen[0], found.log.state()["rows"]]))
"""


def asked(of, stop=None, sharding="none", checkpoint=NEVER, **changes):
    """of: what is trained on, which tells the saved states of trainings apart."""
    return {
        "schedule": {"steps": 20, **changes},
        "runtime": {"sharding": sharding, "checkpoint": checkpoint},
        "of": of,
        "stop": stop,
    }


EACH = {"steps": 1, "minutes": 0.0}
TRAININGS = {
    "two": asked("a"),
    "two in two parts each": asked("b", accumulate=2),
    "sharded": asked("c", sharding="full"),
    "stopped": asked("d", stop=7, checkpoint=EACH),
    "gone on": asked("d", checkpoint=EACH),
    "sharded and stopped": asked("e", stop=7, sharding="full", checkpoint=EACH),
    "sharded and gone on": asked("e", sharding="full", checkpoint=EACH),
}


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """name -> chosen weights, first step and rows of the curve, of each training that was not stopped."""
    folder = tmp_path_factory.mktemp("together")
    (folder / "stages").mkdir()
    (folder / "stages" / "train_toy.py").write_text("")
    (folder / "worker.py").write_text(WORKER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "worker.py"]
    env = {k: v for k, v in os.environ.items() if k != "DVC_ROOT"}
    env["PYTHONPATH"] = os.pathsep.join([str(TESTS), *sys.path])
    env["CUDA_VISIBLE_DEVICES"] = ""  # two processes do not share a GPU
    done = subprocess.run(
        [*command, json.dumps(TRAININGS)], env=env, capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for path in folder.glob("*.safetensors"):
        begin, rows = json.loads(path.with_suffix(".json").read_text())
        found[path.stem] = SimpleNamespace(weights=load_file(path), begin=begin, losses=losses(rows))
    return found


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """The same training by one process, in whole batches."""
    trainings.enter(tmp_path, monkeypatch)

    def run(**changes):
        found = fit(schedule(steps=20, **changes), runtime(checkpoint=NEVER))
        return SimpleNamespace(weights=found.chosen.state_dict(), losses=losses(found.log.state()["rows"]))

    return run


def losses(rows):
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_parts_of_a_batch_add_up_to_the_batch(alone, parts):
    whole, parted = alone(), alone(accumulate=parts)
    torch.testing.assert_close(parted.weights, whole.weights, **CLOSE)
    assert parted.losses == pytest.approx(whole.losses, abs=1e-5)


@pytest.mark.parametrize("name", ["two", "two in two parts each", "sharded"])
def test_two_processes_take_the_steps_of_one(alone, together, name):
    """A batch of 5 does not divide by 2 or 4: no sample is dropped, none is seen twice."""
    whole, found = alone(), together[name]
    torch.testing.assert_close(found.weights, whole.weights, **CLOSE)
    assert found.losses == pytest.approx(whole.losses, abs=1e-5)


@pytest.mark.parametrize(("name", "like"), [("gone on", "two"), ("sharded and gone on", "sharded")])
def test_several_processes_go_on_from_their_saved_state_to_the_same_bytes(together, name, like):
    assert together[name].begin == 7
    assert all(torch.equal(tensor, together[like].weights[key]) for key, tensor in together[name].weights.items())
