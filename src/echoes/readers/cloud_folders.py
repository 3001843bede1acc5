"""The files of a sensor in a recording: its folder lies in those of sequences, or theirs in it."""

from pathlib import Path, PurePosixPath

from echoes.errors import InputError
from echoes.readers.cloud_files import FORMATS
from echoes.readers.visible import is_hidden

WHOLE = "recording"  # the sequence of files that lie in no folder but that of their sensor


def clouds(root: Path, folder: str, table: str) -> dict[str, list[str]]:
    """Sequence -> paths in `root` of the files that lie in a folder, all of one kind; none of them is the table."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        parts = _without(inner.parts[:-1], _parts(folder))
        known = path.suffix.lower() in FORMATS and inner.as_posix() != table
        if known and parts is not None and not is_hidden(inner) and path.is_file():
            found.setdefault("/".join(parts) or WHOLE, []).append(inner.as_posix())
    suffixes = sorted({PurePosixPath(name).suffix.lower() for names in found.values() for name in names})
    if len(suffixes) > 1:
        raise InputError(f"{root / folder}: expected files of one kind, got {' and '.join(suffixes)}")
    return found


def overlap(one: str, other: str) -> bool:
    """Whether a file that lies in one folder may lie in the other one, too."""
    return _without(_parts(one), _parts(other)) is not None or _without(_parts(other), _parts(one)) is not None


def _parts(folder: str) -> tuple[str, ...]:
    return PurePosixPath(folder).parts


def _without(parts: tuple[str, ...], folder: tuple[str, ...]) -> tuple[str, ...] | None:
    """The folders that a file lies in without those of its sensor; None for a file of another sensor."""
    for i in range(len(parts) - len(folder) + 1):
        if parts[i : i + len(folder)] == folder:
            return parts[:i] + parts[i + len(folder) :]
    return None
