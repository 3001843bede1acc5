"""Files of a recording without those that systems put beside it: previews, checkpoints, what was thrown away."""

from collections.abc import Iterable
from pathlib import Path, PurePath

LEFT_OUT = ("__MACOSX", "$RECYCLE.BIN", "@eaDir")  # folders of macOS, Windows and Synology, which no dot hides


def is_hidden(place: PurePath) -> bool:
    """Whether a path, told from the folder of a recording, is such a file, or lies in a folder of such."""
    return any(part.startswith(".") or part in LEFT_OUT for part in place.parts)


def below(root: Path, paths: Iterable[Path]) -> list[Path]:
    """The paths in order, without hidden ones; the folder of the recording itself may lie in a hidden one."""
    return sorted(path for path in paths if not is_hidden(path.relative_to(root)))
