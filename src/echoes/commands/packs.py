"""The folder that `echoes pack` writes: the weights of a track's one-call path as they are, and what tells of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from echoes import files, formats, params, provenance, weights
from echoes.errors import InputError
from echoes.provenance import Header

KIND = "pack"
WEIGHTS = ("vae.safetensors", "cd.safetensors")
PROFILE, CARD, MANIFEST = "profile.json", "MODEL_CARD.md", "manifest.json"
FORMAT = 2  # of the profile


def seal(header: Header, folder: Path) -> None:
    """Write the manifest: the header with the size and the sha256 of every other file of the folder."""
    sealed = header.sealed(provenance.parts(folder, MANIFEST))
    (folder / MANIFEST).write_text(json.dumps(vars(sealed), sort_keys=True, indent=2, allow_nan=False) + "\n")


def opened(folder: Path) -> Header:
    """The manifest of a pack whose files are there in their sizes.

    Raises InputError for another folder, and for one that lacks something.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a folder that `echoes pack` wrote")
    header = provenance.read(path, KIND)
    provenance.require_sizes(header, folder)
    return header


def profile(folder: Path) -> Mapping[str, Any]:
    """What a pack tells of its sensor; raises InputError where it is not whole, or is of a later echoes."""
    opened(folder)
    path = folder / PROFILE
    told = params.document(path)
    found = told.get("format") if isinstance(told, Mapping) else None
    if type(found) is not int or not 1 <= found <= FORMAT:
        raise InputError(f"{path}: expected a profile of format {FORMAT}, got {found}")
    return {**told, "source": formats.source(told.get("source"), found)}


def verify(folder: Path) -> Iterator[tuple[bool, str]]:
    """Of the manifest and of each file of a pack: whether it is right, and a line that tells what is not.

    Raises InputError where there is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one that `echoes pack` wrote")
    try:
        header = provenance.read(folder / MANIFEST, KIND)
    except InputError as error:
        yield False, f"FAILED   {error}"
        return
    yield True, f"ok       {folder / MANIFEST} {header.identity[:12]}"
    for name in sorted({*header.parts, *files.names(folder)} - {MANIFEST}):
        yield _told(folder, name, header)
    yield _together(folder, header)


def _told(folder: Path, name: str, header: Header) -> tuple[bool, str]:
    path = folder / name
    if name not in header.parts:
        return False, f"unknown  {path}: the manifest does not name it"
    if not path.is_file():
        return False, f"missing  {path}"
    try:
        provenance.require_parts(header, folder, [name])
    except InputError as error:
        return False, f"FAILED   {error}"
    return True, f"ok       {path}"


def _together(folder: Path, header: Header) -> tuple[bool, str]:
    """Whether the weights are those that the manifest names, and were made from each other."""
    try:
        vae, cd = (weights.load(folder / name, Path(name).stem)[1] for name in WEIGHTS)
        provenance.require_parent(folder / MANIFEST, header, folder / WEIGHTS[0], vae)
        provenance.require_parent(folder / MANIFEST, header, folder / WEIGHTS[1], cd)
        provenance.require_parent(folder / WEIGHTS[1], cd, folder / WEIGHTS[0], vae)
    except InputError as error:
        return False, f"FAILED   {error}"
    return True, f"ok       cd {cd.identity[:12]} was made from vae {vae.identity[:12]}"
