"""The Python of the README runs as it stands in the folder of a project with a trained track."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_ten_lines_of_the_readme_make_a_cloud(
    train: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    train("encoder")
    (written,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in written.splitlines() if line.strip()]) == 10
    exec(compile(written, str(README), "exec"), {})
    assert "'probability'" in capsys.readouterr().out
