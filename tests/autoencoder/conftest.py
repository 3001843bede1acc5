"""Small spectrograms with labels for tests: a bright line whose velocity tells the activity."""

import numpy as np
import pytest

from echoes import arrays, seeds
from echoes.dataset.spectrograms import Spectrograms
from echoes.grids import Axis
from echoes.readers.recordings import RecordingEntry
from echoes.voxelization.spectrogram_grids import SpectrogramsWriter

SIZE = 16
AXES = (
    Axis(name="velocity", unit="m/s", start=-4.0, stop=4.0, size=SIZE),
    Axis(name="time", unit="s", start=0.0, stop=1.6, size=SIZE),
)
SPLITS = ("train",) * 8 + ("val",) * 2 + ("test",) * 2
RECORDED = [
    RecordingEntry(f"{u}-{a}", {"user": u, "activity": a}, 4.0) for u in ("1", "2") for a in ("walk", "wave", "fall")
]


def crop(recording: int, index: int) -> np.ndarray:
    """(1, F, T): noise near the floor, a line at the activity's velocity, wide for one user."""
    rng = seeds.rng(0, "spectrogram", recording, index)
    values = rng.uniform(-1.0, -0.8, (1, SIZE, SIZE))
    row = 2 + 5 * (recording % 3)
    values[:, row : row + 1 + recording // 3] = rng.uniform(0.5, 1.0)
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Spectrograms:
    """Twelve crops of each of six recordings, in all splits."""
    path = tmp_path_factory.mktemp("data") / "grids.zarr"
    with arrays.writing(path) as writer:
        grids = SpectrogramsWriter(writer, AXES, RECORDED)
        for i, recorded in enumerate(RECORDED):
            values = np.stack([crop(i, k) for k in range(len(SPLITS))])
            grids.append(recorded, [0.1 * k for k in range(len(SPLITS))], SPLITS, values)
        grids.seal({}, {"scaling": {"floor_db": -40.0, "ceiling_db": 0.0}}, {"raw": "r"})
    return Spectrograms(path)
