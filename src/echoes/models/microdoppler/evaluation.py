"""What the stage evaluate does for a micro-Doppler track."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echoes.compute.device import best_device
from echoes.dataset.spectrograms import Spectrograms
from echoes.models import mapping
from echoes.models.mapping import FrameMap
from echoes.models.microdoppler import figures
from echoes.models.microdoppler.comparison import Comparison, SpectrogramEvaluation

Section = SpectrogramEvaluation  # `<track>.evaluate`


def evaluate(
    data: Spectrograms,
    samples: Path,
    timings: Mapping[str, Mapping[str, float]],
    p: SpectrogramEvaluation,
    folder: Path,
    frame_map: FrameMap,
) -> dict[str, Any]:
    """The report; draws its figures into `folder`. It is about sets and not about frames, so that nothing is spread."""
    mapping.tell_unused("evaluate", frame_map, "spectrograms are compared as sets")
    comparison = Comparison(data, samples, p, best_device())
    report = comparison.report(timings)
    figures.draw(comparison, p.panels, folder)
    return report
