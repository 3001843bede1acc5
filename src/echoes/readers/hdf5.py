"""HDF5 files, read strictly: any fault names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from echoes.errors import InputError


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The open file; whatever h5py cannot read, here or in the block, becomes one line."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:  # no HDF5, cut off, or a damaged chunk
        raise InputError(f"{path}: expected a whole HDF5 file, got: {' '.join(str(error).split())}") from error


def dataset(group: Any, name: str, origin: str | Path) -> h5py.Dataset:
    """The dataset `name` in a file or group; `origin` names that in messages."""
    item = group.get(name)
    if not isinstance(item, h5py.Dataset):
        got = "a group" if item is not None else f"only {', '.join(sorted(group)) or 'nothing'}"
        raise InputError(f"{origin}: expected a dataset {name}, got {got}")
    return item
