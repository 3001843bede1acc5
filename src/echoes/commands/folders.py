"""The folder that a command writes, and whether it may replace what lies there."""

from pathlib import Path

from echoes.errors import InputError


def check_replaceable(output: Path, index: str, overwrite: bool) -> None:
    """Raises InputError unless `output` may be replaced: it is not there, is empty, or holds an earlier `index`."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: expected a folder to write to, got a file")
    if not output.exists() or not any(output.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"{output}: expected an empty or a new folder, got one with files; --overwrite replaces what an earlier "
            f"run wrote"
        )
    if not (output / index).is_file():
        raise InputError(
            f"{output}: expected what an earlier run wrote to overwrite, got a folder without {index}, "
            f"which is left alone"
        )
