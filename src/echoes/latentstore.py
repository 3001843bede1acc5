"""Latents on disk: one row per frame, as memory-mapped safetensors shards or as Zarr; float16, labels int32."""

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from safetensors.numpy import save_file

from echoes import arrays, files, provenance
from echoes.errors import InputError
from echoes.provenance import Header

Format = Literal["safetensors", "zarr"]
SHARD_BYTES = 64 << 20
INDEX = "index.json"
DTYPES = {"F16": "<f2", "I32": "<i4"}


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
        shards = _write_shards(folder, batches)
        digest = sha256("".join(files.digest(folder / shard["file"]) for shard in shards).encode()).hexdigest()
        text = header().sealed(digest).text()
        (folder / INDEX).write_text(json.dumps({"header": text, "shards": shards}))


def _stored(rows: np.ndarray) -> np.ndarray:
    return rows.astype(np.float16 if rows.dtype.kind == "f" else np.int32)


def _write_shards(folder: Path, batches: Iterator[Mapping[str, np.ndarray]]) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = []
    pending: list[Mapping[str, np.ndarray]] = []

    def flush() -> None:
        joined = {name: _stored(np.concatenate([b[name] for b in pending])) for name in sorted(pending[0])}
        file = f"shard-{len(shards):05d}.safetensors"
        save_file(joined, folder / file)
        shards.append({"file": file, "rows": len(next(iter(joined.values())))})
        pending.clear()

    for batch in batches:
        pending.append(batch)
        if sum(rows.size * 2 for b in pending for rows in b.values()) >= SHARD_BYTES:
            flush()
    if pending:
        flush()
    return shards


def read(path: Path) -> LatentStore:
    """Open latents of either format; raises InputError where there are none that are whole."""
    return Shards(path) if (path / INDEX).is_file() else ZarrLatents(path)


class Shards:
    """Memory-mapped safetensors: the headers are parsed once, a batch is indexed at once."""

    def __init__(self, path: Path) -> None:
        try:
            index = json.loads((path / INDEX).read_text())
            # Only the last part of a name: a shard lies in this folder, whatever the index says.
            text, listed = index["header"], [(path / Path(s["file"]).name, s["rows"]) for s in index["shards"]]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path / INDEX}: expected the index of latents, got none that is whole") from error
        self.header = provenance.parse(text, "latents", path)
        self._path, self._shards = path, [_map(file) for file, _ in listed]
        for (file, rows), shard in zip(listed, self._shards, strict=True):
            if any(array.shape[:1] != (rows,) for array in shard.values()):
                shapes = [array.shape for array in shard.values()]
                raise InputError(f"{file}: expected {rows} rows, got arrays of shape {shapes}")
        self._starts = np.cumsum([0, *(rows for _, rows in listed)])

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        if name not in self._shards[0]:
            raise InputError(f"{self._path}: expected latents named {name}, got {', '.join(sorted(self._shards[0]))}")
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        first = self._shards[0][name]
        out = np.empty((len(indices), *first.shape[1:]), _read(first.dtype))
        for shard in np.unique(shards):
            chosen = shards == shard
            out[chosen] = self._shards[shard][name][indices[chosen] - self._starts[shard]]
        return out


class ZarrLatents:
    """Rows of a sharded Zarr group, through its cache of chunks."""

    def __init__(self, path: Path) -> None:
        self._reader = arrays.Reader(path, "latents")
        self.header = self._reader.header

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        found = np.concatenate([self._reader.rows(name, int(i), int(i) + 1) for i in indices])
        return found.astype(_read(found.dtype))


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
            if not 0 <= begin <= end <= size - 8 - length or end - begin != dtype.itemsize * prod(shape):
                raise InputError(f"{path}: expected {name} as {dtype} within {size} bytes, got {entry}")
            out[name] = np.memmap(path, dtype, "r", 8 + length + begin, shape)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: expected a safetensors file of {', '.join(DTYPES)} arrays, got {error}") from error
    return out
