"""The figures of evaluate for a micro-Doppler track, per label of the last kind."""

from pathlib import Path

import numpy as np

from echoes.dataset.frames import evenly_spaced
from echoes.models.microdoppler.comparison import Comparison
from echoes.reports import recognition
from echoes.reports import spectrograms as pictures
from echoes.reports.spectrograms import View

DRAWN = ("real", "ldm", "cd_1")


def draw(comparison: Comparison, panels: int, folder: Path) -> None:
    """side_by_side.png, confusion.png of the judge, and envelopes.png."""
    data = comparison.data
    names = list(data.label_names.values())[-1]
    view = View(data.velocity, data.time, (data.floor_db, data.ceiling_db))

    def of_label(source: str, label: int) -> np.ndarray:
        return np.flatnonzero(comparison.classified[source].labels[:, -1] == label)

    rows = {
        name: {s: comparison.spectrograms[s][0][evenly_spaced(of_label(s, i), panels)] for s in DRAWN}
        for i, name in enumerate(names)
    }
    pictures.side_by_side(rows, view, folder / "side_by_side.png")
    recognition.confusion(comparison.confusions(DRAWN), names, folder / "confusion.png")
    motions = {
        name: {s: comparison.classified[s].motion.take(chosen) for s in DRAWN if len(chosen := of_label(s, i))}
        for i, name in enumerate(names)
    }
    envelopes = {
        name: {source: (motion.lower_mps, motion.upper_mps) for source, motion in of_name.items()}
        for name, of_name in motions.items()
    }
    recognition.envelopes(envelopes, data.time.centres, folder / "envelopes.png")
