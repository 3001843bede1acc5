"""Atomic writes and content hashes of files and folders."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, for a file or a folder, and move it there at the end.

    When the block fails nothing is left behind and what stood at `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    remove(temporary)
    try:
        yield temporary
        _flush(temporary)
        if path.is_dir() or temporary.is_dir():
            remove(path)
        temporary.replace(path)
    finally:
        remove(temporary)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """sha256 of a file's bytes, or of the names and bytes of all files below a folder."""
    if path.is_file():
        with path.open("rb") as file:
            hashed = sha256()
            while block := file.read(1 << 20):
                hashed.update(block)
        return hashed.hexdigest()
    names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    return sha256("".join(f"{name}\0{digest(path / name)}\n" for name in names).encode()).hexdigest()


def _flush(path: Path) -> None:
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        file.chmod(0o644)  # some writers make files that only their owner may read
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
