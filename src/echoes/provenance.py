"""Where an artifact came from: the header that every artifact carries, the checks of its content and its parents."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from echoes import files, formats
from echoes.errors import InputError
from echoes.urls import Url

FORMAT = 4  # of headers; whoever raises it tells formats.py what the older ones mean
WITHOUT_TORCH = ("init", "grids")  # kinds; the stages of no other ones do without


@dataclass(frozen=True)
class Header:
    """What an artifact says of itself.

    kind      what it is: init, grids, vae, latents, ldm, cd, samples, evaluation.
    params        the parameters that made it: nothing reads them to use it, so that it outlives changes of theirs.
    parents       kind -> identity of each artifact it was made from; of the raw recordings, their digest.
    content       further facts by name: axes, channels, statistics, threshold.
    architecture  of a network: what rebuilds it, and nothing of how it was trained.
    format        version of all of this: a later echoes reads it as it is, or as it was meant.
    versions      of Python and of the packages that computed it.
    parts         name -> bytes and sha256 of each file, or other part, that holds what it is about.
    identity      sha256 of all of the above, and so of the artifact; empty, like the two before, until it is written.
    """

    kind: str
    params: Mapping[str, Any]
    parents: Mapping[str, str]
    content: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT
    versions: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    identity: str = ""

    def text(self) -> str:
        """JSON with sorted keys, because the bytes of an artifact must repeat."""
        return json.dumps(vars(self), sort_keys=True, allow_nan=False)

    def sealed(self, parts: Mapping[str, Mapping[str, Any]]) -> "Header":
        """The same header with the versions of today, the parts of the artifact and its identity."""
        filled = replace(self, versions=_versions(self.kind), parts=parts)
        return replace(filled, identity=filled.expected_identity())

    def expected_identity(self) -> str:
        """What `identity` must be, from all the other fields."""
        return sha256(replace(self, identity="").text().encode()).hexdigest()


def _versions(kind: str) -> dict[str, str]:
    packages = ("echoes", "numpy") if kind in WITHOUT_TORCH else ("echoes", "numpy", "torch")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def part(path: Path) -> dict[str, Any]:
    """What a header says of a file that is a part of its artifact."""
    return {"bytes": path.stat().st_size, "sha256": files.digest(path)}


def parts(folder: Path, carrier: str) -> dict[str, dict[str, Any]]:
    """All files below `folder` but the `carrier`, which the header itself is written to."""
    return {name: part(folder / name) for name in files.names(folder) if name != carrier}


def parse(text: str, kind: str, path: Path | Url) -> Header:
    """Raises InputError, naming `path`, unless `text` is the header of an artifact of `kind`, as it was written."""
    try:
        fields = json.loads(text)
        _require_format(fields, path)
        header = Header(**fields)
        expected, well_formed = header.expected_identity(), _well_formed(header)
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        well_formed = False
    if not well_formed:
        raise InputError(f"{path}: expected the header of an echoes artifact, got {text[:60]!r}")
    if header.kind != kind:
        raise InputError(f"{path}: expected an artifact of kind {kind}, got {header.kind}")
    if header.identity != expected:
        raise InputError(
            f"{path}: expected a header of identity {expected[:12]}, got {header.identity[:12]}; it was changed after "
            f"it was written"
        )
    return migrated(header)


def migrated(header: Header) -> Header:
    """The header as it would be told today, whatever its format."""
    return replace(
        header,
        content=formats.content(header.content, header.format),
        architecture=formats.architecture(header.architecture, header.format),
    )


def _require_format(fields: Any, path: Path | Url) -> None:
    """Raises InputError for what an echoes with a format of headers that this one does not know has written."""
    if not isinstance(fields, dict) or not isinstance(fields.get("identity"), str):
        return  # no header at all
    found = fields.get("format")
    if type(found) is not int or not 1 <= found <= FORMAT:
        why = "from before formats had numbers; train it anew" if found is None else "this echoes is too old for it"
        raise InputError(f"{path}: expected an artifact of format 1 to {FORMAT}, got {found}: {why}")


def _well_formed(header: Header) -> bool:
    texts = [header.kind, header.identity, *header.parents.values(), *header.versions.values()]
    texts += [part["sha256"] for part in header.parts.values()]
    names = [PurePosixPath(name) for name in header.parts]
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(fields, dict) for fields in (header.params, header.content, header.architecture))
        and all(type(part["bytes"]) is int for part in header.parts.values())
        and not any(name.is_absolute() or ".." in name.parts for name in names)  # a part lies in its artifact
    )


def write(header: Header, path: Path, about: Path) -> None:
    """Write the header of a file that cannot carry its own beside it, in lines, because it lies in git."""
    sealed = header.sealed({about.name: part(about)})
    with files.replacing(path) as temporary:
        temporary.write_text(json.dumps(vars(sealed), sort_keys=True, indent=2, allow_nan=False) + "\n")


def read(path: Path, kind: str) -> Header:
    """What `write` wrote; raises InputError where there is none of this kind that is whole."""
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the header of an artifact of kind {kind}, got {error}") from error
    return parse(text, kind, path)


def require_sizes(header: Header, folder: Path | Url) -> None:
    """Raises InputError unless every part of an artifact in `folder` is there in its size: quick, whatever the size."""
    found = _sizes(folder, header.parts)
    for name, expected in header.parts.items():
        if found[name] is None:
            raise InputError(f"{folder / name}: no such file; expected the {expected['bytes']} bytes that were written")
        if found[name] != expected["bytes"]:
            raise InputError(
                f"{folder / name}: expected the {expected['bytes']} bytes that were written, got {found[name]}"
            )


def _sizes(folder: Path | Url, names: Iterable[str]) -> dict[str, int | None]:
    """Name -> bytes of each file; None where there is none."""
    if isinstance(folder, Url):
        return folder.sizes(names)
    paths = {name: folder / name for name in names}
    return {name: path.stat().st_size if path.is_file() else None for name, path in paths.items()}


def require_parts(header: Header, folder: Path | Url, names: Iterable[str]) -> None:
    """Raises InputError unless these parts hold the bytes that were written: reads them all, piece by piece."""
    for name in names:
        expected, found = header.parts[name]["sha256"], _digest(folder / name)
        if found != expected:
            raise InputError(f"{folder / name}: expected the content {expected[:12]} as written, got {found[:12]}")


def _digest(part: Path | Url) -> str:
    return sha256(part.read()).hexdigest() if isinstance(part, Url) else files.digest(part)


def require_parent(child: Path, header: Header, parent: Path, parent_header: Header) -> None:
    """Raises InputError unless `child` was made from `parent` as it lies on disk now."""
    made_from = header.parents.get(parent_header.kind, "nothing")
    if made_from != parent_header.identity:
        raise InputError(
            f"{child}: was made from {parent_header.kind} {made_from[:12]}, but {parent} is "
            f"{parent_header.identity[:12]}; run `dvc repro` to make them match"
        )
