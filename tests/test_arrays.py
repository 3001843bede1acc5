"""Rows survive the disk across chunks and shards, in the same bytes each time, or are refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import arrays, files, seeds
from echoes.errors import InputError
from echoes.provenance import Header

HEADER = Header("grids", {"seed": 1}, {"raw": "r"}, {"axes": []})
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from echoes import arrays
with arrays.writing(Path(sys.argv[1])) as writer:
    writer.append("a", np.zeros((9, 3)))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    """Chunks of 4 rows of 3 bytes and shards of 2 chunks, so that few rows cross many borders."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 12)
    monkeypatch.setattr(arrays, "SHARD_CHUNKS", 2)


def table(count):
    return seeds.rng(0, "test", count).integers(0, 255, (count, 3), dtype=np.uint8)


def write(path, rows, pieces, ragged=()):
    with arrays.writing(path) as writer:
        for piece in np.split(rows, pieces):
            writer.append("a", piece)
        for item in ragged:
            writer.append_ragged("r", item)
        writer.seal(HEADER)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 41), max_size=6).map(sorted), st.integers(0, 41), st.integers(0, 41))
def test_rows_come_back_whatever_pieces_they_were_written_in(tmp_path_factory, pieces, one, other):
    path, rows = tmp_path_factory.mktemp("arrays") / "a.zarr", table(41)
    write(path, rows, pieces)
    reader = arrays.Reader(path, "grids")
    start, stop = sorted((one, other))
    np.testing.assert_array_equal(reader.rows("a", start, stop), rows[start:stop])
    np.testing.assert_array_equal(reader.all("a"), rows)
    assert reader.all("a").dtype == rows.dtype


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_items_of_any_length_come_back_empty_ones_too(tmp_path_factory, lengths):
    path = tmp_path_factory.mktemp("arrays") / "a.zarr"
    items = [table(length) for length in lengths]
    write(path, table(1), [], items)
    reader = arrays.Reader(path, "grids")
    for i, item in reversed(list(enumerate(items))):
        np.testing.assert_array_equal(reader.ragged("r", i), item)


def test_a_cache_that_holds_one_chunk_gives_the_same_rows(tmp_path, monkeypatch):
    rows = table(41)
    write(tmp_path / "a.zarr", rows, [7])
    monkeypatch.setattr(arrays, "CACHE_BYTES", 1)
    reader = arrays.Reader(tmp_path / "a.zarr", "grids")
    for i in [40, 0, 3, 4, 39, 0]:
        np.testing.assert_array_equal(reader.rows("a", i, i + 1), rows[i : i + 1])
    assert len(reader._cache) == 1


def test_writing_twice_gives_the_same_bytes(tmp_path):
    items = [table(n) for n in (3, 0, 17)]
    for name in ("a", "b"):
        write(tmp_path / name, table(41), [5, 30], items)
    assert files.digest(tmp_path / "a") == files.digest(tmp_path / "b")
    identities = {arrays.Reader(tmp_path / name, "grids").header.identity for name in ("a", "b")}
    assert len(identities) == 1


def test_the_header_comes_back_and_its_identity_tells_the_rows_apart(tmp_path):
    write(tmp_path / "a", table(41), [])
    write(tmp_path / "b", table(40), [])
    one, other = (arrays.Reader(tmp_path / name, "grids").header for name in ("a", "b"))
    assert one.content == HEADER.content
    assert one.identity != other.identity


def test_few_files_hold_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1 << 18)
    monkeypatch.setattr(arrays, "SHARD_CHUNKS", 256)
    write(tmp_path / "a", table(5000), range(1, 5000))
    assert sum(p.is_file() for p in (tmp_path / "a").rglob("*")) == 3  # group, array, one shard


def test_a_writer_that_fails_or_is_killed_leaves_nothing(tmp_path):
    def fail():
        with arrays.writing(tmp_path / "a.zarr") as writer:
            writer.append("a", table(9))
            raise InputError("a frame is broken")

    with pytest.raises(InputError):
        fail()
    assert list(tmp_path.iterdir()) == []
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.zarr")], check=False)
    assert not (tmp_path / "a.zarr").exists()
    write(tmp_path / "a.zarr", table(9), [])
    assert [p.name for p in tmp_path.iterdir()] == ["a.zarr"]


def test_a_missing_folder_a_foreign_file_and_another_kind_are_refused(tmp_path):
    (tmp_path / "text").write_text("no group")
    (tmp_path / "empty").mkdir()
    for name in ("missing", "text", "empty"):
        with pytest.raises(InputError, match=rf"{name}: expected a Zarr group of kind grids"):
            arrays.Reader(tmp_path / name, "grids")
    write(tmp_path / "a", table(3), [])
    with pytest.raises(InputError, match=r"a: expected an artifact of kind samples, got grids"):
        arrays.Reader(tmp_path / "a", "samples")


def test_a_group_without_header_is_refused(tmp_path):
    write(tmp_path / "a", table(3), [])
    meta = tmp_path / "a" / "zarr.json"
    content = json.loads(meta.read_text())
    content["attributes"] = {}
    meta.write_text(json.dumps(content))
    with pytest.raises(InputError, match="none that is whole"):
        arrays.Reader(tmp_path / "a", "grids")


@pytest.mark.parametrize("name", ["zarr.json", "a/zarr.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_damaged_metadata_is_refused(tmp_path, name, content):
    write(tmp_path / "a", table(3), [])
    (tmp_path / "a" / name).write_text(content)
    with pytest.raises(InputError, match="a: expected a Zarr group of kind grids, got none that is whole"):
        arrays.Reader(tmp_path / "a", "grids")


def test_a_truncated_shard_is_refused_by_name(tmp_path):
    write(tmp_path / "a", table(41), [])
    shard = max(p for p in (tmp_path / "a" / "a" / "c").rglob("*") if p.is_file())
    shard.write_bytes(shard.read_bytes()[:-5])
    reader = arrays.Reader(tmp_path / "a", "grids")
    with pytest.raises(InputError, match=r"a/a: expected whole chunks") as raised:
        [reader.rows("a", i, i + 1) for i in range(41)]
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match=r"a/a: expected whole chunks"):
        reader.all("a")


def test_an_array_that_is_not_there_is_named(tmp_path):
    write(tmp_path / "a", table(3), [])
    reader = arrays.Reader(tmp_path / "a", "grids")
    assert "a" in reader
    assert "b" not in reader
    with pytest.raises(InputError, match=r"expected an array named b, got a$"):
        reader.rows("b", 0, 1)
