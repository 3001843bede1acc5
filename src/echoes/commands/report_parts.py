"""The sections of the report of a track: each is HTML, and empty where what it tells of was not made yet."""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from echoes import metrics
from echoes.choices import track as choices
from echoes.choices.rules import leaves
from echoes.commands import differences, sections, verify, worst, yaml_text
from echoes.errors import InputError, one_line
from echoes.readers.catalog import family_of
from echoes.reports import curves, page, tables

WORST = 3  # frames of each method
TRAININGS = ("train_vae", "train_ldm", "distill_cd")
STAGES = ("voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd")  # whose numbers are flat
CLOUDS = "radar"  # the family of clouds
SECONDS = "seconds"  # the curve of the time that a training took


@dataclass(frozen=True)
class Track:
    """name  of the track; data, metrics: its folders; document: params.yaml."""

    name: str
    data: Path
    metrics: Path
    document: Mapping[str, Any]


def results(track: Track) -> str:
    """The table of evaluate with its intervals, and that of all folds."""
    found = []
    for name, take in (("evaluate.json", lambda one: one), ("folds.json", tables.of_points)):
        if (path := track.metrics / name).is_file():
            evaluation = metrics.read(path)
            found.append(page.element("p", escape(tables.caption(name, evaluation))))
            found.append(_results(tables.cells(take(evaluation))))
    return "".join(found)


def _results(cells: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """The cells of `reports.tables`: a mean, and its interval below it."""
    (first, columns), *rows = cells
    head = [page.element("th", escape(text), scope="col") for text in (first, *(name for name, _ in columns))]
    body = []
    for name, row in rows:
        means = [page.element("td", escape(mean) + page.element("small", escape(ends))) for mean, ends in row]
        body.append(page.element("tr", page.element("th", escape(name), scope="row") + "".join(means)))
    top = page.element("thead", page.element("tr", "".join(head)))
    return page.element("table", top + page.element("tbody", "".join(body)))


def pictures(track: Track) -> str:
    """Those that evaluate drew."""
    paths = sorted((track.metrics / "plots").rglob("*.png"))
    return "".join(_figure(path, path.stem.replace("_", " ")) for path in paths)


def _figure(path: Path, name: str) -> str:
    image = f'<img src="{page.picture(path)}" alt="{escape(name)}">'
    return page.element("figure", image + page.element("figcaption", escape(name)))


def worst_frames(track: Track) -> str:
    """Of clouds: where each method is farthest from the target beside what goes in."""
    table, grids = track.metrics / worst.TABLE, track.data / "grids.zarr"
    if not table.is_file() or not grids.is_dir():
        return ""
    head, *rows = worst.ranked(worst.distances(pd.read_csv(table)), grids, WORST)
    return page.table(head, rows)


def parameters(track: Track) -> str:
    """The values in which the track differs from the first one of its family, without those that have no effect."""
    known = sections.tracks(track.document)
    default = next(name for name in known if _family(known, name) == _family(known, track.name))
    idle = choices.idle(known[track.name])
    every = [[key, yaml_text.flow(value)] for key, value in leaves(known[track.name]).items() if key not in idle]
    details = page.table(["key", track.name], every, class_="text")
    whole = page.element("details", page.element("summary", "All that have an effect") + details)
    if default == track.name:
        return page.element("p", escape(f"{default} is the default track of its family.")) + whole
    columns = {name: leaves(known[name]) for name in (default, track.name)}
    rows = [row for row in differences.compared(columns, {name: set() for name in columns}) if row[0] not in idle]
    return page.table(["key", *columns], rows, class_="text") + whole


def _family(known: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return family_of(known[name]["source"].get("reader"), f"{name}.source.reader")


def trainings(track: Track) -> str:
    """Curves of all numbers of each training, and the last picture that it drew."""
    found = []
    for stage in TRAININGS:
        plots = track.metrics / "live" / stage / "plots"
        drawn = [curves.chart(name, points) for name, points in _curves(plots / "metrics").items()]
        if not any(drawn):
            continue
        found.append(page.element("h3", escape(stage)) + page.element("div", "".join(drawn), class_="curves"))
        images = [path for path in (plots / "images" / "samples").glob("*.png") if path.stem.isdigit()]
        if images:
            last = max(images, key=lambda path: int(path.stem))
            found.append(_figure(last, f"{stage} after {last.stem} steps"))
    return "".join(found)


def _curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Name -> (step, value) of each table of DVCLive below a folder, the loss first."""
    paths = sorted(folder.rglob("*.tsv"), key=lambda path: (path.stem != "loss", path.relative_to(folder).as_posix()))
    return {path.relative_to(folder).with_suffix("").as_posix(): _curve(path) for path in paths}


def _curve(path: Path) -> list[tuple[float, float]]:
    try:
        with path.open(newline="") as file:
            _, *rows = csv.reader(file, delimiter="\t")
        return [(float(row[0]), float(row[-1]) if row[-1] else math.nan) for row in rows]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InputError(f"{path}: expected steps and values, got {one_line(error)}") from error


def provenance(track: Track) -> str:
    """Of each artifact its identity, what it was made of and by, its size, and whether params.yaml has it otherwise."""
    of_track, rows = verify.sections_of(track.document, track.name), []
    project = track.data.parents[1]
    for artifact in verify.CHAIN:
        path = project / artifact.path.format(track.name)
        if not path.exists():
            continue
        try:
            header, _ = artifact.open(path, artifact.kind)
        except InputError as error:
            rows.append([artifact.kind, "-", str(error), "", "", ""])
            continue
        made_of = ", ".join(f"{kind} {identity[:12]}" for kind, identity in header.parents.items())
        versions = ", ".join(f"{name} {version}" for name, version in header.versions.items())
        other = "; ".join(verify.made_with(artifact, header, track.name, of_track)) or "as today"
        size = f"{sum(part['bytes'] for part in header.parts.values()):,}"
        rows.append([artifact.kind, header.identity[:12], made_of, versions, size, other])
    head = ["artifact", "identity", "made of", "versions", "bytes", "parameters"]
    return page.table(head, rows, class_="text") if rows else ""


def costs(track: Track) -> str:
    """The numbers of each stage but evaluate, and the seconds that trainings took."""
    rows = []
    for stage in STAGES:
        path = track.metrics / f"{stage}.json"
        told = dict(metrics.read(path)) if path.is_file() else {}
        if (took := seconds(track.metrics, stage)) is not None:
            told[SECONDS] = took
        rows += [[stage, key, tables.number(value)] for key, value in told.items() if isinstance(value, int | float)]
    return page.table(["stage", "number", "value"], rows) if rows else ""


def seconds(folder: Path, stage: str) -> float | None:
    """What a training took, as its last curve tells; folder: metrics/<track>."""
    curve = folder / "live" / stage / "plots" / "metrics" / f"{SECONDS}.tsv"
    points = _curve(curve) if curve.is_file() else []
    return points[-1][1] if points else None


def parts(track: Track) -> dict[str, str]:
    """Title -> HTML of each section that a track of this family can have."""
    makers: dict[str, Callable[[Track], str]] = {
        "Results": results,
        "Pictures": pictures,
        "Worst frames": worst_frames,
        "Parameters": parameters,
        "Trainings": trainings,
        "Provenance": provenance,
        "Sizes and seconds": costs,
    }
    if _family(sections.tracks(track.document), track.name) != CLOUDS:
        del makers["Worst frames"]
    return {title: make(track) for title, make in makers.items()}
