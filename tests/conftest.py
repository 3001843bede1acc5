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
