"""What the radar of the training frames was like, which travels with the model, and how unlike a recording is."""

import numpy as np

from echoes import params, tasks
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation import unlikeness
from echoes.evaluation.unlikeness import Seen
from echoes.grids import Grid
from echoes.provenance import Header
from echoes.rasters.cells import Cells

FRAMES = 512  # of the training split, evenly spread


def of_training(grids: Grids) -> Seen:
    """Summaries of the radar of training frames."""
    frames = evenly_spaced(grids.frames("train"), FRAMES)
    return unlikeness.fit(np.stack([_summary(grids.cells("input", int(f)), grids.grid) for f in frames]))


def stored(header: Header) -> Seen:
    """What travels with a cd; raises InputError where it does not."""
    found: Seen = params.build(Seen, header.content.get("seen"), f"{header.kind}: seen")
    return found


class Recording:
    """Summaries of the frames of a recording as they come by."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._summaries: list[np.ndarray] = []

    def take(self, radar: Cells, grid: Grid) -> None:
        self._summaries.append(_summary(radar, grid))

    def told(self) -> list[str]:
        """A line for each way in which the recording is unlike the training frames; none where it is alike."""
        return self._seen.tell(np.stack(self._summaries)) if self._summaries else []


def _summary(radar: Cells, grid: Grid) -> np.ndarray:
    """(K,) of a frame, by the cells that the networks see and not by its points."""
    power, doppler = (radar.features[:, tasks.RADAR.index(name) - 1] for name in ("power", "doppler"))
    return unlikeness.summary(np.column_stack([grid.centres(radar.indices), doppler, power]))
