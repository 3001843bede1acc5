"""Command du: what a track holds on disk, what of it can be made anew, and how long that took."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from echoes import params
from echoes.commands import sections
from echoes.commands.differences import check_known
from echoes.commands.report_parts import seconds
from echoes.errors import InputError
from echoes.reports import tables

Outs = Mapping[str, str]  # path in the project -> the stage that writes it
HEAD = ["", "bytes", "files", "cached", "made anew", "seconds"]
NOTE = "cached: in DVC's cache, too, as dvc.lock has it; what is linked there (cache.type) takes its room once\n"


def du(names: Sequence[str], project: Path, cache: Path | None) -> str:
    """A row for each folder and file of the tracks `names`, or of all for none, and their sum.

    cache  of DVC; None where nothing was built yet. Raises InputError for a track that is unknown.
    """
    known = sections.tracks(params.document(project / "params.yaml"))
    check_known(names, known, str(project / "params.yaml"))
    rows, objects = [HEAD], dict[Path, int]()
    for track in names or known:
        found = {path: _sizes(path) for path in _places(track, project) if path.exists()}
        outs, locked = _outs(track, project), _locked(track, project)
        of_track = dict[Path, int]()
        for path, sizes in found.items():
            name = path.relative_to(project).as_posix()
            stages = {stage for out, stage in outs.items() if _within(out, name)} | _of_state(path)
            cached = _objects([md5 for out, md5 in locked.items() if _within(out, name)], cache) if cache else {}
            of_track |= cached
            rows.append([name, *_counted(sizes, cached), _anew(stages), _took(stages, project / "metrics" / track)])
        if found:
            every = [size for sizes in found.values() for size in sizes]
            rows.append([f"{track}, all of it", *_counted(every, of_track), "", ""])
        objects |= of_track
    if len(rows) == 1:
        return "nothing on disk yet\n"
    return tables.aligned(rows) + (NOTE + _rest(cache, objects) if cache else "")


def _places(track: str, project: Path) -> Iterator[Path]:
    """Recordings, artifacts, numbers and curves, logs, and saved states."""
    yield project / "data" / "raw" / track
    yield from sorted((project / "data" / track).glob("*"))
    yield project / "metrics" / track
    yield project / "logs" / track
    yield from sorted((project / ".dvc" / "tmp" / "scratch").glob(f"*@{track}/*"))


def _sizes(path: Path) -> list[int]:
    """Bytes of a file, or of each file below a folder."""
    return [each.stat().st_size for each in [path, *path.rglob("*")] if each.is_file()]


def _counted(sizes: Sequence[int], cached: Mapping[Path, int]) -> list[str]:
    return [f"{sum(sizes):,}", f"{len(sizes):,}", f"{sum(cached.values()):,}" if cached else "-"]


def _outs(track: str, project: Path) -> Outs:
    outs: dict[str, str] = {}
    for stage, definition in params.document(project / "dvc.yaml")["stages"].items():
        one = definition.get("do", definition)
        for kind in ("outs", "metrics", "plots"):
            for out in one.get(kind, []):
                path = out if isinstance(out, str) else next(iter(out))
                outs[path.replace("${item.track}", track).replace("${key}", track)] = stage
    return outs


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")


def _of_state(path: Path) -> set[str]:
    """The training that saved a state."""
    stage, at, _ = path.parent.name.partition("@")
    return {stage} if at else set()


def _anew(stages: set[str]) -> str:
    return "no" if not stages else f"by {min(stages)}" if len(stages) == 1 else "by its stages"


def _took(stages: set[str], metrics: Path) -> str:
    """The seconds of a stage, where it has told them."""
    told = seconds(metrics, min(stages)) if len(stages) == 1 else None
    return "-" if told is None else f"{told:,.0f}"


def _locked(track: str, project: Path) -> dict[str, str]:
    """Path -> md5 of what the stages of a track have left, as dvc.lock names it."""
    lock = project / "dvc.lock"
    text = lock.read_text() if lock.is_file() else ""
    found: dict[str, str] = {}
    # Each stage alone, because the whole file takes the parser seconds.
    for block in re.findall(rf"^  \S+@{re.escape(track)}:\n((?:    .*\n)*)", text, re.MULTILINE):
        outs = re.search(r"^    outs:\n((?:    [- ] .*\n)*)", block, re.MULTILINE)
        listed = params.parse(textwrap.dedent(outs[1]).encode(), lock) if outs else ()
        found |= {out["path"]: out["md5"] for out in listed if "md5" in out}
    return found


def _objects(digests: Sequence[str], cache: Path) -> dict[Path, int]:
    """The objects of the cache that hold these, as far as they are there -> their bytes."""
    found: dict[Path, int] = {}
    for digest in digests:
        paths = [_object(cache, digest)]
        if digest.endswith(".dir") and paths[0].is_file():
            paths += [_object(cache, entry["md5"]) for entry in _listing(paths[0])]
        found |= {path: path.stat().st_size for path in paths if path.is_file()}
    return found


def _object(cache: Path, digest: str) -> Path:
    return cache / "files" / "md5" / digest[:2] / digest[2:]


def _listing(path: Path) -> list[dict[str, str]]:
    try:
        return list(json.loads(path.read_text()))
    except ValueError as error:
        raise InputError(f"{path}: expected the listing of a folder, got {error}") from error


def _rest(cache: Path, objects: Mapping[Path, int]) -> str:
    """What else the cache holds."""
    every = {path: path.stat().st_size for path in (cache / "files").rglob("*") if path.is_file()}
    rest = [size for path, size in every.items() if path not in objects]
    return (
        f"{cache}: {sum(rest):,} more bytes in {len(rest):,} files, of earlier runs, experiments and other tracks; "
        f"`dvc gc` removes what nothing names\n"
    )
