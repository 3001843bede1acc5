"""Latents on disk: one row per frame, as memory-mapped safetensors shards or as Zarr; float16, labels int32."""

import json
import reprlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from safetensors.numpy import save_file

from echoes import arrays, files, params, provenance
from echoes.errors import InputError
from echoes.provenance import Header
from echoes.urls import Url

Format = Literal["safetensors", "zarr"]
SHARD_BYTES = 64 << 20
MAX_VALUES = 1 << 26  # of one sample: 2000 times the full scale
INDEX = "index.json"
DTYPES = {"F16": "<f2", "I32": "<i4"}


@dataclass(frozen=True)
class Shape:
    """latent_shape (Z, *S): channels and cells of one sample."""

    latent_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.latent_shape or min(self.latent_shape) < 1 or prod(self.latent_shape) > MAX_VALUES:
            raise InputError(f"latent_shape: expected channels and cells, got {list(self.latent_shape)}")


def shape(header: Header) -> tuple[int, ...]:
    """(Z, *S) of the latents that a header (of latents, ldm or cd) tells of; raises InputError where it does not."""
    told: Shape = params.build_subset(Shape, header.content, header.kind)
    return told.latent_shape


class LatentStore(Protocol):
    """Latents that were written before: their header, and rows by name."""

    header: Header

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Rows (B, ...) of the array `name`, float32 or int32, in the order of `indices` (B,)."""
        ...


def write(path: Path, form: Format, batches: Iterator[Mapping[str, np.ndarray]], header: Callable[[], Header]) -> None:
    """Write batches of rows, the same names in each, one after the other.

    header   called once all batches are written, because it tells their statistics.
    """
    if form == "zarr":
        with arrays.writing(path) as writer:
            for batch in batches:
                for name, rows in batch.items():
                    writer.append(name, _stored(rows))
            writer.seal(header())
        return
    with files.replacing(path) as folder:
        folder.mkdir()
        _write_shards(folder, batches)
        (folder / INDEX).write_text(header().sealed(provenance.parts(folder, INDEX)).text())


def _stored(rows: np.ndarray) -> np.ndarray:
    return rows.astype(np.float16 if rows.dtype.kind == "f" else np.int32)


def _write_shards(folder: Path, batches: Iterator[Mapping[str, np.ndarray]]) -> None:
    pending: list[Mapping[str, np.ndarray]] = []
    count = 0

    def flush() -> None:
        joined = {name: _stored(np.concatenate([b[name] for b in pending])) for name in sorted(pending[0])}
        save_file(joined, folder / f"shard-{count:05d}.safetensors")
        pending.clear()

    for batch in batches:
        pending.append(batch)
        if sum(rows.size * 2 for b in pending for rows in b.values()) >= SHARD_BYTES:
            flush()
            count += 1
    if pending:
        flush()


def read(path: Path) -> LatentStore:
    """Open latents of either format; raises InputError where there are none that are whole."""
    return Shards(path) if (path / INDEX).is_file() else ZarrLatents(path)


def of_track(data: Path, url: str) -> LatentStore:
    """The latents of a track: in its folder `data`, or at a URL, in which {track} stands for the name of the folder.

    Raises InputError where those at the URL are not those in the folder, if it has any.
    """
    own = data / "latents"
    if not url:
        return read(own)
    there = _read_url(Url(url.replace("{track}", data.name)))
    if own.exists() and (identity := read(own).header.identity) != there.header.identity:
        raise InputError(
            f"{there.path}: expected the latents {identity[:12]} as in {own}, got {there.header.identity[:12]}"
        )
    return there


def _read_url(url: Url) -> "ZarrLatents":
    if (url / INDEX).size() is not None:
        raise InputError(f"{url}: expected latents of the format zarr at a URL (latents.format), got safetensors")
    return ZarrLatents(url)


class Shards:
    """Memory-mapped safetensors: the headers are parsed once, a batch is indexed at once.

    The index is the header of the artifact, which lists the shards; the sizes of all are checked at once, the content
    of each before its first row is read.
    """

    def __init__(self, path: Path) -> None:
        """Raises InputError where a shard is missing, has another size or claims what it does not hold."""
        self.header = provenance.read(path / INDEX, "latents")
        provenance.require_sizes(self.header, path)
        self._path, self._names = path, sorted(self.header.parts)
        if not self._names:
            raise InputError(f"{path / INDEX}: expected latents, got an index without shards")
        self._shards = [_map(path / name) for name in self._names]
        _require_samples(path, self.header, {name: (a.dtype, a.shape[1:]) for name, a in self._shards[0].items()})
        self._starts = np.cumsum([0, *(self._rows_of(i) for i in range(len(self._names)))])
        self._whole: set[int] = set()  # shards whose content has been checked

    def _rows_of(self, shard: int) -> int:
        """The rows of a shard; raises InputError unless its arrays are as long as each other and like the first's."""
        first, these = self._shards[0], self._shards[shard]
        lengths = {array.shape[:1] for array in these.values()}
        alike = {n: (a.dtype, a.shape[1:]) for n, a in these.items()} == {
            n: (a.dtype, a.shape[1:]) for n, a in first.items()
        }
        if len(lengths) != 1 or lengths == {()} or not alike:
            shapes = {name: array.shape for name, array in these.items()}
            raise InputError(f"{self._path / self._names[shard]}: expected as many rows of each array, got {shapes}")
        return int(lengths.pop()[0])

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        if name not in self._shards[0]:
            raise InputError(f"{self._path}: expected latents named {name}, got {', '.join(sorted(self._shards[0]))}")
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        first = self._shards[0][name]
        if len(indices) and not 0 <= indices.min() <= indices.max() < self._starts[-1]:
            raise InputError(f"{self._path}/{name}: expected rows up to {self._starts[-1]}, got {indices.max()}")
        out = np.empty((len(indices), *first.shape[1:]), _read(first.dtype))
        for shard in np.unique(shards):
            if shard not in self._whole:
                provenance.require_parts(self.header, self._path, [self._names[shard]])
                for array in self._shards[shard].values():
                    arrays.require_finite(array, self._path / self._names[shard])
                self._whole.add(shard)
            chosen = shards == shard
            out[chosen] = self._shards[shard][name][indices[chosen] - self._starts[shard]]
        return out


class ZarrLatents:
    """Rows of a sharded Zarr group, through its cache of chunks; in a folder or at a URL."""

    def __init__(self, path: Path | Url) -> None:
        self._reader, self.path = arrays.Reader(path, "latents"), path
        self._lock = threading.Lock()  # of the cache: a training reads ahead in a thread, and measures in another one
        self.header = self._reader.header
        found = self._reader.rows_of()
        if len({count for count, _, _ in found.values()}) != 1:
            counts = {name: count for name, (count, _, _) in found.items()}
            raise InputError(f"{path}: expected as many rows of each array, got {counts}")
        _require_samples(path, self.header, {name: (dtype, row) for name, (_, dtype, row) in found.items()})

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        with self._lock:
            if isinstance(self.path, Url):
                self._reader.fetch(name, indices)
            found = np.concatenate([self._reader.rows(name, int(i), int(i) + 1) for i in indices])
        return found.astype(_read(found.dtype))


def _require_samples(path: Path | Url, header: Header, rows: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> None:
    """Raises InputError unless every row of numbers has the shape of latents that the header tells of."""
    told: Shape = params.build_subset(Shape, header.content, f"{path}: header")
    for name, (dtype, row) in rows.items():
        if dtype.kind == "f" and row != told.latent_shape:
            raise InputError(f"{path}: expected {name} of shape {told.latent_shape} as the header tells, got {row}")


def _read(stored: np.dtype) -> type[np.number]:
    return np.float32 if stored.kind == "f" else np.int32


def _map(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, memory-mapped (8 bytes of length, a JSON header, the data)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > size - 8:
                raise InputError(f"{path}: expected a header of at most {size - 8} bytes, got {length}")
            table = json.loads(file.read(length))
        out: dict[str, np.ndarray] = {}
        for name, entry in table.items():
            (begin, end), shape = entry["data_offsets"], tuple(entry["shape"])
            dtype = np.dtype(DTYPES[entry["dtype"]])
            if not all(type(number) is int for number in (begin, end, *shape)):  # a text times a number is a long text
                raise InputError(f"{path}: expected whole numbers for {name}, got {reprlib.repr(entry)}")
            if not 0 <= begin <= end <= size - 8 - length or end - begin != dtype.itemsize * prod(shape):
                raise InputError(f"{path}: expected {name} as {dtype} within {size} bytes, got {entry}")
            out[name] = np.memmap(path, dtype, "r", 8 + length + begin, shape)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected a safetensors file of {', '.join(DTYPES)} arrays, got {error}") from error
    return out
