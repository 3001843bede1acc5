"""Command view: a trained track on its test split, or a folder of clouds, as one HTML page or a Rerun recording."""

from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

from echoes.commands import cloud_scenes, track_scenes
from echoes.errors import InputError
from echoes.reports import scenes

RERUN = ".rrd"  # how the name of a recording of Rerun ends


def view(folder: Path | None, track: str, output: Path, most: int, overwrite: bool) -> str:
    """Write the page of a folder that `enhance` wrote, or of a track; gives what to tell of it.

    output   an HTML page, or by the name `.rrd` a recording of Rerun.
    most     frames at most, evenly spread.

    Raises InputError, and leaves nothing behind, unless one of the two is given and holds what is to be shown.
    """
    if (folder is None) == (not track):
        got = "neither" if folder is None else "both"
        raise InputError(f"view: expected CLOUDS OUTPUT, or --track and OUTPUT, got {got}")
    check_new(output, overwrite)
    write, by = scenes.write, "in a browser"
    if output.suffix == RERUN:
        if find_spec("rerun") is None:
            told = "rerun-sdk: expected it to be installed, got nothing"
            raise InputError(f"{told}; `pip install 'echoes[rerun]'` brings it")
        from echoes.reports import rerun_recording  # here, because it may not be installed

        write, by = rerun_recording.write, f"by `rerun {output}`"
    show = track_scenes.show(track, Path(), most) if folder is None else cloud_scenes.show(folder, most)
    bar = tqdm(show.scenes, "view", show.count, mininterval=1.0)
    count = write(show.title, show.view, bar, output)
    size_mb = output.stat().st_size / 1e6
    told = f"{count} of {show.total} frames are in {output} ({size_mb:.1f} MB), to be opened {by}"
    return "\n".join([told, *show.notes])


def check_new(output: Path, overwrite: bool) -> None:
    """Raises InputError unless the page may be written there."""
    if output.is_dir():
        raise InputError(f"{output}: expected a file to write to, got a folder")
    if output.exists() and not overwrite:
        raise InputError(f"{output}: expected a new file, got one that is there; --overwrite replaces it")
