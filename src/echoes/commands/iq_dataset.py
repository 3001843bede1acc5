"""Generated complex spectrograms as slow-time samples: what their inverse transform gives, and how well it fits.

iq.json                  rate, unit and sign of the samples; how all was made
labels.csv               a row per file: file, labels, seed, sample, track, model, stft_inconsistency
<labels>/000000.npy      (N,) complex64, in phase + j quadrature
"""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from echoes import files
from echoes.commands.picture_dataset import TABLE, Source
from echoes.errors import InputError
from echoes.inference.generator import Labels, SpectrogramGenerator
from echoes.rasters import stft
from echoes.rasters.stft import Stft

INDEX = "iq.json"
FORMAT = 1  # of iq.json


def require_phases(generator: SpectrogramGenerator) -> Stft:
    """Raises InputError for a model of powers or of pictures, which lead back to no samples."""
    if generator.stft is None:
        told = "figures, dataset or dataset16 for a track whose grid.raster is not stft_complex"
        raise InputError(f"--format: expected {told}, got iq")
    return generator.stft


def write(
    found: Iterable[tuple[Labels, np.ndarray, tuple[int, ...]]],
    generator: SpectrogramGenerator,
    source: Source,
    folder: Path,
) -> float:
    """Write the samples of spectrograms into an empty folder; gives the mean of their inconsistency.

    found  labels, (N, 2, F, T) spectrograms in network range, and (N,) numbers of the samples.
    """
    of, errors = require_phases(generator), []
    with (folder / TABLE).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *generator.kinds, "seed", "sample", "track", "model", "stft_inconsistency"])
        for labels, spectrograms, sample_ids in found:
            name = files.safe_name("-".join(labels))
            (folder / name).mkdir()
            for i, (values, sample) in enumerate(zip(spectrograms, sample_ids, strict=True)):
                np.save(folder / name / f"{i:06d}.npy", stft.samples(values, of), allow_pickle=False)
                errors.append(stft.inconsistency(values, of))
                made_by = (source.seed, sample, source.track, generator.identity, f"{errors[-1]:.4f}")
                table.writerow([f"{name}/{i:06d}.npy", *labels, *made_by])
    error = float(np.mean(errors))
    told = json.dumps(meaning(generator, of, source, error), indent=2, allow_nan=False)
    (folder / INDEX).write_text(f"{told}\n")
    return error


def meaning(generator: SpectrogramGenerator, of: Stft, source: Source, error: float) -> dict[str, object]:
    """What iq.json tells."""
    return {
        "format": FORMAT,
        "track": source.track,
        "method": source.method,
        "seed": source.seed,
        "sieve": source.sieve,
        "model": generator.identity,
        "kinds": list(generator.kinds),
        "rate_hz": of.rate_hz,
        "samples": of.hop * generator.time.size,
        "wavelength_m": 4 * generator.velocity.stop / of.rate_hz,
        "positive_frequency": "approaching",
        "db_of_amplitude_1": generator.range_db[1],
        "window": of.window,
        "window_samples": of.length,
        "hop_samples": of.hop,
        "bins": of.bins,
        "stft_inconsistency": error,
    }
