"""How a stage starts and ends: the track from the command line; what a user can mend is one line and a status of 2."""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from echoes import memory, metrics, params
from echoes.errors import InputError

PIPELINE = Path("dvc.yaml")


def run(main: Callable[[str], None]) -> None:
    """Run a stage for the track that is its only argument; what that took is told in logs/<track>/<stage>.json.

    No metric: what differs with each run would show in `dvc metrics diff` where nothing else has changed.
    """
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    stage = Path(sys.argv[0]).stem
    if len(sys.argv) != 2:
        sys.exit(f"usage: python stages/{stage}.py TRACK")
    began_s = time.monotonic()
    try:
        require_listed(stage, sys.argv[1])
        main(sys.argv[1])
        require_listed(stage, sys.argv[1])  # what was imported on the way
    except (InputError, FloatingPointError) as error:  # the latter: a training whose loss is not finite
        print(f"{stage}: {error}", file=sys.stderr)
        sys.exit(2)
    if os.environ.get("RANK", "0") == "0":  # of the processes that torchrun starts, the first
        costs = {"seconds": time.monotonic() - began_s, "peak_memory_mb": memory.peak_mb()}
        metrics.write(Path("logs", sys.argv[1], f"{stage}.json"), costs)


def require_listed(stage: str, track: str) -> None:
    """Raises InputError where a module is loaded that the stage does not depend on in the dvc.yaml of this folder.

    Else it could change, and DVC would call the results up to date. In a folder without such a stage nothing is asked.
    What the track leads to is listed in a file that the stage `select_code` wrote, see `track_code`.
    """
    stages = params.document(PIPELINE)["stages"] if PIPELINE.is_file() else {}
    if stage not in stages:
        return
    definition = stages[stage].get("do", stages[stage])  # `do` is what `foreach` repeats
    deps = [Path(dep.replace("${item.track}", track)) for dep in definition["deps"]]
    listed = {*deps, *(Path(name) for dep in deps if dep.parent.name == "code" for name in _chosen(dep, track))}
    for file in _loaded():
        if listed.isdisjoint((file, *file.parents)):
            place = f"{PIPELINE}: stages.{stage}.deps"
            raise InputError(f"{place}: expected {file}, which is imported, got none that covers it: run `make deps`")


def _chosen(path: Path, track: str) -> list[str]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; `dvc repro select_code@{track}` writes it")
    return list(json.loads(path.read_text()))


def _loaded() -> list[Path]:
    """Where the modules of echoes lie that are imported, less packages, whose files are empty."""
    names = [name for name, module in sys.modules.items() if not hasattr(module, "__path__")]
    return [Path("src", *name.split(".")).with_suffix(".py") for name in sorted(names) if name.startswith("echoes.")]
