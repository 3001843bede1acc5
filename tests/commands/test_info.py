"""Command info: what a report needs, and nothing that tells whose machine it is."""

import platform

import torch
from typer.testing import CliRunner

from echoes.cli import app


def test_versions_devices_and_threads_are_told_and_no_paths_or_names() -> None:
    result = CliRunner().invoke(app, ["info"])
    assert result.exit_code == 0, result.output
    told = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert torch.__version__ in told["torch"]
    assert platform.python_version() in told["python"]
    assert told["threads"].endswith(f"{torch.get_num_threads()} of torch")
    assert "cpu" in told["devices"]
    assert "/" not in result.stdout
