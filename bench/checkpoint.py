"""The state of a training: how long a step stops for its copy, and how long it takes until the copy is on the disk.

python bench/checkpoint.py
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import machine
import torch
from training_step import denoiser_of

from echoes import params
from echoes.compute.precision import autocast
from echoes.models.objectives import LdmParams
from echoes.training.checkpoint import SHARE, STATE, Checkpoints, scratch
from echoes.training.runtime import Runtime

RUNS = 3
CPU = torch.device("cpu")


def seconds(what: Callable[[], object]) -> float:
    """Median, after one that does not count."""
    times = []
    for _ in range(RUNS + 1):
        start = perf_counter()
        what()
        times.append(perf_counter() - start)
    return median(times[1:])


def measure(name: str, p: LdmParams, runtime: Runtime) -> None:
    training = denoiser_of("radar", p, CPU)
    module, (ema,) = training.module, training.averages
    optimizer = torch.optim.AdamW(module.parameters(), lr=p.schedule.lr, fused=True)
    cast = autocast(CPU, p.schedule.precision)

    def step() -> None:
        optimizer.zero_grad()
        with cast:
            value = training.loss(training.batch).mean()
        value.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), p.schedule.clip)
        optimizer.step()
        ema.update(0)

    step_s = seconds(step)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    with Checkpoints(Path(__file__), "bench", p, {}, runtime.checkpoint, {"ema": ema}) as checkpoints:
        stops = []

        def save() -> None:
            start = perf_counter()
            checkpoints.save(0, module, optimizer, scaler)
            stops.append(perf_counter() - start)
            checkpoints.wait()

        save_s, stop_s = seconds(save), median(stops[1:])
        (state,) = scratch().rglob(STATE)
        size = state.stat().st_size
    interval_s = max(60 * runtime.checkpoint.minutes, stop_s / SHARE)
    print(
        f"{name:12} {size / 1e6:8.0f} {step_s:8.2f} {stop_s:8.2f} {save_s:8.2f} {interval_s:8.0f} "
        f"{stop_s / interval_s:8.2%}"
    )


def main() -> None:
    ldm, runtime = params.load(LdmParams, "radar.ldm"), params.load(Runtime, "runtime")
    of = ldm.architecture
    machine.tell()
    print(f"batch {ldm.schedule.batch}, a state every {runtime.checkpoint.minutes} minutes")
    print(f"{'network':12} {'state MB':>8} {'step s':>8} {'stop s':>8} {'save s':>8} {'every s':>8} {'share':>8}")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as folder:
        os.environ["DVC_ROOT"] = folder
        measure("radar ldm", ldm, runtime)
        measure("DiT B", replace(ldm, architecture=replace(of, network="dit", dit=replace(of.dit, size="B"))), runtime)


if __name__ == "__main__":
    main()
