"""Labels from where a file lies: a folder per activity, or a folder per user and in it one per activity.

root/NAME.EXT                  activity = NAME, where a reader allows it
root/ACTIVITY/NAME.EXT         activity
root/USER/ACTIVITY/NAME.EXT    user and activity

Hidden files and folders, and those that other programs lay beside one's own, are left out. Of the two forms that
Unicode has for letters such as u with an umlaut (NFC, NFD), labels have the composed one: file systems differ in it.
"""

import logging
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from echoes.errors import InputError
from echoes.readers import visible

LOG = logging.getLogger(__name__)
KINDS = (("activity",), ("activity",), ("user", "activity"))  # by the number of folders above a file
WORDS = ("{}", "ACTIVITY/{}", "USER/ACTIVITY/{}")


def labelled(root: Path, suffixes: Sequence[str], depths: Sequence[int]) -> dict[Path, dict[str, str]]:
    """The files below `root` with one of the suffixes, sorted, and the labels of each; says which are left out.

    depths   how many folders may lie between root and a file; all files must have the same number.
    """
    allowed = " or ".join(WORDS[depth].format("*" + suffixes[0]) for depth in depths)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected {allowed} in it")
    every = sorted(path for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    paths = visible.below(root, every)
    if left := sorted(set(every).difference(paths)):
        LOG.info("%s: %d hidden files left out, the first: %s", root, len(left), left[0].relative_to(root))
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
        found[path] = dict(zip(KINDS[depth], map(label, words), strict=True))
    return found


def label(word: str) -> str:
    """A label as it is named in whatever form it was written."""
    return unicodedata.normalize("NFC", word)


def _depth(root: Path, path: Path) -> int:
    return len(path.relative_to(root).parts) - 1
