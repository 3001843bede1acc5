"""Named arrays with a header, in one sharded Zarr v3 group: few files, whatever the number of rows."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec
from zarr.storage import FsspecStore

from echoes import files, provenance, urls
from echoes.errors import InputError, one_line
from echoes.provenance import Header
from echoes.urls import Url

CHUNK_BYTES = 1 << 18  # decoded at once: a few frames, under a millisecond
SHARD_CHUNKS = 256  # chunks in one file
CACHE_BYTES = 256 << 20  # decoded chunks a reader keeps
METADATA = "zarr.json"
CODECS = [BytesCodec, BloscCodec, Crc32cCodec]  # of a chunk; the last one tells damage
RATIO = 1 << 15  # more than any compression reaches: 2,500 for zeros
# What Zarr raises on JSON that it did not write.
FOREIGN = (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)
EXPONENT = np.uint16(0x7C00)  # of a float16, all of its bits set in NaN and infinities alone
ENTRY_BYTES = 16  # of a chunk in the index of its shard


class Writer:
    """Appends rows to named arrays and hands whole shards to Zarr, so memory does not grow."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group
        self._arrays: dict[str, Any] = {}  # the group would read an array's metadata from disk each time
        self._pending: dict[str, list[np.ndarray]] = {}
        self._waiting: dict[str, int] = {}  # rows pending
        self._ends: dict[str, int] = {}
        self._header: Header | None = None

    def append(self, name: str, rows: np.ndarray) -> None:
        """Add `rows` (N, ...) at the end of the array `name`; the first call settles dtype and shape."""
        if name not in self._arrays:
            self._create(name, rows)
        self._pending.setdefault(name, []).append(rows)
        self._waiting[name] = self._waiting.get(name, 0) + len(rows)
        if self._waiting[name] >= self._arrays[name].shards[0]:
            self._flush(name, whole_shards=True)

    def append_ragged(self, name: str, rows: np.ndarray) -> None:
        """Add one item of any length to `name`; its end goes to `<name>_end`."""
        self._ends[name] = self._ends.get(name, 0) + len(rows)
        self.append(name, rows)
        self.append(f"{name}_end", np.array([self._ends[name]], np.int64))

    def seal(self, header: Header) -> None:
        """Say what the group is, once all that the header tells is known."""
        self._header = header

    def close(self, folder: Path) -> None:
        """Write what is pending, then the header, which lists all other files in `folder`."""
        assert self._header is not None, "a group is sealed before it is closed"
        for name in self._pending:
            self._flush(name, whole_shards=False)
        self._group.attrs["echoes"] = self._header.sealed(provenance.parts(folder, METADATA)).text()

    def _create(self, name: str, rows: np.ndarray) -> None:
        row_bytes = max(1, rows.dtype.itemsize * int(np.prod(rows.shape[1:])))
        chunk = max(1, CHUNK_BYTES // row_bytes)
        self._arrays[name] = self._group.create_array(
            name,
            shape=(0, *rows.shape[1:]),
            dtype=rows.dtype,
            chunks=(chunk, *rows.shape[1:]),
            shards=(chunk * SHARD_CHUNKS, *rows.shape[1:]),
            compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"), Crc32cCodec()],
            config={"write_empty_chunks": True},  # so that a chunk that is not there is damage, and no zeros
        )

    def _flush(self, name: str, whole_shards: bool) -> None:
        array = self._arrays[name]
        rows = np.concatenate(self._pending[name])
        ready = len(rows) // array.shards[0] * array.shards[0] if whole_shards else len(rows)
        start = array.shape[0]
        array.resize((start + ready, *array.shape[1:]))
        array[start:] = rows[:ready]
        self._pending[name], self._waiting[name] = [rows[ready:]], len(rows) - ready


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write a group atomically; its writer must be sealed before the block ends."""
    with files.replacing(path) as temporary:
        writer = Writer(zarr.create_group(temporary, zarr_format=3))
        yield writer
        writer.close(temporary)


class Reader:
    """Rows of a group written by `writing`, through a bounded cache of decoded chunks; in a folder or at a URL."""

    def __init__(self, path: Path | Url, kind: str) -> None:
        """Raises InputError where `path` is no group of that kind, or lacks a file, or claims more than it holds."""
        self.path = path
        try:
            group = _group(path)
            text = group.attrs["echoes"]
        except InputError:  # of a network
            raise
        except FOREIGN as error:
            raise InputError(f"{path}: expected a Zarr group of kind {kind}, got none that is whole") from error
        self.header = provenance.parse(str(text), kind, path)
        provenance.require_sizes(self.header, path)
        described = [name for name in self.header.parts if PurePosixPath(name).name == METADATA]
        provenance.require_parts(self.header, path, described)
        self._arrays = {name: self._opened(group, name) for name in (str(PurePosixPath(d).parent) for d in described)}
        self._cache: OrderedDict[tuple[str, int], np.ndarray] = OrderedDict()
        self._cached_bytes = 0
        self._ends: dict[str, np.ndarray] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def require(self, name: str, kinds: str, *shape: int | None) -> None:
        """Raises InputError unless the array `name` is of one of NumPy's `kinds` and of `shape`, None for any size."""
        array = self._array(name)
        alike = len(array.shape) == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
        if array.dtype.kind not in kinds or not alike:
            wanted = tuple("any" if n is None else n for n in shape)
            raise InputError(
                f"{self.path}/{name}: expected {wanted} numbers of kind {kinds}, got {array.shape} {array.dtype}"
            )

    def rows_of(self) -> dict[str, tuple[int, np.dtype, tuple[int, ...]]]:
        """Name -> number, dtype and shape of the rows of each array."""
        return {name: (array.shape[0], array.dtype, array.shape[1:]) for name, array in self._arrays.items()}

    def all(self, name: str) -> np.ndarray:
        """The whole array; for those with one small row per frame."""
        return self._decoded(name, slice(None))

    def rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows start..stop of the array `name`."""
        array = self._array(name)
        size = array.chunks[0]
        if not 0 <= start <= stop <= array.shape[0]:
            raise InputError(f"{self.path}/{name}: expected rows up to {array.shape[0]}, got {start} to {stop}")
        pieces = []
        for chunk in range(start // size, max(start // size + 1, -(-stop // size))):
            first = chunk * size
            pieces.append(self._chunk(name, chunk)[max(start - first, 0) : max(stop - first, 0)])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def fetch(self, name: str, rows: np.ndarray) -> None:
        """Decode the chunks of some rows (B,), several at a time, before they are asked for: networks are slow."""
        size = self._array(name).chunks[0]
        chunks = [chunk for chunk in np.unique(rows // size).tolist() if (name, chunk) not in self._cache]
        with ThreadPoolExecutor(urls.TOGETHER) as pool:
            decoded = pool.map(lambda chunk: self._decoded(name, slice(chunk * size, (chunk + 1) * size)), chunks)
            for chunk, found in zip(chunks, decoded, strict=True):
                self._keep((name, chunk), found)

    def ragged(self, name: str, i: int) -> np.ndarray:
        """Item i of an array written by `append_ragged`."""
        if name not in self._ends:
            ends = np.concatenate([[0], self.all(f"{name}_end")])
            if (ends[1:] < ends[:-1]).any() or ends[-1] != self._array(name).shape[0]:
                raise InputError(f"{self.path}/{name}_end: expected rising ends up to the last row, got others")
            self._ends[name] = ends
        return self.rows(name, int(self._ends[name][i]), int(self._ends[name][i + 1]))

    def _opened(self, group: zarr.Group, name: str) -> Any:
        """The array `name`; raises InputError unless it is as `Writer` makes it and its files can hold what it says."""
        stored = [p["bytes"] for file, p in self.header.parts.items() if file.startswith(f"{name}/c/")]
        try:
            with np.errstate(all="ignore"):  # a fill value too large for its type fills nothing
                array: Any = _asked(self.path, lambda: group[name])
            rows, *row = array.shape
            row_bytes = array.dtype.itemsize * prod(row)
            chunk, shard = array.chunks[0], array.shards[0]
            known = (
                array.dtype.kind in "biuf"
                and [type(codec) for codec in array.metadata.codecs] == [ShardingCodec]
                and [type(codec) for codec in array.metadata.codecs[0].codecs] == CODECS
                and [*array.chunks[1:]] == [*array.shards[1:]] == row
            )
            held = (
                len(stored) == -(-rows // shard)
                and rows * row_bytes <= RATIO * sum(stored)
                and chunk <= max(1, CHUNK_BYTES // max(1, row_bytes))
                and all(shard // chunk * ENTRY_BYTES <= size for size in stored)
            )
        except FOREIGN as error:
            raise InputError(f"{self.path}/{name}: expected an array, got {one_line(error)}") from error
        if not known:
            raise InputError(f"{self.path}/{name}: expected numbers in shards of whole rows, got others")
        if not held:
            raise InputError(
                f"{self.path}/{name}: expected what {len(stored)} shards of {sum(stored)} bytes can hold, "
                f"got {array.shape} {array.dtype} in shards of {shard} rows"
            )
        return array

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            raise InputError(f"{self.path}: expected an array named {name}, got {', '.join(sorted(self._arrays))}")
        return self._arrays[name]

    def _decoded(self, name: str, rows: slice) -> np.ndarray:
        array = self._array(name)
        try:
            decoded = np.asarray(_asked(self.path, lambda: array[rows]))
        except InputError:
            raise
        except (RuntimeError, ValueError, OSError) as error:
            raise InputError(
                f"{self.path}/{name}: expected whole chunks, got a damaged one ({one_line(error)})"
            ) from error
        require_finite(decoded, self.path / name)
        return decoded

    def _chunk(self, name: str, chunk: int) -> np.ndarray:
        key = (name, chunk)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        size = self._array(name).chunks[0]
        rows = self._decoded(name, slice(chunk * size, (chunk + 1) * size))
        self._keep(key, rows)
        return rows

    def _keep(self, key: tuple[str, int], rows: np.ndarray) -> None:
        self._cache[key] = rows
        self._cached_bytes += rows.nbytes
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes


def _group(path: Path | Url) -> zarr.Group:
    if not isinstance(path, Url):
        return zarr.open_group(path, mode="r", zarr_format=3)
    # A file that is gone is an error: else Zarr takes it for one of zeros.
    store = FsspecStore.from_url(str(path), read_only=True, allowed_exceptions=())
    return urls.asked(path, lambda: zarr.open_group(store, mode="r", zarr_format=3))


def _asked(path: Path | Url, ask: Callable[[], Any]) -> Any:
    return urls.asked(path, ask) if isinstance(path, Url) else ask()


def require_finite(array: np.ndarray, path: Path | Url) -> None:
    """Raises InputError, naming `path`, where an array that was stored holds NaN or an infinity."""
    if array.dtype == np.float16:  # isfinite takes twenty times as long on these
        finite = not ((array.view(np.uint16) & EXPONENT) == EXPONENT).any()
    else:
        finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
    if not finite:
        raise InputError(f"{path}: expected finite numbers, got NaN or an infinity")
