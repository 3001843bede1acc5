"""Time and memory of a training, also of one that was stopped."""

import subprocess
import sys
import time

import pytest

from echoes.training.clock import Clock

# Where Linux tells a process the most memory of the one that started it, what is held has to exceed that first.
GROWS = """
import torch
from pathlib import Path
from echoes.compute.device import peak_memory_mb
from echoes.training.clock import Clock

here_mb = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
clock = Clock(batch=2)
clock.start()
before = clock.peak_mb
held = torch.ones(int((peak_memory_mb(torch.device("cpu")) - here_mb + 120) * 1e6 / 4))
del held
print(before, clock.peak_mb)
"""


def test_a_lap_has_the_samples_of_its_steps_over_its_time():
    clock = Clock(batch=8)
    clock.start()
    time.sleep(0.2)
    first = clock.lap(steps=3)
    time.sleep(0.1)
    second = clock.lap(steps=3)
    assert 0.2 <= first["seconds"] < second["seconds"]
    assert first["samples_per_s"] == pytest.approx(24 / first["seconds"], rel=0.01)
    assert second["samples_per_s"] == pytest.approx(24 / (second["seconds"] - first["seconds"]), rel=0.01)


def test_time_and_memory_go_on_after_a_stop():
    clock = Clock(batch=8)
    clock.start()
    clock.restore({"seconds": 100.0, "peak_mb": 5000.0})
    lap = clock.lap(steps=1)
    assert 100 < lap["seconds"] < 101
    assert lap["peak_memory_mb"] == 5000
    assert clock.state() == {"seconds": pytest.approx(100, abs=1), "peak_mb": 5000}


def test_the_memory_is_what_the_training_took_at_most():
    done = subprocess.run([sys.executable, "-c", GROWS], capture_output=True, text=True, check=True)
    before, after = map(float, done.stdout.split())
    assert before < 5
    assert 100 < after < 150
