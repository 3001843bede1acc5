"""Atomic writes and content hashes of files and folders."""

import errno
import fcntl
import glob
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from echoes.errors import InputError, one_line

LOCK, OLD = ".lock", ".old"  # beside what is being written, in the folder of a writer
FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))  # some libraries pass on the words, not the number
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)

_held: set[Path] = set()  # folders of this process: a process does not see its own locks


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path, for a file or a folder, and move it to `path` at the end.

    When the block fails nothing is left behind and what stood at `path` stays as it was. Several processes may write
    the same path: the last one wins, whole. What killed ones left is removed. Raises InputError, naming `path`, where
    the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with _holder(path) as holder:
            temporary = holder / path.name
            yield temporary
            _flush(temporary)
            _swap(temporary, path, holder)
            _sync(path.parent)
            remove(holder / OLD)  # else it would come back while another writer swaps
    except Exception as error:
        if any(words in str(error) for words in FULL):
            raise InputError(f"{path}: expected room on its disk, got {one_line(error)}") from error
        raise


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
    return sha256("".join(f"{name}\0{digest(path / name)}\n" for name in names(path)).encode()).hexdigest()


def names(folder: Path) -> list[str]:
    """The paths of all files below a folder, relative to it, sorted."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def safe_name(text: str) -> str:
    """A label or the name of a sequence as a name of a file: it neither leaves its folder nor hides in it."""
    return re.sub(r"[^\w .+=@-]", "_", text).lstrip(".-") or "_"


@contextmanager
def _holder(path: Path) -> Iterator[Path]:
    """A folder beside `path` that belongs to this process: locked as long as it lives, so that others can tell."""
    while True:
        holder = Path(tempfile.mkdtemp(".partial", f".{path.name}.", path.parent))
        _held.add(holder)
        lock = _locked(holder)
        if lock is not None:
            break
        _held.discard(holder)  # another process swept it away before it was locked
    try:
        yield holder
    finally:
        _discard(holder, path)
        os.close(lock)
        _held.discard(holder)


def _locked(holder: Path) -> int | None:
    """The open lock of the folder of a writer; None where another process has it, or the folder is gone.

    POSIX locks end with the process, however it ends, and worker processes do not inherit them.
    """
    try:
        lock = os.open(holder / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except FileNotFoundError:
        return None
    with suppress(BlockingIOError, PermissionError, FileNotFoundError):  # another has it, or it is gone
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), (holder / LOCK).stat()):
            return lock
    os.close(lock)
    return None


def _sweep(path: Path) -> None:
    """Clear away what killed writers of `path` left."""
    for name in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 8}.partial"):
        lock = None if name in _held else _locked(name)
        if lock is not None:
            _discard(name, path)
            os.close(lock)


def _discard(holder: Path, path: Path) -> None:
    """Delete the folder of a writer; what it had moved aside goes back if nothing took its place."""
    if os.path.lexists(holder / OLD) and not os.path.lexists(path):
        _moved(holder / OLD, path)
    remove(holder / OLD)
    remove(holder / path.name)
    shutil.rmtree(holder, ignore_errors=True)  # only the lock is left: another process may sweep that at this moment


def _swap(temporary: Path, path: Path, holder: Path) -> None:
    """Move `temporary` to `path`. A folder takes two renames: the old one aside, the new one in its place."""
    while True:
        if (path.is_dir() or temporary.is_dir()) and os.path.lexists(path):
            remove(holder / OLD)
            with suppress(FileNotFoundError):  # another writer has just moved it aside
                path.rename(holder / OLD)
        if _moved(temporary, path):  # else another writer put its own there between the two
            return


def _moved(source: Path, path: Path) -> bool:
    """Rename `source`; False where `path` is taken, by what a rename does not replace."""
    try:
        source.replace(path)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    return True


def _flush(path: Path) -> None:
    """Force a file, or all below a folder, to the disk: a rename must not overtake what it renames."""
    for entry in [path, *path.rglob("*")]:
        if entry.is_file():
            entry.chmod(0o644)  # some writers make files that only their owner may read
        _sync(entry)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
