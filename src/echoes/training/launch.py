"""How a training stage starts: alone, or as one of several processes that torchrun starts."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from echoes import entry, params
from echoes.compute import distributed
from echoes.errors import InputError
from echoes.training.runtime import Runtime
from echoes.training.signals import Interrupted


def run(main: Callable[[str], None]) -> None:
    """Run a training stage for the track that is its only argument, in as many processes as `runtime` says."""
    try:
        entry.run(lambda track: _launched(main, track))
    except Interrupted as stopped:
        print(f"{Path(sys.argv[0]).stem}: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)


def _launched(main: Callable[[str], None], track: str) -> None:
    if "LOCAL_RANK" in os.environ:
        with distributed.joined():
            if not distributed.is_first():
                logging.disable(logging.INFO)  # all have the same to tell
            main(track)
        return
    runtime: Runtime = params.load(Runtime, "runtime")
    if runtime.processes * runtime.nodes == 1:
        main(track)
        return
    require_gpus(runtime.processes, torch.cuda.device_count())
    # In place of this process, so that signals reach torchrun, which hands them on.
    os.execv(sys.executable, [sys.executable, *_torchrun(runtime, track), sys.argv[0], track])


def require_gpus(processes: int, gpus: int) -> None:
    """Raises InputError where a machine has GPUs, but fewer than processes; without any they share the processor."""
    if 0 < gpus < processes:
        raise InputError(f"runtime.processes: expected at most {gpus}, one for each GPU here, got {processes}")


def _torchrun(runtime: Runtime, track: str) -> list[str]:
    meeting = ["--standalone"]
    if runtime.nodes > 1:
        # By name: machines that are at different stages must not take each other for partners.
        name = f"{Path(sys.argv[0]).stem}@{track}"
        meeting = [f"--rdzv-endpoint={runtime.rendezvous}", "--rdzv-backend=c10d", f"--rdzv-id={name}"]
    size = [f"--nnodes={runtime.nodes}", f"--nproc-per-node={runtime.processes}"]
    return ["-m", "torch.distributed.run", *size, *meeting]
