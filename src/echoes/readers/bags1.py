"""A ROS 1 bag, opened: its connections, and their messages by the time of receipt."""

from functools import partial
from pathlib import Path

from rosbags.rosbag1 import Reader, ReaderError
from rosbags.rosbag1.reader import Chunk, ChunkInfo, Header, IndexData

from echoes.readers import bounded


def opened(path: Path) -> Reader:
    """Reads the whole index, which takes seconds for a long bag."""
    reader = _Reader(_Path(path))
    reader.open()
    return reader


class _Path(type(Path())):  # type: ignore[misc]
    """A path whose file makes no room for more than it holds; the library takes any path."""

    def open(self, *_: object, **__: object) -> bounded.File:
        return bounded.File(Path(self))


class _Reader(Reader):
    """The library's reader for bags of strangers: the file is asked before a size is believed, and no message hides."""

    bio: bounded.File
    ends = 0  # where the last record of the bag ends
    index_bytes = 0

    def open(self) -> None:
        super().open()
        listed = [info.connection_counts for info in self.chunk_infos]
        known = {connection.id for connection in self.connections}
        if len(known) < len(self.connections) or any(set(counts) - known for counts in listed):
            raise ReaderError("Connections of the index and of its chunks differ.")
        for number, found in self.indexes.items():
            if len(found) != (told := sum(counts.get(number, 0) for counts in listed)):
                raise ReaderError(f"Connection {number} has {told} messages in its chunks, {len(found)} in the index.")
        if listed and self.ends != self.bio.size:
            raise ReaderError("There is more behind the index.")

    def read_chunk_info(self) -> ChunkInfo:
        info = super().read_chunk_info()
        self.ends = self.bio.tell()
        return info

    def read_chunk(self) -> Chunk:
        start = self.bio.tell()
        chunk = super().read_chunk()
        behind = self.bio.tell()
        self.bio.seek(start)
        header = Header.read(self.bio)
        self.bio.seek(behind)
        size, compression = header.get_uint32("size"), header.get_string("compression")
        most = chunk.datasize * (1 if compression == "none" else bounded.PACKED)
        if behind > self.bio.size or size > most:
            raise ReaderError(f"A chunk says it holds {size} bytes in {chunk.datasize}.")
        if compression == "none":
            return chunk
        return chunk._replace(decompressor=partial(bounded.unpacked, compression, size))

    def read_index_data(self, pos: int, indexes: dict[int, list[IndexData]]) -> None:
        before = self.bio.tell()
        super().read_index_data(pos, indexes)
        self.index_bytes += self.bio.tell() - before
        if self.index_bytes > self.bio.size:  # chunks that share an index
            raise ReaderError("The index is longer than the file.")
