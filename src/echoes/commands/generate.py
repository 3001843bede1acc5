"""Command generate: spectrograms of given labels from a trained track, as arrays and as pictures."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from echoes import files, params
from echoes.commands.folders import check_replaceable
from echoes.compute.device import best_device
from echoes.errors import InputError
from echoes.inference.generator import Labels, SpectrogramGenerator
from echoes.models.trained import SampleParams
from echoes.reports import spectrograms as pictures
from echoes.reports.spectrograms import View

Method = Literal["ldm", "cd_1", "cd_2"]
ARRAYS, INDEX = "spectrograms.npz", "spectrograms.tsv"


def generate(
    track: str,
    wanted: Mapping[str, str],
    count: int,
    seed: int,
    method: Method,
    batch: int,
    output: Path,
    overwrite: bool,
) -> str:
    """Write `count` spectrograms for each known set of labels that agrees with `wanted`; gives what to tell of it.

    Raises InputError, and leaves nothing behind, where the track, the labels or `output` cannot be used.
    """
    if seed < 0:
        raise InputError(f"--seed: expected 0 or more, got {seed}")
    output = output.resolve()
    check_replaceable(output, INDEX, overwrite)
    generator = loaded(track, method, seed)
    chosen, view = generator.known(wanted), View(generator.velocity, generator.time, generator.range_db)
    with files.replacing(output) as folder:
        folder.mkdir()
        made = {}
        for labels in tqdm(chosen, "generate", mininterval=1.0):
            made[labels] = generator.spectrograms(labels, count, batch)
            draw(made[labels], name_of(labels), view, folder)
        write_arrays(made, generator, folder / ARRAYS)
        write_index(made, generator.kinds, folder / INDEX)
    return (
        f"{count * len(chosen)} spectrograms of {method} are in {output}: {ARRAYS} (arrays with their axes), {INDEX}, "
        f"<labels>/*.png and <labels>.png"
    )


def loaded(track: str, method: Method, seed: int) -> SpectrogramGenerator:
    p: SampleParams = params.load(SampleParams, f"{track}.sample")
    data = Path("data", track)
    if method == "ldm":
        return SpectrogramGenerator.by_solver(data, p, seed=seed, device=best_device())
    return SpectrogramGenerator.load(data, steps=1 if method == "cd_1" else 2, seed=seed, device=best_device())


def name_of(labels: Labels) -> str:
    """`3-walk`, as a name of a file."""
    return files.safe_name("-".join(labels))


def draw(spectrograms: np.ndarray, name: str, view: View, folder: Path) -> None:
    """A picture of each of (N, C, F, T) spectrograms, and one of them all."""
    (folder / name).mkdir()
    for i, spectrogram in enumerate(spectrograms):
        pictures.single(spectrogram, f"{name} {i}", view, folder / name / f"{i:04d}.png")
    pictures.label_grid(spectrograms, name, view, folder / f"{name}.png")


def write_arrays(made: Mapping[Labels, np.ndarray], generator: SpectrogramGenerator, path: Path) -> None:
    """spectrogram (N, C, F, T) float32 in dB, or 0..1 for pictures in colour; velocity_mps (F,), time_s (T,), and a
    text array (N,) per kind of label. Without pickles.
    """
    per_kind = {
        kind: np.array([labels[i] for labels, found in made.items() for _ in found])
        for i, kind in enumerate(generator.kinds)
    }
    np.savez_compressed(
        path,
        allow_pickle=False,
        spectrogram=np.concatenate([generator.physical(found) for found in made.values()]),
        velocity_mps=generator.velocity.centres,
        time_s=generator.time.centres,
        **per_kind,
    )


def write_index(made: Mapping[Labels, np.ndarray], kinds: tuple[str, ...], path: Path) -> None:
    """A line per spectrogram in the order of the arrays: its picture and its labels."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["file", *kinds])
        for labels, found in made.items():
            table.writerows([f"{name_of(labels)}/{i:04d}.png", *labels] for i in range(len(found)))
