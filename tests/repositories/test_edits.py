"""Which stages an edit runs anew: those that import what was edited, as `dvc status` says."""

import json
from typing import Any

import pytest
import yaml

import repository
import test_end_to_end
from echoes import params

TRACKS = ("radar", "microdoppler")  # one of each family
TRAININGS = {"train_vae", "train_ldm", "distill_cd"}
# The edited module, and the stages that read it; what lies below them follows from their outputs.
EDITS = {
    "evaluation/geometry.py": {"distill_cd", "evaluate"},  # distances of points, by which a readout is calibrated
    "evaluation/manifolds.py": {"evaluate"},
    "evaluation/spectrograms.py": {"evaluate"},
    "reports/figures.py": {"evaluate"},
    "distillation/consistency.py": {"distill_cd", "sample"},
    "diffusion/dopri5.py": {"sample"},  # which no track selects
    "rasters/ground.py": {"voxelize"},
    "rasters/voxels.py": {"voxelize"},
    # Of every track, whoever uses it: all items of a matrix have the same deps.
    "readers/mars.py": {"voxelize"},
    "models/radar/calibration.py": {"distill_cd"},
    "models/microdoppler/validation.py": {"distill_cd"},
    "training/log.py": TRAININGS,
    "training/checkpoint.py": TRAININGS,
}


# In one process for all edits, because the import of DVC takes longer than a look at a project of this size.
STATUS = """
import json, sys
from pathlib import Path
from dvc.repo import Repo

found = {}
for module in sys.argv[1:]:
    path = Path("src", "echoes", module)
    before = path.read_text()
    path.write_text(before + "# An edit.\\n")
    with Repo() as repo:
        found[module] = sorted(repo.status())
    path.write_text(before)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Edited module -> the stages that have changed, in a project where none had.

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
    made.dvc("commit", "--force", "--quiet")
    assert made.json("status") == {}
    found: dict[str, list[str]] = json.loads(made.run("python", "-c", STATUS, *EDITS).splitlines()[-1])
    return found


def _outputs(stage: dict[str, Any]) -> list[str]:
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("module", EDITS)
def test_an_edit_runs_the_stages_anew_that_read_it_and_no_others(changed: dict[str, list[str]], module: str) -> None:
    assert changed[module] == sorted(f"{stage}@{track}" for stage in EDITS[module] for track in TRACKS)
