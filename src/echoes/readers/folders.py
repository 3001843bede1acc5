"""Labels from where a file lies: a folder per activity, or a folder per user and in it one per activity.

root/NAME.EXT                  activity = NAME, where a reader allows it
root/ACTIVITY/NAME.EXT         activity
root/USER/ACTIVITY/NAME.EXT    user and activity
"""

from collections.abc import Sequence
from pathlib import Path

from echoes.errors import InputError

KINDS = (("activity",), ("activity",), ("user", "activity"))  # by the number of folders above a file
WORDS = ("{}", "ACTIVITY/{}", "USER/ACTIVITY/{}")


def labelled(root: Path, suffixes: Sequence[str], depths: Sequence[int]) -> dict[Path, dict[str, str]]:
    """The files below `root` with one of the suffixes, sorted, and the labels of each.

    depths   how many folders may lie between root and a file; all files must have the same number.
    """
    allowed = " or ".join(WORDS[depth].format("*" + suffixes[0]) for depth in depths)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected {allowed} in it")
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not paths:
        raise InputError(f"{root}: expected {allowed} in it, got no {' or '.join(suffixes)} file")
    found = {}
    first = _depth(root, paths[0])
    for path in paths:
        depth = _depth(root, path)
        if depth not in depths:
            raise InputError(f"{path}: expected {allowed} below {root}, got a file {depth} folders deep")
        if depth != first:
            raise InputError(f"{path}: expected a file {first} folders deep like {paths[0]}, got {depth} folders")
        words = path.relative_to(root).parts[:-1] or (path.stem,)
        found[path] = dict(zip(KINDS[depth], words, strict=True))
    return found


def _depth(root: Path, path: Path) -> int:
    return len(path.relative_to(root).parts) - 1
