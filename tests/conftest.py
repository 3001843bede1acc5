"""What all tests share: one thread for bytes that repeat, and the folder of real recordings."""

from pathlib import Path

import pytest
import torch
from hypothesis import settings

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data"

torch.set_num_threads(1)
settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture
def recordings() -> Path:
    """Real recordings beside the checkout; none of them is part of the project."""
    if not RECORDINGS.is_dir():
        pytest.skip("needs the real recordings in ../shared/data, which are not part of the project")
    return RECORDINGS


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "damaged inputs to try in tests/fuzz, N in all and new ones each time"
    parser.addoption("--fuzz-cases", type=int, metavar="N", help=told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [pair for report in reports for pair in getattr(report, "user_properties", ())]
    if counts := [value for name, value in properties if name == "fuzz"]:
        cases, escapes = (sum(column) for column in zip(*counts, strict=True))
        terminalreporter.write_line(f"fuzz: {cases:,} cases, {escapes} escapes")
