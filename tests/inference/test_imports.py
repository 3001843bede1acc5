"""Inference loads neither training nor readers nor drawing, before a call and after it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import tracks
from echoes import imports
from echoes.dataset.grids import Grids
from echoes.readers.catalog import READERS

NEVER = ("echoes.training", "echoes.readers", "echoes.voxelization", "echoes.reports", "matplotlib")
LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"
ENHANCE = """
import numpy as np
from echoes.inference import Enhancer
enhancer = Enhancer.load("data/radar", samples=2)
enhancer(np.float32([[10, 0, 0, 1, 60], [12, 3, 1, 2, 70]]))
"""
GENERATE = """
from echoes.inference import SpectrogramGenerator
SpectrogramGenerator.load("people").spectrograms(("3", "walk"), 1)
import numpy as np
from echoes.inference import RadarGenerator
RadarGenerator.load("lidar")(np.float32([[4, 0, 0, 0.5], [2, 3, 1, 0.1]]), count=1, seed=0)
"""
COMMAND = """
from echoes.cli import app
app(["enhance", "--track", "radar", "recording", "out"], standalone_mode=False)
"""
OTHERS = {f"echoes.readers.{name}" for name in READERS if name != "astyx"}


def loaded(work: str, folder: Path) -> set[str]:
    """The modules that a new process has after `work`, run in a folder."""
    environment = {"PYTHONPATH": str(imports.PACKAGE.parent), "PATH": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", f"{work}\n{LOADED}"]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(found)


def never(modules: set[str]) -> set[str]:
    """Those that inference has no use for."""
    return {name for name in modules if name.startswith(NEVER)}


@pytest.mark.parametrize("work", ["import echoes.inference", ENHANCE], ids=["import", "call"])
def test_an_enhancer_loads_nothing_of_training_readers_or_drawing(
    train: Callable[..., Grids], project: Path, work: str
) -> None:
    train("encoder")
    modules = loaded(work, project)
    assert "echoes.inference.enhancer" in modules
    assert never(modules) == set()


def test_generators_load_nothing_of_training_readers_or_drawing(tmp_path: Path) -> None:
    tracks.people(tmp_path / "people")
    tracks.radar_from_lidar(tmp_path / "lidar")
    assert never(loaded(GENERATE, tmp_path)) == set()


def test_enhance_loads_no_training_no_drawing_and_no_reader_but_its_own(
    train: Callable[..., Grids], project: Path
) -> None:
    train("encoder", ego_motion="none")
    numbers = yaml.safe_load((project / "params.yaml").read_text())
    numbers["radar"]["source"] = numbers["astyx"]["source"] | {"ego_motion": "none"}
    (project / "params.yaml").write_text(yaml.safe_dump(numbers))
    folder = project / "recording" / "radar_6455"
    folder.mkdir(parents=True)
    (folder / "000000.txt").write_text("X Y Z V_r Mag\n10 0 0 1 60\n")
    modules = loaded(COMMAND, project)
    assert "echoes.readers.astyx" in modules
    reading = {name for name in modules if name.startswith(("echoes.readers", "echoes.voxelization"))}
    assert never(modules - reading) == set()
    assert modules & (OTHERS | {"h5py", "rosbags"}) == set()
