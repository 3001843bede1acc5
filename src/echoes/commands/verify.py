"""Command verify: does every artifact of a track follow from the one before, from its recordings to evaluate.json?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echoes import arrays, files, initial, latentstore, params, provenance, weights
from echoes.choices.rules import without_idle
from echoes.choices.track import choices
from echoes.errors import InputError
from echoes.provenance import Header

Opened = tuple[Header, Callable[[], Any]]  # a header, and what raises InputError unless all content is as written


@dataclass(frozen=True)
class Artifact:
    """A link of the chain.

    path     in the folder of the project, with {} for the track.
    section  of the track in params.yaml that made it; empty where several did, which its header names.
    parents  kinds that it must name; it may name others before those.
    open     (path, kind) -> header and check; raises InputError where there is none of that kind.
    """

    kind: str
    path: str
    section: str
    parents: tuple[str, ...]
    open: Callable[[Path, str], Opened]


def _initial(path: Path, kind: str) -> Opened:
    header = initial.read(path)
    return header, lambda: provenance.require_parts(header, path, header.parts)


def _group(path: Path, kind: str) -> Opened:
    header = arrays.Reader(path, kind).header
    return header, lambda: provenance.require_parts(header, path, header.parts)


def _latents(path: Path, kind: str) -> Opened:
    header = latentstore.read(path).header
    return header, lambda: provenance.require_parts(header, path, header.parts)


def _weights(path: Path, kind: str) -> Opened:
    return weights.header(path, kind), lambda: weights.load(path, kind)


def _evaluation(path: Path, kind: str) -> Opened:
    header = provenance.read(path.with_name("provenance.json"), kind)
    return header, lambda: provenance.require_parts(header, path.parent, header.parts)


RAW = "data/raw/{}"
CHAIN = (
    Artifact("init", "data/{}/init", "", (), _initial),
    Artifact("grids", "data/{}/grids.zarr", "", ("raw",), _group),
    Artifact("vae", "data/{}/vae.safetensors", "vae", ("init", "grids"), _weights),
    Artifact("latents", "data/{}/latents", "latents", ("grids", "vae"), _latents),
    Artifact("ldm", "data/{}/ldm.safetensors", "ldm", ("init", "latents"), _weights),
    Artifact("cd", "data/{}/cd.safetensors", "cd", ("ldm",), _weights),
    Artifact("samples", "data/{}/samples.zarr", "sample", ("grids", "cd"), _group),
    Artifact("evaluation", "metrics/{}/evaluate.json", "evaluate", ("grids", "samples"), _evaluation),
)


Found = dict[str, tuple[Path, Header]]  # kind -> what is there of it


def verify(track: str, folder: Path) -> Iterator[tuple[bool, str]]:
    """Of the recordings and of each artifact of a track: whether it is right, and a line that tells what is not.

    folder   of the project. Reads everything, piece by piece. Raises InputError for a track that params.yaml lacks.
    """
    document = params.document(folder / "params.yaml")
    if not isinstance(document, Mapping) or not isinstance(document.get(track), Mapping):
        raise InputError(f"{track}: missing in {folder / 'params.yaml'}")
    found: Found = {}
    raw = folder / RAW.format(track)
    if raw.exists():
        found["raw"] = raw, Header("raw", {}, {}, identity=files.digest(raw))
    yield _told("raw", raw, [], found)
    sections = sections_of(document, track)
    for artifact in CHAIN:
        path = folder / artifact.path.format(track)
        yield _told(artifact.kind, path, _problems(artifact, path, track, sections, found), found)


def _told(kind: str, path: Path, problems: list[str], found: Found) -> tuple[bool, str]:
    if not path.exists():
        return False, f"missing  {kind:<10}  {path}"
    if problems:
        return False, f"FAILED   {kind:<10}  {'; '.join(problems)}"
    return True, f"ok       {kind:<10}  {path} {found[kind][1].identity[:12]}"


def _problems(artifact: Artifact, path: Path, track: str, sections: Mapping[str, Any], found: Found) -> list[str]:
    """All that is wrong with an artifact; adds its header to `found`. sections: of the track in params.yaml."""
    try:
        header, check = artifact.open(path, artifact.kind)
    except InputError as error:
        return [str(error)]
    problems = _raised(check)
    for kind in dict.fromkeys([*artifact.parents, *header.parents]):
        problems += _parent(path, header, kind, found)
    problems += [f"{path}: was made with {text}" for text in made_with(artifact, header, track, sections)]
    found[artifact.kind] = path, header
    return problems


def made_with(artifact: Artifact, header: Header, track: str, sections: Mapping[str, Any]) -> list[str]:
    """The parameters that an artifact was made with and that params.yaml has otherwise today."""
    today = sections.get(artifact.section) if artifact.section else sections
    key = f"{track}.{artifact.section}" if artifact.section else track
    return _differences(_in_force(artifact, header), today, key)


def sections_of(document: Mapping[str, Any], track: str) -> dict[str, Any]:
    """The sections of a track in params.yaml, and what its trainings start from."""
    return {**document[track], "init_from": document.get("init_from", {}).get(track)}


def _in_force(artifact: Artifact, header: Header) -> Mapping[str, Any]:
    """The parameters of an artifact, less those that had no effect on it: which ones it tells depends on its age."""
    if artifact.section:
        return without_idle(header.params, choices(artifact.section, header.params))
    several = {name: of for name, of in header.params.items() if isinstance(of, Mapping)}
    return {**header.params, **{name: without_idle(of, choices(name, of)) for name, of in several.items()}}


def _raised(check: Callable[[], Any]) -> list[str]:
    try:
        check()
    except InputError as error:
        return [str(error)]
    return []


def _parent(path: Path, header: Header, kind: str, found: Found) -> list[str]:
    if kind in found:
        return _raised(lambda: provenance.require_parent(path, header, *found[kind]))
    return [f"{path}: was made from {kind} {header.parents.get(kind, 'nothing')[:12]}, of which there is no whole one"]


def _differences(stored: Any, today: Any, key: str) -> list[str]:
    """The parameters that an artifact stores and that params.yaml has otherwise today."""
    if isinstance(stored, Mapping) and isinstance(today, Mapping):
        return [line for n, value in stored.items() for line in _differences(value, today.get(n), f"{key}.{n}")]
    return [] if stored == today else [f"{key} = {stored!r}, but params.yaml has {today!r}"]
