"""SIGTERM and SIGINT end a training after its step, with its state saved and a word on how to go on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import trainings
from echoes.training.signals import Interrupted, deferred_signals
from trainings import content, fit, runtime, schedule

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    trainings.enter(tmp_path, monkeypatch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_once_and_the_second_one_acts_as_ever(number):
    before = signal.getsignal(number)
    with deferred_signals() as asked:
        assert asked() == 0
        signal.raise_signal(number)
        assert asked() == number
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_that_is_asked_to_stop_saves_its_state_and_goes_on_to_the_same_bytes(number):
    never = runtime(checkpoint={"steps": 0, "minutes": 0.0})
    p = schedule()
    straight = fit(p, never)

    def load(part):
        if part.step == 6:  # loaded ahead, while step 5 is computed
            os.kill(os.getpid(), number)
        return trainings.load(part)

    with pytest.raises(Interrupted, match=rf"stopped by {number.name} after step \d of 12; run the same command again"):
        fit(p, never, load=load)
    again = fit(p, never)
    assert 5 <= again.seen[0] <= 7
    assert content(again) == content(straight)


def test_a_stage_that_is_asked_to_stop_says_so_in_one_line_and_with_the_status_of_the_signal():
    script = Path("stages", "train_toy.py")
    script.write_text(
        "import os, signal\n"
        "from echoes.training import launch\n"
        "from echoes.training.signals import Interrupted\n"
        "def main(track):\n"
        "    raise Interrupted('stopped by SIGTERM after step 3 of 9', signal.SIGTERM)\n"
        "launch.run(main)\n"
    )
    Path("params.yaml").write_text(yaml.safe_dump({"runtime": trainings.RUNTIME}))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(script), "toys"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr.splitlines()[-1] == "train_toy: stopped by SIGTERM after step 3 of 9"
