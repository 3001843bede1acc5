"""Command generate: spectrograms of given labels, as arrays and as pictures; or the radar frames of a recording."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from echoes import files, params
from echoes.commands import radar_frames
from echoes.commands.chosen import Pack, Track
from echoes.commands.folders import check_replaceable
from echoes.commands.outputs import Format
from echoes.compute.device import best_device
from echoes.errors import InputError
from echoes.inference.generator import Labels, SpectrogramGenerator
from echoes.models.trained import SampleParams
from echoes.reports import spectrograms as pictures
from echoes.reports.spectrograms import View

Method = Literal["ldm", "cd_1", "cd_2"]
COUNT = 16  # spectrograms of each label
ARRAYS, INDEX = "spectrograms.npz", "spectrograms.tsv"


@dataclass(frozen=True)
class Asked:
    """The options of the command line; None where one was not given."""

    user: str | None
    activity: str | None
    count: int | None
    seed: int
    method: Method | None
    batch: int
    form: Format | None


def generate(model: Track | Pack, recording: Path | None, output: Path, asked: Asked, overwrite: bool) -> str:
    """Radar frames of a recording, or spectrograms where there is none; gives what to tell of it.

    Raises InputError, and leaves nothing behind, for an option that the other one has.
    """
    if asked.seed < 0:
        raise InputError(f"--seed: expected 0 or more, got {asked.seed}")
    if recording is None:
        _refuse("spectrograms, which need no INPUT", {"format": asked.form})
        labels = {"user": asked.user, "activity": asked.activity}
        wanted = {kind: value for kind, value in labels.items() if value}
        method, count = asked.method or _first(model), asked.count or COUNT
        return spectrograms(model, wanted, count, asked.seed, method, asked.batch, output, overwrite)
    _refuse("radar frames, which have no labels", {"user": asked.user, "activity": asked.activity})
    if asked.method == "ldm":
        raise InputError("--method: expected cd_1 or cd_2, as radar frames are read out of these, got ldm")
    options = (asked.count or 1, asked.seed, asked.method or "cd_1", asked.batch, asked.form or "ply")
    return radar_frames.generate(model, recording, output, radar_frames.Wanted(*options), overwrite)


def _first(model: Track | Pack) -> Method:
    """What is sampled by where nothing else is asked for: a pack holds the one-call path alone."""
    return "ldm" if isinstance(model, Track) else "cd_1"


def _refuse(made: str, options: Mapping[str, str | None]) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"--{name}: expected none for {made}, got {value}")


def spectrograms(
    model: Track | Pack,
    wanted: Mapping[str, str],
    count: int,
    seed: int,
    method: Method,
    batch: int,
    output: Path,
    overwrite: bool,
) -> str:
    """Write `count` spectrograms for each known set of labels that agrees with `wanted`; gives what to tell of it.

    Raises InputError, and leaves nothing behind, where the model, the labels or `output` cannot be used.
    """
    output = output.resolve()
    check_replaceable(output, INDEX, overwrite)
    generator = loaded(model, method, seed)
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


def loaded(model: Track | Pack, method: Method, seed: int) -> SpectrogramGenerator:
    p = None if isinstance(model, Pack) else params.load(SampleParams, f"{model.name}.sample")
    if method != "ldm":
        steps = 1 if method == "cd_1" else 2
        return SpectrogramGenerator.load(model.folder, steps=steps, seed=seed, device=best_device())
    if p is None:
        raise InputError("--method: expected cd_1 or cd_2 with --model, which holds no ldm, got ldm")
    return SpectrogramGenerator.by_solver(model.folder, p, seed=seed, device=best_device())


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
