"""Generated spectrograms as a data set: exact pixels in a folder per class, what they mean, and where each is from.

    generated.json           what a pixel means: axes, powers of 0 and of the highest value; how all was made
    labels.csv               a row per picture: file, labels, seed, sample, track, model
    <labels>/000000.png      grey or colours; the first row is the highest velocity, the first column the earliest time

A class is a set of labels, `3-walk`: the reader `images` takes it for the activity, torchvision's `ImageFolder` for the
class.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from echoes import files
from echoes.errors import InputError
from echoes.inference.generator import Labels, SpectrogramGenerator

INDEX, TABLE = "generated.json", "labels.csv"
FORMAT = 1  # of generated.json
DEPTHS = {8: np.uint8, 16: np.uint16}  # bits of a value -> its type


@dataclass(frozen=True)
class Source:
    """What made the spectrograms, beside their labels and numbers.

    sieve  whether those that no body makes were left out; bits: of a value of a pixel.
    """

    track: str
    method: str
    seed: int
    sieve: bool
    bits: int


def write(
    found: Iterable[tuple[Labels, np.ndarray, tuple[int, ...]]],
    generator: SpectrogramGenerator,
    source: Source,
    folder: Path,
) -> None:
    """Write a data set into an empty folder, set of labels after set.

    found   labels, (N, C, F, T) spectrograms in network range, and (N,) numbers of the samples.

    Raises InputError for colours of 16 bits.
    """
    with (folder / TABLE).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", *generator.kinds, "seed", "sample", "track", "model"])
        channels = 0
        for labels, made, sample_ids in found:
            spectrograms = generator.powers(made)
            channels, name = spectrograms.shape[1], files.safe_name("-".join(labels))
            (folder / name).mkdir()
            drawn = pixels(spectrograms, source.bits)
            for i, (picture, sample) in enumerate(zip(drawn, sample_ids, strict=True)):
                Image.fromarray(picture).save(folder / name / f"{i:06d}.png")
                of = (source.seed, sample, source.track, generator.identity)
                table.writerow([f"{name}/{i:06d}.png", *labels, *of])
    told = json.dumps(meaning(generator, source, channels), indent=2, allow_nan=False)
    (folder / INDEX).write_text(f"{told}\n")


def pixels(spectrograms: np.ndarray, bits: int) -> np.ndarray:
    """(N, C, F, T) in network range -> (N, F, T), or (N, F, T, 3) of colours, the first row of the highest velocity.

    -1 becomes 0, and 1 the highest whole number of so many bits. Raises InputError for colours of 16 bits, which PNG
    has and Pillow lacks.
    """
    if spectrograms.shape[1] == 3 and bits != 8:
        raise InputError(f"--format: expected dataset, of 8 bits, for pictures in colour, got one of {bits}")
    levels = np.rint((spectrograms.clip(-1, 1) + 1) / 2 * (2**bits - 1)).astype(DEPTHS[bits])
    upright = np.moveaxis(levels[:, :, ::-1], 1, -1)
    return np.ascontiguousarray(upright if upright.shape[-1] == 3 else upright[..., 0])


def meaning(generator: SpectrogramGenerator, source: Source, channels: int) -> dict[str, object]:
    """What generated.json tells: of colours no powers, as they have none."""
    floor_db, ceiling_db = generator.range_db
    powers = {"floor_db": floor_db, "ceiling_db": ceiling_db} if channels == 1 else {}
    return {
        "format": FORMAT,
        **asdict(source),
        "model": generator.identity,
        "kinds": list(generator.kinds),
        **powers,
        "highest_value": 2**source.bits - 1,
        "rows": {**asdict(generator.velocity), "order": "descending"},
        "columns": {**asdict(generator.time), "order": "ascending"},
    }
