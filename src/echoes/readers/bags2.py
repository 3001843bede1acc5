"""A ROS 2 bag, opened: its topics, and their messages by the time of receipt.

    <folder>/metadata.yaml   tells the files of a bag, in the order in which they were recorded
    *.db3                    SQLite: topics, messages, and since Iron the definitions of these
    *.mcap                   see mcap.py

A file without a metadata.yaml beside it is a bag of its own. Own code for SQLite, because the library reads a whole
message where a query for its time is enough, and takes some characters of a path for a query of its own.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote

from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat

from echoes import params
from echoes.errors import InputError
from echoes.readers import bounded, visible
from echoes.readers.mcap import DEFINITIONS, Mcap

METADATA = "metadata.yaml"
SUFFIXES = (".db3", ".mcap")
LEAST_LIMIT = 1 << 16  # bytes: SQLite needs some even for a small file
INFORMATION = "rosbag2_bagfile_information"


class Storage(Protocol):
    """A file of a bag: the connections of its topics, and their messages in the order of the file."""

    connections: list[Connection]

    def messages(
        self, topics: Collection[str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]: ...


class Bag:
    """One file, or all that a metadata.yaml names; path: that of the one or of the other."""

    def __init__(self, path: Path) -> None:
        self._compressed, self._counts = False, None
        paths = [path]
        if path.name == METADATA:
            paths, self._compressed, self._counts = _metadata(path)
        self._files: list[Storage] = [Mcap(each) if each.suffix == ".mcap" else Db3(each) for each in paths]
        self.connections = [connection for file in self._files for connection in file.connections]

    def messages(
        self, connections: Collection[Connection], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        """Connection, time of receipt [ns] and bytes of each message of the topics of some connections."""
        topics, found = {connection.topic for connection in connections}, Counter[str]()
        for file in self._files:
            for connection, time, raw in file.messages(topics, start, stop):
                found[connection.topic] += 1
                yield connection, time, bounded.whole(raw) if self._compressed else raw
        if start is None and stop is None and self._counts is not None:
            for topic in topics:
                if found[topic] != (told := self._counts.get(topic, 0)):
                    raise ValueError(f"it tells {told} messages on {topic}, its files hold {found[topic]}")


class Db3:
    """A file of SQLite."""

    def __init__(self, path: Path) -> None:
        journal = path.with_name(f"{path.name}-wal")
        if journal.is_file() and journal.stat().st_size:
            told = f"sqlite3 {path.name} 'PRAGMA wal_checkpoint' puts it in"
            raise InputError(f"{journal}: expected all of {path.name} in that file, got a journal; {told}")
        if path.stat().st_size == 0:
            raise ValueError("it is empty")
        self._database = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True)
        self._database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(path.stat().st_size, LEAST_LIMIT))
        self._database.execute("PRAGMA trusted_schema = OFF")
        tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"topics", "messages"} <= tables:
            raise ValueError(f"it has the tables {', '.join(sorted(tables)) or 'none'}, not topics and messages")
        definitions = self._definitions() if "message_definitions" in tables else {}
        nothing = MessageDefinition(MessageDefinitionFormat.NONE, "")
        self._numbers = {
            number: Connection(
                number, topic, kind, definitions.get(kind, nothing), "", 0, ConnectionExtRosbag2(form, []), None
            )
            for number, topic, kind, form in self._rows("SELECT id, name, type, serialization_format FROM topics")
        }
        self.connections = list(self._numbers.values())
        if any(type(value) is not str for each in self.connections for value in (each.topic, each.msgtype)):
            raise ValueError("it has topics whose name or type is no text")

    def messages(
        self, topics: Collection[str], start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[Connection, int, bytes]]:
        wanted = [number for number, connection in self._numbers.items() if connection.topic in topics]
        where, values = f"topic_id IN ({', '.join('?' * len(wanted))})", list[Any](wanted)
        if start is not None and stop is not None:
            where, values = f"timestamp >= ? AND timestamp < ? AND {where}", [start, stop, *wanted]
        query = f"SELECT topic_id, timestamp, data FROM messages WHERE {where}"
        for number, time, raw in self._rows(query, values):
            if type(time) is not int or type(raw) is not bytes:
                raise ValueError(f"it has a message at {time!r} that is {type(raw).__name__}")
            yield self._numbers[number], time, raw

    def _definitions(self) -> dict[str, MessageDefinition]:
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
        return {
            kind: MessageDefinition(DEFINITIONS.get(form, MessageDefinitionFormat.NONE), str(text))
            for kind, form, text in self._rows(query)
        }

    def _rows(self, query: str, values: list[Any] | tuple[()] = ()) -> Iterator[Any]:
        with closing(self._database.execute(query, values)) as cursor:
            yield from cursor


def found(root: Path) -> list[Path]:
    """The bags at or below a folder: the metadata.yaml of each that has one, and the files that none names."""
    described = [path for path in visible.below(root, root.rglob(METADATA)) if INFORMATION in _document(path)]
    listed = (path for suffix in SUFFIXES for path in root.rglob(f"*{suffix}"))
    files = [path for path in visible.below(root, listed) if path.is_file()]
    named = {path: set(_listed(path)) for path in described}
    for path, names in named.items():
        others = sorted(file.name for file in files if file.parent == path.parent and file not in names)
        if others:
            told = f"it does not name {', '.join(others)}; `ros2 bag reindex` writes it anew"
            raise InputError(f"{path}: expected it to name all bags beside it, got one where {told}")
    return sorted([*described, *(set(files) - set().union(*named.values()))])


def _document(path: Path) -> Mapping[str, Any]:
    held = params.document(path)
    return held if isinstance(held, Mapping) else {}


def _information(path: Path) -> Mapping[str, Any]:
    held = _document(path).get(INFORMATION)
    if not isinstance(held, Mapping):
        raise InputError(f"{path}: expected {INFORMATION} in it, as `ros2 bag record` writes it, got none")
    return held


def _listed(path: Path) -> list[Path]:
    """The files of a bag, which lie beside its metadata.yaml."""
    names = _information(path).get("relative_file_paths")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{path}: expected relative_file_paths as a list of names, got {str(names)[:80]}")
    return [path.parent / PurePosixPath(name).name for name in names]


def _metadata(path: Path) -> tuple[list[Path], bool, dict[str, int]]:
    """The files of a bag, whether each message is compressed, and how many there are of each topic."""
    told, files = _information(path), _listed(path)
    mode, form = (str(told.get(f"compression_{key}") or "").lower() for key in ("mode", "format"))
    if mode not in ("", "none", "message") or (mode == "message" and form != "zstd"):
        got = f"got {form} of each {mode}; `zstd -d` and `ros2 bag reindex` unpack it"
        raise InputError(f"{path}: expected no compression, or zstd of each message, {got}")
    for file in files:
        if file.suffix not in SUFFIXES or not file.is_file():
            raise InputError(f"{path}: expected {file.name}, which it names, beside it as .db3 or .mcap, got none")
    counts = Counter[str]()
    listed = told.get("topics_with_message_count")
    for each in listed if isinstance(listed, list) else [listed]:
        match each:
            case {"topic_metadata": {"name": str(name)}, "message_count": int(count)}:
                counts[name] += count
            case _:
                raise InputError(f"{path}: expected the name and the message_count of each topic, got {str(each)[:80]}")
    return files, mode == "message", dict(counts)
