"""The peak of a process is its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from echoes import memory

HOLDS = """
from echoes import memory

before_mb = memory.peak_mb()
held = b"x" * 100_000_000
del held
print(before_mb, memory.peak_mb())
"""
TOLD = memory.PEAK.search(Path("/proc/self/status").read_text()) is not None


@pytest.mark.skipif(not TOLD, reason="the system does not tell the peak of a process alone")
def test_the_peak_is_of_what_the_process_held_and_not_of_the_one_that_started_it():
    held = b"x" * 200_000_000
    done = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True)
    del held
    before_mb, after_mb = map(float, done.stdout.split())
    assert 5 < before_mb < 100
    assert 95 < after_mb - before_mb < 110
