"""What the stage evaluate does for a micro-Doppler track."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from echoes.compute.device import best_device
from echoes.dataset.spectrograms import Spectrograms
from echoes.models.microdoppler import figures
from echoes.models.microdoppler.comparison import Comparison, SpectrogramEvaluation

Section = SpectrogramEvaluation  # `<track>.evaluate`


def evaluate(
    data: Spectrograms,
    samples: Path,
    timings: Mapping[str, Mapping[str, float]],
    p: SpectrogramEvaluation,
    folder: Path,
) -> dict[str, Any]:
    """The report; draws its figures into `folder`."""
    comparison = Comparison(data, samples, p, best_device())
    report = comparison.report(timings)
    figures.draw(comparison, p.panels, folder)
    return report
