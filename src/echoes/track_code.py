"""The code that a track alone uses: its reader, and the calibration of its family.

All items of a DVC matrix have the same deps. So the stage `select_code` writes for each track which modules its choices
lead to, with their digests, and the stages that import these by name depend on that file: an edit of a reader changes
the files of the tracks that use it, and no other.
"""

import json
from pathlib import Path

from echoes import files, imports
from echoes.readers.choice import CLOUDS, READERS

PLACE = "data/{track}/code/{stage}.json"


def used(reader: str) -> dict[str, set[Path]]:
    """Stage -> what it imports for a track with this reader beside what it imports for all."""
    family = "radar" if reader in CLOUDS else "microdoppler"
    chosen = {
        "voxelize": imports.PACKAGE / "readers" / f"{reader}.py",
        "distill_cd": imports.PACKAGE / "models" / family / "validation.py",
    }
    return {
        stage: {module, *imports.closure(module)} - imports.closure(imports.ROOT / "stages" / f"{stage}.py")
        for stage, module in chosen.items()
    }


def every() -> set[Path]:
    """The same for all readers and stages together."""
    return set().union(*(modules for reader in READERS for modules in used(reader).values()))


def write(track: str, reader: str) -> None:
    """A file for each stage: module, as dvc.yaml would name it -> sha256."""
    for stage, modules in used(reader).items():
        digests = {path.relative_to(imports.ROOT).as_posix(): files.digest(path) for path in sorted(modules)}
        with files.replacing(Path(PLACE.format(track=track, stage=stage))) as temporary:
            temporary.write_text(json.dumps(digests, indent=2) + "\n")
