"""What this machine computes, in under 10 seconds: what the times of the other benchmarks are to be read beside.

python bench/machine.py

Prints a line and the same as JSON; every other benchmark here prints that line first.
"""

import json
import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import torch

SECONDS = 0.5  # of one measurement
SIZE = {"cpu": 512, "cuda": 8192}  # of a matrix
COPIED = {"cpu": 1 << 28, "cuda": 1 << 30}  # bytes, more than caches hold
WAKEUPS, PAUSE_S = 200, 1e-3  # long enough for a thread to fall asleep
# Of the processor's flags those that say in what it computes.
FLAGS = (
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "asimd",
    "sve",
    "bf16",
)
PRIMITIVES = ("convolution", "inner_product", "matmul")
LIBRARY = """
import torch
conv, linear = torch.nn.Conv3d(16, 16, 3), torch.nn.Linear(256, 256)
with torch.no_grad():
    for kind in (torch.float32, torch.bfloat16):
        conv.to(kind)(torch.randn(2, 16, 8, 32, 32, dtype=kind))
        linear.to(kind)(torch.randn(64, 256, dtype=kind))
"""


def measured() -> dict[str, Any]:
    """All of it: of the processor, and of the GPU where there is one."""
    before = _ticks()
    found: dict[str, Any] = {
        "date": date.today().isoformat(),
        **_processor(Path("/proc/cpuinfo").read_text()),
        "threads": torch.get_num_threads(),
        **_rates(torch.device("cpu")),
        "wakeup_us": wakeups_us(),
        "onednn": implementations(_verbose()),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        found["gpu"] = {"name": torch.cuda.get_device_name(), **_rates(torch.device("cuda"))}
    stolen, total = (after - earlier for after, earlier in zip(_ticks(), before, strict=True))
    return {**found, "steal": round(stolen / max(total, 1), 4)}


def line(found: Mapping[str, Any]) -> str:
    """A line of what `measured` gave."""
    wakeup, taken = found["wakeup_us"], found["onednn"]["primitives"]
    library = ", ".join(f"{name} {how}" for name, how in taken.items()) or "none"
    parts = [
        f"{found['date']}: {found['processor']}, {found['threads']} threads, {' '.join(found['flags'])}",
        _told(found),
        f"wake-up {wakeup['median']:.0f} us (99 %: {wakeup['p99']:.0f})",
        f"steal {found['steal']:.1%}",
        f"oneDNN: {library}",
        f"torch {found['torch']}",
    ]
    if "gpu" in found:
        parts.append(f"{found['gpu']['name']}: {_told(found['gpu'])}")
    return "; ".join(parts)


def tell() -> dict[str, Any]:
    """Prints the line before a benchmark, and gives what it is made of."""
    found = measured()
    print(line(found), flush=True)
    return found


def _told(rates: Mapping[str, Any]) -> str:
    products = ", ".join(f"{kind} {rate:.4g}" for kind, rate in rates["gflops"].items())
    return f"{products} GFLOP/s, {rates['copy_gb_per_s']:.4g} GB/s"


def _rates(device: torch.device) -> dict[str, Any]:
    """Products of square matrices, and a copy, of which the bytes that are read and those that are written count."""
    size, count = SIZE[device.type], COPIED[device.type]
    gflops = {}
    for kind in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
        gflops[str(kind).removeprefix("torch.")] = 2 * size**3 / _best_s(lambda a=a, b=b: a @ b, device) / 1e9
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return {"gflops": gflops, "copy_gb_per_s": 2 * count / _best_s(lambda: target.copy_(source), device) / 1e9}


def _best_s(work: Callable[[], object], device: torch.device) -> float:
    """The shortest of the runs within SECONDS, after one that does not count."""
    work()
    best, end = float("inf"), perf_counter() + SECONDS
    while best == float("inf") or perf_counter() < end:
        start = _clock(device)
        work()
        best = min(best, _clock(device) - start)
    return best


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return perf_counter()


def wakeups_us() -> dict[str, float]:
    """From a byte that is written to the thread that sleeps until it can read it: `median` and `p99` [us]."""
    woken_s: list[float] = []
    (asked, ask), (answered, answer) = os.pipe(), os.pipe()

    def sleeper() -> None:
        for _ in range(WAKEUPS):
            os.read(asked, 1)
            woken_s.append(perf_counter())
            os.write(answer, b".")

    thread = threading.Thread(target=sleeper)
    thread.start()
    written_s = []
    for _ in range(WAKEUPS):
        sleep(PAUSE_S)
        written_s.append(perf_counter())
        os.write(ask, b".")
        os.read(answered, 1)
    thread.join()
    for end in (asked, ask, answered, answer):
        os.close(end)
    taken_us = 1e6 * (np.array(woken_s) - np.array(written_s))
    return {"median": float(np.median(taken_us)), "p99": float(np.quantile(taken_us, 0.99))}


def _ticks() -> tuple[int, int]:
    """Ticks of all cores so far: those that the machine around this one took, and all."""
    numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return numbers[7], sum(numbers)


def _processor(cpuinfo: str) -> dict[str, Any]:
    """Its name, and those of FLAGS that it has."""
    name = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    return {"processor": name[1] if name else platform.machine(), "flags": [flag for flag in FLAGS if flag in has]}


def _verbose() -> str:
    """What oneDNN says of a convolution and a linear layer, float32 and bfloat16, in a process of its own."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    done = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def implementations(verbose: str) -> dict[str, Any]:
    """`isa`, and of each primitive and precision which implementation was taken first, from ONEDNN_VERBOSE=1.

    A line of a primitive reads onednn_verbose,v1,primitive,exec,cpu,convolution,brgconv:avx512_core,...,src:f32:...
    """
    isa = re.search(r"^onednn_verbose,.*\binfo,cpu,isa:(.+)$", verbose, re.MULTILINE)
    found: dict[str, str] = {}
    for words in (told.split(",") for told in verbose.splitlines() if told.startswith("onednn_verbose,")):
        if "exec" not in words:
            continue
        _, primitive, how, *others = words[words.index("exec") + 1 :]
        kind = re.search(r"\bsrc[_:](\w+?)(?:::|:)", ",".join(others))
        if primitive in PRIMITIVES and kind:
            found.setdefault(f"{primitive} {kind[1]}", how)
    return {"isa": isa[1] if isa else "", "primitives": found}


if __name__ == "__main__":
    print(json.dumps(tell(), indent=2))
