"""A project with one stage, which does what its script is told: DVC takes a second for it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PIPELINE = """\
stages:
  evaluate:
    matrix: {track: "${tracks}"}
    cmd: python stages/evaluate.py ${item.track}
    deps: [stages/evaluate.py, "data/raw/${item.track}"]
    params: ["${item.track}.split"]
    outs:
    - "metrics/${item.track}/plots/evaluate"
  folds:
    matrix: {track: "${folds}"}
    cmd: echo ${item.track}
"""
EVALUATE = """\
import sys
from pathlib import Path
import yaml
track = sys.argv[1]
fold = yaml.safe_load(Path("params.yaml").read_text())[track]["split"]["fold"]
far = float(Path("data", "raw", track, "far.txt").read_text())
print(f"evaluating fold {fold}", flush=True)
folder = Path("metrics", track, "plots", "evaluate")
folder.mkdir(parents=True)
rows = [f"{i},{fold},points,{m},{d}" for i in range(3) for m, d in (("radar", 1.0), ("ldm", far * (1 + fold)))]
(folder / "frames.csv").write_text("\\n".join(["frame,stretch,protocol,method,chamfer_m", *rows]))
"""


def project(root: Path, numbers: dict, track: str = "radar") -> Path:
    """A DVC repository without git. numbers: its parameters."""
    for path, text in (
        ("dvc.yaml", PIPELINE),
        (".dvcignore", "__pycache__/\n"),
        ("stages/evaluate.py", EVALUATE),
        ("src/echoes/__init__.py", ""),
        (f"data/raw/{track}/far.txt", "0.5"),
        ("params.yaml", yaml.safe_dump(numbers)),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "--quiet"], cwd=root, check=True)
    return root


def alone(patch: pytest.MonkeyPatch, home: Path) -> None:
    """DVC without the settings of whoever runs the tests."""
    patch.setenv("HOME", str(home))
    patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site"))
    patch.setenv("DVC_NO_ANALYTICS", "1")
    patch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    patch.delenv("DVC_ROOT", raising=False)
