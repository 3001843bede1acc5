"""The notebooks run as they stand in the folder of a built project, and are kept without outputs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import yaml

import tracks

ROOT = Path(__file__).resolve().parents[2]


def run(name: str) -> None:
    """The cells one after the other."""
    path, variables = ROOT / "docs" / "notebooks" / f"{name}.ipynb", dict[str, Any]()
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells)
    for cell in cells:
        exec(compile("".join(cell["source"]), str(path), "exec"), variables)
    plt.close("all")


@pytest.mark.slow
def test_a_recording_is_enhanced(train: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    train("encoder")
    run("enhance")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" Chamfer ")[0].strip() for line in lines if "Chamfer" in line] == ["radar", "enhanced"]


@pytest.mark.slow
def test_generated_spectrograms_stand_beside_few_real_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = yaml.safe_load((ROOT / "params.yaml").read_text())
    numbers["microdoppler"]["evaluate"]["judge"] |= {"steps": 3, "warmup": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(numbers))
    tracks.people(tmp_path / "data" / "microdoppler")
    monkeypatch.chdir(tmp_path)
    run("augment")
    found = [line.rsplit(" ", 1) for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [name.strip() for name, _ in found] == ["real", "generated", "real and generated"]
    assert all(0 <= float(share) <= 1 for _, share in found)
