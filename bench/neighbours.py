"""A step of a training on a busy machine, by what the threads of OpenMP do while they wait for each other.

python bench/neighbours.py [TRACK [STAGE]]

Each setting is a process of its own, because OpenMP reads it when it is loaded. The settings take turns beside each
kind of neighbour; the neighbours compute without end, each on one core.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from time import perf_counter

import machine
import numpy as np
import torch
import training_step

from echoes.training.loop import train

WARM, STEPS = 2, 8
BUSY = (sys.executable, "-c", "while True: pass")
NEIGHBOURS = {"alone": [], "one niced": [("nice", "-n", "19", *BUSY)], "one": [BUSY], "two": [BUSY, BUSY]}
SPINS = "GOMP_SPINCOUNT"  # rounds that a waiting thread looks before it sleeps
SETTINGS: dict[str, Mapping[str, str]] = {
    "as it comes": {},
    **{f"{SPINS}={count}": {SPINS: str(count)} for count in (10_000, 1_000)},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def step_s(track: str, stage: str) -> float:
    """The median of a step's seconds."""
    training = training_step.STAGES[stage](track, torch.device("cpu"))
    frames, ends = np.arange(training.schedule.batch), []
    schedule = replace(training.schedule, steps=WARM + STEPS)
    for _ in train("bench", training.module, lambda part: training.batch, training.loss, frames, schedule):
        ends.append(perf_counter())
    return median(np.diff(ends)[WARM - 1 :])


@contextmanager
def beside(commands: list[tuple[str, ...]]) -> Iterator[None]:
    """Processes that run meanwhile."""
    started = [subprocess.Popen(command) for command in commands]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def measured_s(track: str, stage: str, setting: Mapping[str, str]) -> float:
    """`step_s` in a process with these variables."""
    command = [sys.executable, __file__, track, stage, "step"]
    said = subprocess.run(command, env={**os.environ, **setting}, check=True, stdout=subprocess.PIPE, text=True)
    return float(said.stdout)


def main(track: str = "microdoppler", stage: str = "train_vae") -> None:
    machine.tell()
    print(f"| {stage}@{track}, ms | {' | '.join(NEIGHBOURS)} |\n|---|{'---:|' * len(NEIGHBOURS)}", flush=True)
    found: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for commands in NEIGHBOURS.values():
        with beside(commands):
            for name, setting in SETTINGS.items():
                found[name].append(measured_s(track, stage, setting))
    for name, (alone, *others) in found.items():
        told = [f"{1000 * alone:.0f}", *(f"{1000 * s:.0f} ({s / alone:.1f} x)" for s in others)]
        print(f"| `{name}` | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [track, stage, "step"]:
            print(step_s(track, stage))
        case names:
            main(*names)
