"""A project for each fold of a track: its params.yaml names another fold, all else is that of the project around it.
The tracks whose models it starts from are in it too.

A project lies in .dvc/tmp/folds/<track>-<fold>, a DVC repository of its own without git, which no run clears away. It
has the cache of the project around it, and so what was ever built for a fold need not be built again.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from echoes import files, initial, params
from echoes.errors import InputError
from echoes.readers.splits import ByStretch, ByUser, LabelledSplit, Split

PLACE = Path(".dvc", "tmp", "folds")
CODE = ("src", "stages")
COPIED = ("dvc.yaml", ".dvcignore")
CONFIG = """\
[core]
    no_scm = true
    analytics = false
    autostage = false
    check_update = false
[cache]
    dir = {cache}
"""


def require_stretches(track: str, split: Split | LabelledSplit | ByUser) -> ByStretch:
    """The split of the track; raises InputError unless it is by stretch, of which folds are made."""
    if not isinstance(split, ByStretch):
        raise InputError(f"{track}.split.by: expected stretch, of which folds are made, got {split.by}")
    return split


def write(root: Path, numbers: Mapping[str, Any], track: str, fold: int, cache: Path) -> Path:
    """The project of a fold, in a folder below `root`, the project around it; what was built there before stays.

    numbers   what params.yaml says.
    cache     of DVC, for both.
    """
    folder = root / PLACE / f"{track}-{fold}"
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    (folder / ".dvc" / "config").write_text(CONFIG.format(cache=cache.resolve()))
    for name in COPIED:
        shutil.copyfile(root / name, folder / name)
    tracks = _with_sources(params.build(dict[str, str], numbers.get("init_from"), "init_from"), track)
    for linked in (*map(Path, CODE), Path("data", initial.SCRATCH), *(Path("data", "raw", each) for each in tracks)):
        _link(root / linked, folder / linked)
    with files.replacing(folder / "params.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(_params(numbers, tracks, fold), sort_keys=False))
    return folder


def _with_sources(init_from: Mapping[str, str], track: str) -> list[str]:
    """The track, the one it starts from, the one that this starts from, and so on."""
    tracks = [track]
    while True:
        if tracks[-1] not in init_from:
            raise InputError(f"init_from.{tracks[-1]}: missing; scratch, or the track that it starts from")
        if (source := init_from[tracks[-1]]) in (initial.SCRATCH, *tracks):
            return tracks
        tracks.append(source)


def _params(numbers: Mapping[str, Any], tracks: list[str], fold: int) -> dict[str, Any]:
    """Those of the fold of the first track: no folds and no augmentation of its own, the other tracks as they are."""
    track, *sources = tracks
    section = {**numbers[track], "split": {**numbers[track]["split"], "fold": fold}}
    return {
        "tracks": tracks,
        "init_from": {each: numbers["init_from"][each] for each in tracks},
        "folds": [],
        "augment": [],
        "runtime": numbers["runtime"],
        track: section,
        **{source: numbers[source] for source in sources},
    }


def _link(target: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target.resolve())
