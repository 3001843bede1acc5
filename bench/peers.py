"""The project beside its peers: each part of it on the same input as libraries that do the same, in turns.

    python bench/peers.py [PART ...]

Parts: voxelize, clouds, training, sampling, latents, enhance. Each is a module peer_PART, run in a process of its own,
because a library takes over threads, or the process with it. `pip install --no-deps -r requirements-bench.lock` brings
the peers; the row of one that is not there says so. Nothing is trained for long and no recording is needed: time does
not depend on what the numbers are.
"""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import machine

PARTS = ("voxelize", "clouds", "training", "sampling", "latents", "enhance")
ONE_THREAD = ("voxelize", "clouds", "latents")  # what one process does of many: libraries differ in how they share it
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
HERE = Path(__file__).parent


def main(*parts: str) -> None:
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"expected parts of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    machine.tell()
    start = perf_counter()
    for part in parts or PARTS:
        path = os.pathsep.join([str(HERE), str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")])
        threads = dict.fromkeys(THREADS, "1") if part in ONE_THREAD else {}
        code = f"import peer_{part}; peer_{part}.main()"
        environment = {**os.environ, **threads, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=False)
        if done.returncode:
            print(f"{part}: ended with {done.returncode}", flush=True)
    print(f"\n{perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
