"""The code that a track alone uses: its reader, and what its family has for each role.

All items of a DVC matrix have the same deps. So the stage `select_code` writes for each track which modules its choices
lead to, with their digests, and the stages that import these by name depend on that file: an edit of a reader changes
the files of the tracks that use it, and no other.
"""

import json
from pathlib import Path

from echoes import files, imports
from echoes.models import families
from echoes.readers.catalog import MODULES, READERS, family_of, plugin_of
from echoes.voxelization import families as voxelization

PLACE = "data/{track}/code/{stage}.json"


def used(reader: str) -> dict[str, set[Path]]:
    """Stage -> what it imports of echoes for a track with this reader beside what it imports for all.

    Raises InputError for a reader that is unknown.
    """
    family = family_of(reader, "source.reader")
    chosen = {stage: families.modules(stage, family) for stage in families.ROLES}
    chosen["voxelize"] = [READERS.module(reader), voxelization.FAMILIES[family]]
    files_of = {stage: [imports.file_of(module) for module in modules] for stage, modules in chosen.items()}
    others = {path for path, _ in _of_package(reader).values()}
    return {
        stage: set(modules).union(*map(imports.closure, modules)) - imports.closure(_script(stage)) - others
        for stage, modules in files_of.items()
    }


def _of_package(reader: str) -> dict[str, tuple[Path, str]]:
    """Of a reader that another package brings: its package, version and module -> its file and the digest of that."""
    if (plugin := plugin_of(reader)) is None:
        return {}
    path = imports.file_of(plugin.module)
    return {f"{plugin.package}: {plugin.module}": (path, files.digest(path))}


def _script(stage: str) -> Path:
    return imports.ROOT / "stages" / f"{stage}.py"


def every() -> set[Path]:
    """The same for all readers of echoes and all stages together."""
    readers = [reader for of_family in MODULES.values() for reader in of_family]
    return set().union(*(modules for reader in readers for modules in used(reader).values()))


def write(track: str, reader: str) -> None:
    """A file for each stage: module, as dvc.yaml would name it -> sha256.

    A reader that another package brings is named by its package and version, so that another version is another file.
    """
    for stage, modules in used(reader).items():
        digests = {path.relative_to(imports.ROOT).as_posix(): files.digest(path) for path in sorted(modules)}
        if stage == "voxelize":
            digests |= {name: digest for name, (_, digest) in _of_package(reader).items()}
        with files.replacing(Path(PLACE.format(track=track, stage=stage))) as temporary:
            temporary.write_text(json.dumps(digests, indent=2) + "\n")
