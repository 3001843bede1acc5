"""The three trainings of a track and one call of its model in each precision, compiled and not: see gpu.sh.

python bench/gpu.py TRACK OUTPUT SECONDS

The trainings are put together as their stages do, on artifacts that stand in for real ones, as `echoes estimate` has
them. What matters most comes first; each number is in OUTPUT once it is known, and is not measured again. After SECONDS
nothing more is begun. Without a GPU it runs too, and tells no memory.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import machine
import numpy as np
import torch
from torch import nn

from echoes import files, latentstore
from echoes.autoencoder import architecture
from echoes.commands import stand_ins, trainings
from echoes.commands.trainings import STAGES, Sections, StandIns, Training
from echoes.compute.device import best_device, peak_memory_mb
from echoes.compute.precision import KINDS, Precision, computing, native
from echoes.models import denoisers, distilling, families, sampler
from echoes.models.conditions import unmirrored
from echoes.models.sampler import Decoder
from echoes.training.loop import train

WARM, RUNS = 3, 7
CALLS = 20  # of which the median counts, after WARM
BATCHES = (1, 16)  # of one call
CARD_GB, MOST = 24.0, 1024  # memory that a batch is to fit, and the largest that is tried
CLOSE = 1.1  # what a batch may lack of the largest
COMPILED = ("encoder", "decoder", "network")  # modules, by the last part of their name

Numbers = dict[str, Any]


def main(track: str, output: str, limit_s: str) -> None:
    began, path, device = perf_counter(), Path(output), best_device()
    found: Numbers = json.loads(path.read_text()) if path.is_file() else {"track": track, "measured": {}}
    if found["track"] != track:
        raise SystemExit(f"{path}: expected numbers of {track}, got those of {found['track']}")
    found["machine"] = machine.tell()
    p = trainings.load(track, Path("params.yaml"))
    with TemporaryDirectory() as folder:
        made = trainings.stand_ins_of(p, stand_ins.LABELS, Path(folder))
        left = [(name, measure) for name, measure in wanted(p, made, device) if name not in found["measured"]]
        while left and perf_counter() - began < float(limit_s):
            name, measure = left.pop(0)
            found["measured"][name] = _tried(measure)
            found["left_out"] = [other for other, _ in left]
            with files.replacing(path) as temporary:
                temporary.write_text(json.dumps(found, indent=2) + "\n")
            print(f"{name:36} {json.dumps(found['measured'][name])}", flush=True)
    if left:
        print(f"left out after {limit_s} s: {', '.join(name for name, _ in left)}")


def wanted(p: Sections, made: StandIns, device: torch.device) -> Iterator[tuple[str, Callable[[], Numbers]]]:
    """Name -> what measures it, the most important first: of the precisions that of `precision: auto`."""
    precisions: list[Precision] = sorted(KINDS, key=lambda name: KINDS[name] != native(device))
    for precision, stage in product(precisions, STAGES):
        yield f"{stage}, {precision}", partial(trained, stage, p, made, device, precision, False)
    for precision, batch in product(precisions, BATCHES):
        yield f"one call, {precision}, batch {batch}", partial(called, p, made, device, precision, batch)
    if device.type == "cuda":
        for stage in STAGES:
            yield f"{stage}, {CARD_GB:g} GB", partial(largest, stage, p, made, device)
    for precision, stage in product(precisions, STAGES):
        yield f"{stage}, {precision}, compiled", partial(trained, stage, p, made, device, precision, True)


def _tried(measure: Callable[[], Numbers]) -> Numbers:
    """What was measured, or why not: out of memory, or what a compiler or a precision cannot do."""
    start = perf_counter()
    try:
        found = measure()
    except (RuntimeError, FloatingPointError) as error:
        found = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    _forget()
    return {**found, "took_s": round(perf_counter() - start, 1)}


def _forget() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def trained(
    stage: str, p: Sections, made: StandIns, device: torch.device, precision: Precision, compiled: bool
) -> Numbers:
    """`steps_per_s` of a training with its batch, loading and averages included, and `peak_gb` of a GPU."""
    changed = p.with_schedule(stage, precision=precision)
    of = trainings.training(stage, changed, made, nullcontext, device)
    if compiled:
        torch.compiler.reset()
        for network in networks(of):
            network.compile()
    seconds = steps_s(stage, of, made, device, WARM + RUNS)
    return {"batch": of.schedule.batch, "steps_per_s": 1 / median(seconds[WARM:]), **_peak(device)}


def networks(of: Training) -> Iterator[nn.Module]:
    """The parts of a training that compilation is for, none within another one."""
    for root in (of.module, *of.others, *(average.model for average in of.averages)):
        taken: tuple[str, ...] = ()
        for name, module in root.named_modules():
            if name.rpartition(".")[2] in COMPILED and not name.startswith(taken):
                taken = (*taken, f"{name}.")
                yield module


def steps_s(stage: str, of: Training, made: StandIns, device: torch.device, count: int) -> list[float]:
    """Seconds of each step."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    schedule = replace(of.schedule, steps=count)
    ends = [sampler.clock(device)]
    for step, _ in train(stage, of.module, of.load, of.loss, made.data.frames("train"), schedule):
        for average in of.averages:
            average.update(step)
        ends.append(sampler.clock(device))
    return np.diff(ends).tolist()


def _peak(device: torch.device) -> Numbers:
    return {"peak_gb": peak_memory_mb(device) / 1000} if device.type == "cuda" else {}


def largest(stage: str, p: Sections, made: StandIns, device: torch.device) -> Numbers:
    """`largest_batch` whose steps fit CARD_GB in bfloat16, up to MOST or within CLOSE of it; 0 where none of 2 does."""
    share = CARD_GB * 1e9 / torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(share, 1.0))
    try:
        fits, does_not = 0, MOST + 1
        batch = 2
        while batch <= MOST and does_not > max(fits + 1, CLOSE * fits):
            if _fits(stage, p, made, device, batch):
                fits = batch
            else:
                does_not = batch
            batch = 2 * fits if does_not > MOST else (fits + does_not) // 2
            if fits == 0 and does_not <= MOST:
                break
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return {"largest_batch": fits, "card_gb": CARD_GB}


def _fits(stage: str, p: Sections, made: StandIns, device: torch.device, batch: int) -> bool:
    changed = p.with_schedule(stage, precision="bfloat16", batch=batch, accumulate=1)
    try:
        steps_s(stage, trainings.training(stage, changed, made, nullcontext, device), made, device, 2)
    except torch.OutOfMemoryError:
        return False
    finally:
        _forget()
    return True


def called(p: Sections, made: StandIns, device: torch.device, precision: Precision, batch: int) -> Numbers:
    """`latency_ms` of `batch` samples from noise in one call of an untrained consistency model, decoding included."""
    with device:
        vae = architecture.build(p.vae.architecture, made.data.rank, made.data.channels).eval()
        student = distilling.student_of(denoisers.build(made.latents.header, p.ldm.architecture), p.cd).eval()
    decoder = Decoder(vae, denoisers.whitening(made.latents.header))
    drawing = distilling.once(p.cd, decoder, latentstore.shape(made.latents.header))(student)
    frames = np.repeat(made.data.frames("test"), batch)[:batch]
    conditions = families.conditioning(made.data.family).conditions
    given = conditions(made.data, made.latents, p.ldm.architecture.condition.by)
    cond = given(frames, unmirrored(frames)).to(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with computing(precision):
        seconds = [sampler.timed(drawing, cond, range(batch))[1] for _ in range(WARM + CALLS)]
    return {"batch": batch, "latency_ms": 1000 * median(seconds[WARM:]), **_peak(device)}


if __name__ == "__main__":
    main(*sys.argv[1:])
