"""Which stages an edit runs anew: those that import what was edited, as `dvc status` says."""

import json
from typing import Any

import pytest
import yaml

import repository
import test_end_to_end
from echoes import params

TRACKS = ("radar", "microdoppler")  # one of each family
TRAININGS = ("train_vae", "train_ldm", "distill_cd")


def each(*stages: str) -> set[str]:
    """The stages of every track."""
    return {f"{stage}@{track}" for stage in stages for track in TRACKS}


# The edited module, and the stages that read it; what lies below them follows from their outputs.
EDITS = {
    # Distances of points, by which the readout of clouds is calibrated, and no spectrogram.
    "evaluation/geometry.py": {"distill_cd@radar", "evaluate@radar"},
    "evaluation/manifolds.py": each("evaluate"),
    "reports/figures.py": each("evaluate"),
    "models/radar/comparison.py": {"evaluate@radar"},
    "models/microdoppler/pictures.py": {f"{stage}@microdoppler" for stage in TRAININGS},
    "distillation/consistency.py": each("distill_cd", "sample"),
    "diffusion/dopri5.py": each("sample"),  # which no track selects
    "rasters/ground.py": each("voxelize"),
    "judging/findings.py": {"voxelize@radar"},  # those of spectrograms are apart
    "judging/signals.py": {"voxelize@microdoppler"},
    "voxelization/cloud_params.py": each("voxelize"),  # which either family may have in its section, if to be refused
    "voxelization/pairs.py": {"voxelize@radar"},
    "readers/mars.py": set(),  # of none of these tracks
    "readers/simulated.py": {"voxelize@radar"},
    "readers/people/gait.py": {"voxelize@microdoppler"},
    "models/radar/calibration.py": {"distill_cd@radar"},
    "models/microdoppler/validation.py": {"distill_cd@microdoppler"},
    "training/log.py": each(*TRAININGS),
}


# In one process for all edits, because the import of DVC takes longer than a look at a project of this size: what the
# stage select_code would do is done by hand.
STATUS = """
import json, sys
from pathlib import Path
from dvc.repo import Repo
from echoes import track_code

repo = Repo()
stages = [stage for stage in repo.index.stages if not stage.addressing.startswith("select_code")]  # parsed once
found, READERS = {}, {"radar": "simulated", "microdoppler": "simulated_people"}
for module in sys.argv[1:]:
    path = Path("src", "echoes", module)
    before = path.read_text()
    path.write_text(before + "# An edit.\\n")
    for track, reader in READERS.items():
        track_code.write(track, reader)
    edited = {str(place.absolute()) for place in (path, *path.parents)}
    edited |= {str(place.absolute()) for place in Path("data").glob("*/code/*.json")}
    with repo.lock:  # of what no edit reaches, nothing is asked: it was up to date before
        reached = [(stage, [dep for dep in stage.deps if dep.fs_path in edited]) for stage in stages]
        found[module] = [stage.addressing for stage, deps in reached if any(dep.status() for dep in deps)]
    path.write_text(before)
print()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Edited module -> the stages that have changed, in a project where none had, once `select_code` has run.

    Files stand in for what stages write, because status compares bytes and reads none of them.
    """
    numbers = yaml.safe_load((test_end_to_end.ROOT / "params.yaml").read_text())
    numbers |= {"tracks": list(TRACKS), "init_from": dict.fromkeys(TRACKS, "scratch"), "folds": []}
    made = repository.checked_out(tmp_path_factory.mktemp("edits"), numbers)
    for stage in params.document(made.root / "dvc.yaml")["stages"].values():
        for path in _outputs(stage | stage.get("do", {})):
            for track in TRACKS:
                target = made.root / path.replace("${item.track}", track).replace("${key}", track)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("{}\n")
    made.dvc("repro", *(f"select_code@{track}" for track in TRACKS))
    made.dvc("commit", "--force", "--quiet")
    assert made.json("status") == {}
    found: dict[str, list[str]] = json.loads(
        made.run("env", "PYTHONPATH=src", "python", "-c", STATUS, *EDITS).splitlines()[-1]
    )
    return found


def _outputs(stage: dict[str, Any]) -> list[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("module", EDITS)
def test_an_edit_runs_the_stages_anew_that_read_it_and_no_others(changed: dict[str, list[str]], module: str) -> None:
    assert set(changed[module]) == EDITS[module]
