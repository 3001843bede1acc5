"""HDF5 files, read strictly: any fault names the file, and nothing outside of the file is read.

A header may claim any size, and what was never written reads as zeros; so the size of a dataset is compared with
the file, and each of its chunks must be there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import h5py

from echoes.errors import InputError, one_line

PACKED = 1100  # deflate makes a byte of so many at most
SMALL_BYTES = 1 << 16  # that any file may claim


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The open file; whatever h5py cannot read, here or in the block, becomes one line."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:  # no HDF5, cut off, or a damaged part
        raise InputError(f"{path}: expected a whole HDF5 file, got: {one_line(error)}") from error


def member(group: Any, name: str, origin: str | Path) -> Any:
    """The group or dataset `name` (a path) in a file or group, None where there is none; links must stay inside."""
    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) and part in group else None
        if isinstance(link, h5py.ExternalLink):
            raise InputError(f"{origin}: expected {name} in this file, got a link to another one")
        group = None if link is None else group.get(part)
    return group


def names(group: Any) -> list[str]:
    """Of the members of a file or group, in order."""
    return sorted(map(str, group))  # h5py gives what is no UTF-8 as bytes


def dataset(group: Any, name: str, origin: str | Path) -> h5py.Dataset:
    """The dataset `name` in a file or group; `origin` names that in messages.

    Raises InputError unless all of it lies in the file.
    """
    item = member(group, name, origin)
    if not isinstance(item, h5py.Dataset):
        got = "a group" if item is not None else f"only {', '.join(names(group)) or 'nothing'}"
        raise InputError(f"{origin}: expected a dataset {name}, got {got}")
    if item.shape is None:
        raise InputError(f"{origin}: expected values in {name}, got none")
    _check_stored(item, f"{origin}: expected {name}")
    return item


def _check_stored(item: h5py.Dataset, expected: str) -> None:
    if item.is_virtual or item.external:
        raise InputError(f"{expected} in this file, got one that lies in others")
    size, chunk = (prod(shape) * item.dtype.itemsize for shape in (item.shape, item.chunks or ()))
    most = Path(item.file.filename).stat().st_size * (PACKED if item.chunks else 1)
    if max(size, chunk if item.chunks else 0) > max(most, SMALL_BYTES):
        raise InputError(f"{expected} to fit the file, got {item.shape} of {item.dtype} in at most {most} bytes")
    if item.chunks:
        needed = prod(-(-length // step) for length, step in zip(item.shape, item.chunks, strict=True))
        if item.id.get_num_chunks() < needed:
            raise InputError(f"{expected} to be whole, got {item.id.get_num_chunks()} of {needed} chunks")
    elif item.id.get_storage_size() < size:
        raise InputError(f"{expected} to be whole, got {item.id.get_storage_size()} of {size} bytes")
