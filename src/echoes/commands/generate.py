"""Command generate: spectrograms of given labels, as arrays and as pictures; or the radar frames of a recording."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from tqdm import tqdm

from echoes import files, params
from echoes.commands import iq_dataset, picture_dataset, radar_frames
from echoes.commands.chosen import Pack, Track
from echoes.commands.folders import check_replaceable
from echoes.commands.outputs import Format
from echoes.compute.device import best_device
from echoes.errors import InputError
from echoes.evaluation.kinematics import Limits
from echoes.inference import sifting
from echoes.inference.generator import Labels, SpectrogramGenerator
from echoes.models.trained import SampleParams
from echoes.reports import spectrograms as pictures
from echoes.reports.spectrograms import View

Method = Literal["ldm", "cd_1", "cd_2"]
Form = Literal["figures", "dataset", "dataset16", "iq"]
BITS = {"dataset": 8, "dataset16": 16, "iq": 32}  # of a value of a pixel, of either part of a sample
COUNT = 16  # spectrograms of each label
ARRAYS, INDEX = "spectrograms.npz", "spectrograms.tsv"
TOLD = {
    "figures": f"{ARRAYS} (arrays with their axes), {INDEX}, <labels>/*.png and <labels>.png",
    "dataset": f"<labels>/*.png of 8 bits, {picture_dataset.TABLE} and {picture_dataset.INDEX}",
    "dataset16": f"<labels>/*.png of 16 bits, {picture_dataset.TABLE} and {picture_dataset.INDEX}",
    "iq": f"<labels>/*.npy of slow-time samples, {picture_dataset.TABLE} and {iq_dataset.INDEX}",
}
Found = Iterable[tuple[Labels, np.ndarray, tuple[int, ...]]]  # labels, (N, C, F, T), numbers of the samples


@dataclass(frozen=True)
class Asked:
    """The options of the command line; None where one was not given."""

    user: str | None
    activity: str | None
    count: int | None
    seed: int
    method: Method | None
    batch: int
    form: Form | Format | None
    sieve: bool


@dataclass(frozen=True)
class Wanted:
    """Spectrograms: `count` of each known set of labels that agrees with `labels`.

    batch  in the network at once; sieve: whether those that no body makes are left out.
    """

    labels: Mapping[str, str]
    count: int
    seed: int
    method: Method
    batch: int
    form: Form
    sieve: bool


def generate(model: Track | Pack, recording: Path | None, output: Path, asked: Asked, overwrite: bool) -> str:
    """Radar frames of a recording, or spectrograms where there is none; gives what to tell of it.

    Raises InputError, and leaves nothing behind, for an option that the other one has.
    """
    if asked.seed < 0:
        raise InputError(f"--seed: expected 0 or more, got {asked.seed}")
    if recording is None:
        form = cast(Form, _form(asked.form or "figures", get_args(Form), "spectrograms, which need no INPUT"))
        labels = {"user": asked.user, "activity": asked.activity}
        wanted = {kind: value for kind, value in labels.items() if value}
        method, count = asked.method or _first(model), asked.count or COUNT
        of = Wanted(wanted, count, asked.seed, method, asked.batch, form, asked.sieve)
        return spectrograms(model, of, output, overwrite)
    _refuse("radar frames, which have no labels", {"user": asked.user, "activity": asked.activity})
    if asked.sieve:
        raise InputError("--sieve: expected none for radar frames, which show no body that moves")
    if asked.method == "ldm":
        raise InputError("--method: expected cd_1 or cd_2, as radar frames are read out of these, got ldm")
    points = cast(Format, _form(asked.form or "ply", get_args(Format), "radar frames"))
    options = (asked.count or 1, asked.seed, asked.method or "cd_1", asked.batch, points)
    return radar_frames.generate(model, recording, output, radar_frames.Wanted(*options), overwrite)


def _first(model: Track | Pack) -> Method:
    """What is sampled by where nothing else is asked for: a pack holds the one-call path alone."""
    return "ldm" if isinstance(model, Track) else "cd_1"


def _form(asked: str, known: tuple[str, ...], made: str) -> str:
    if asked not in known:
        raise InputError(f"--format: expected one of {', '.join(known)} for {made}, got {asked}")
    return asked


def _refuse(made: str, options: Mapping[str, str | None]) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"--{name}: expected none for {made}, got {value}")


def spectrograms(model: Track | Pack, wanted: Wanted, output: Path, overwrite: bool) -> str:
    """Write spectrograms in the form that is wanted; gives what to tell of it.

    Raises InputError, and leaves nothing behind, where the model, the labels or `output` cannot be used.
    """
    output = output.resolve()
    indices = (picture_dataset.INDEX, iq_dataset.INDEX, INDEX)
    earlier = next((index for index in indices if (output / index).is_file()), INDEX)
    check_replaceable(output, earlier, overwrite)
    generator = loaded(model, wanted.method, wanted.seed)
    if wanted.form == "iq":
        iq_dataset.require_phases(generator)
    chosen, dropped = generator.known(wanted.labels), Counter[str]()
    limits = sifting.limits(model.folder, generator) if wanted.sieve else None
    found, fit = _found(generator, chosen, wanted, limits, dropped), ""
    with files.replacing(output) as folder:
        folder.mkdir()
        if wanted.form == "figures":
            figures(found, generator, folder)
        else:
            source = picture_dataset.Source(model.name, wanted.method, wanted.seed, wanted.sieve, BITS[wanted.form])
            if wanted.form == "iq":
                error = iq_dataset.write(found, generator, source, folder)
                fit = f"\nstft_inconsistency {error:.3f}: |STFT(samples) - spectrogram| / |spectrogram|"
            else:
                picture_dataset.write(found, generator, source, folder)
    count = wanted.count * len(chosen)
    told = f"{count} spectrograms of {wanted.method} are in {output}: {TOLD[wanted.form]}{fit}"
    if limits is None:
        return told
    return f"{told}\ndropped {dropped.total()} of {count + dropped.total()}, beyond: {sifting.reasons(dropped)}"


def _found(
    generator: SpectrogramGenerator,
    chosen: list[Labels],
    wanted: Wanted,
    limits: Limits | None,
    dropped: Counter[str],
) -> Iterator[tuple[Labels, np.ndarray, tuple[int, ...]]]:
    """dropped: where those beyond the limits are counted, by the quantity."""
    for labels in tqdm(chosen, "generate", mininterval=1.0):
        if limits is None:
            yield labels, generator.spectrograms(labels, wanted.count, wanted.batch), tuple(range(wanted.count))
            continue
        passed = sifting.sifted(generator, labels, wanted.count, wanted.batch, limits)
        dropped.update(passed.dropped)
        yield labels, passed.spectrograms, passed.sample_ids


def figures(found: Found, generator: SpectrogramGenerator, folder: Path) -> None:
    """Arrays of all, a picture with axes of each, one of those of each set of labels, and their index."""
    view = View(generator.velocity, generator.time, generator.range_db)
    made = {}
    for labels, drawn, _ in found:
        made[labels] = drawn
        draw(generator.powers(drawn), name_of(labels), view, folder)
    write_arrays(made, generator, folder / ARRAYS)
    write_index(made, generator.kinds, folder / INDEX)


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
