"""Command view: a trained track on its test split, or a folder of clouds, as one HTML page to look at."""

from pathlib import Path

from tqdm import tqdm

from echoes.commands import cloud_scenes, track_scenes
from echoes.errors import InputError
from echoes.reports import scenes


def view(folder: Path | None, track: str, output: Path, most: int, overwrite: bool) -> str:
    """Write the page of a folder that `enhance` wrote, or of a track; gives what to tell of it.

    most     frames at most, evenly spread.

    Raises InputError, and leaves nothing behind, unless one of the two is given and holds what is to be shown.
    """
    if (folder is None) == (not track):
        got = "neither" if folder is None else "both"
        raise InputError(f"view: expected CLOUDS OUTPUT, or --track and OUTPUT, got {got}")
    check_new(output, overwrite)
    show = track_scenes.show(track, Path(), most) if folder is None else cloud_scenes.show(folder, most)
    bar = tqdm(show.scenes, "view", show.count, mininterval=1.0)
    count = scenes.write(show.title, show.view, bar, output)
    size_mb = output.stat().st_size / 1e6
    told = f"{count} of {show.total} frames are in {output} ({size_mb:.1f} MB), to be opened in a browser"
    return "\n".join([told, *show.notes])


def check_new(output: Path, overwrite: bool) -> None:
    """Raises InputError unless the page may be written there."""
    if output.is_dir():
        raise InputError(f"{output}: expected a file to write to, got a folder")
    if output.exists() and not overwrite:
        raise InputError(f"{output}: expected a new file, got one that is there; --overwrite replaces it")
