"""Rows survive the disk across chunks and shards, in the same bytes each time, or are refused."""

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoes import arrays, files, provenance, seeds
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


@pytest.mark.parametrize("content", ["", "{", "[]", "3"])
def test_damaged_metadata_is_refused(tmp_path, content):
    write(tmp_path / "a", table(3), [])
    (tmp_path / "a" / "zarr.json").write_text(content)
    with pytest.raises(InputError, match="a: expected a Zarr group of kind grids, got none that is whole"):
        arrays.Reader(tmp_path / "a", "grids")


def test_an_array_that_claims_other_rows_in_as_many_bytes_is_refused(tmp_path):
    write(tmp_path / "a", table(41), [])
    meta = tmp_path / "a" / "a" / "zarr.json"
    changed = meta.read_text().replace("41", "91", 1)
    assert changed != meta.read_text()
    meta.write_text(changed)
    with pytest.raises(InputError, match=r"a/a/zarr\.json: expected the content \w{12} as written, got \w{12}"):
        arrays.Reader(tmp_path / "a", "grids")


def shards(path):
    return sorted(p for p in (path / "a" / "c").rglob("*") if p.is_file())


def test_a_missing_and_a_truncated_shard_are_refused_by_name_before_a_row_is_read(tmp_path):
    write(tmp_path / "a", table(41), [])
    shard = shards(tmp_path / "a")[1]
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(InputError, match=rf"{shard}: expected the \d+ bytes that were written, got \d+$"):
        arrays.Reader(tmp_path / "a", "grids")
    shard.unlink()
    with pytest.raises(InputError, match=rf"{shard}: no such file; expected the \d+ bytes that were written"):
        arrays.Reader(tmp_path / "a", "grids")


@pytest.mark.parametrize("value", [0, 7])
def test_every_byte_that_flips_in_a_shard_is_noticed_when_its_rows_are_read(tmp_path, value):
    rows = np.full((8, 3), value, np.uint8)
    write(tmp_path / "a", rows, [])
    (shard,) = shards(tmp_path / "a")
    whole = shard.read_bytes()
    for place in range(len(whole)):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 64]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"a/a: expected whole chunks, got a damaged one") as raised:
            arrays.Reader(tmp_path / "a", "grids").all("a")
        assert "\n" not in str(raised.value)


def test_rows_of_zeros_are_stored_because_what_is_not_there_would_read_as_zeros(tmp_path):
    write(tmp_path / "a", np.zeros((41, 3), np.uint8), [])
    assert len(shards(tmp_path / "a")) == 6
    np.testing.assert_array_equal(arrays.Reader(tmp_path / "a", "grids").all("a"), 0)


SHARD, CHUNK = "chunk_grid__configuration__chunk_shape", "codecs__0__configuration__chunk_shape"


def resealed(path, **changes):
    """Change what an array says of itself, as somebody would who also writes a header that fits."""
    meta = path / "a" / "zarr.json"
    described = json.loads(meta.read_text())
    for key, value in changes.items():
        place = described
        *above, last = key.split("__")
        for part in above:
            place = place[int(part) if part.isdigit() else part]
        place[last] = value
    meta.write_text(json.dumps(described))
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["echoes"] = HEADER.sealed(provenance.parts(path, "zarr.json")).text()
    (path / "zarr.json").write_text(json.dumps(root))


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [10**13, 3]},
        {"shape": [4, 10**12], SHARD: [8, 10**12]},
        {"shape": [4, 3], SHARD: [1 << 40, 3]},
        {"shape": [41, 3], CHUNK: [8, 1]},
        {"shape": [2, 10**12], SHARD: [2, 10**12], CHUNK: [1, 10**12]},
        {SHARD: [1 << 40, 3], CHUNK: [1 << 40, 3]},
        {"shape": [41, 3]},
        {"data_type": "float64", "shape": [10**12, 3]},
        {"data_type": "string", "fill_value": ""},
        {"shape": [-1, 3]},
        {"shape": "many"},
        {"codecs": []},
        {"codecs__0__configuration__codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]},
        {"chunk_grid__name": "rectilinear"},
        {SHARD: [0, 3]},
        {"fill_value": 10**30},
        {"node_type": "group"},
    ],
)
def test_an_array_that_claims_more_than_its_files_can_hold_is_refused_before_anything_is_allocated(tmp_path, changes):
    write(tmp_path / "a", table(4), [])
    resealed(tmp_path / "a", shape=[4, 3])
    assert len(arrays.Reader(tmp_path / "a", "grids").all("a")) == 4
    resealed(tmp_path / "a", **changes)
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a/a: expected ") as raised:
        arrays.Reader(tmp_path / "a", "grids")
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert "\n" not in str(raised.value)


def test_an_array_that_is_not_there_is_named(tmp_path):
    write(tmp_path / "a", table(3), [])
    reader = arrays.Reader(tmp_path / "a", "grids")
    assert "a" in reader
    assert "b" not in reader
    with pytest.raises(InputError, match=r"expected an array named b, got a$"):
        reader.rows("b", 0, 1)


@pytest.mark.parametrize("ends", [[3, 2, 4], [0, 1, 2], [1, 2, 9], [-1, 2, 4]])
def test_items_whose_ends_do_not_rise_to_the_last_row_are_refused(tmp_path, ends):
    with arrays.writing(tmp_path / "a") as writer:
        writer.append("r", table(4))
        writer.append("r_end", np.array(ends, np.int64))
        writer.seal(HEADER)
    with pytest.raises(InputError, match=r"a/r_end: expected rising ends up to the last row"):
        arrays.Reader(tmp_path / "a", "grids").ragged("r", 0)
