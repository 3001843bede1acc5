"""Both formats give the same rows, and a damaged store is refused before a row is read."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from echoes import files, latentstore, provenance, seeds
from echoes.errors import InputError
from echoes.provenance import Header

FORMS = ("safetensors", "zarr")
FRAMES = 23


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    """Shards of a few frames, so that a batch crosses them."""
    monkeypatch.setattr(latentstore, "SHARD_BYTES", 300)


def rows(name):
    return seeds.rng(0, "test", name).standard_normal((FRAMES, 2, 3, 4)).astype(np.float32)


def batches(size=4):
    for start in range(0, FRAMES, size):
        yield {name: rows(name)[start : start + size] for name in ("mean", "std")}


def write(path, form, size=4):
    header = Header("latents", {}, {"vae": "v"}, {"latent_shape": [2, 3, 4]})
    latentstore.write(path, form, batches(size), lambda: header)
    return path


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latentstore, "SHARD_BYTES", 300)
        folder = tmp_path_factory.mktemp("latents")
        return {form: latentstore.read(write(folder / form, form)) for form in FORMS}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=9))
def test_both_formats_give_the_rows_asked_for_in_their_order(stores, chosen):
    indices = np.array(chosen)
    for name in ("mean", "std"):
        expected = rows(name)[indices].astype(np.float16).astype(np.float32)
        for form in FORMS:
            found = stores[form].rows(name, indices)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, expected)


def test_rows_belong_to_the_caller_and_may_be_changed(stores):
    for store in stores.values():
        first = store.rows("mean", np.array([0, 1]))
        kept = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(store.rows("mean", np.array([0, 1])), kept)


@pytest.mark.parametrize("form", FORMS)
def test_writing_twice_gives_the_same_bytes_and_the_header_back(tmp_path, form):
    one, other = write(tmp_path / "a", form), write(tmp_path / "b", form)
    assert files.digest(one) == files.digest(other)
    header = latentstore.read(one).header
    assert (header.kind, header.parents, header.content) == ("latents", {"vae": "v"}, {"latent_shape": [2, 3, 4]})
    assert header.identity == latentstore.read(other).header.identity != ""


@pytest.mark.parametrize("form", FORMS)
def test_the_header_is_asked_for_when_all_batches_are_out(tmp_path, form):
    out = []

    def watched():
        for batch in batches():
            yield batch
            out.append(len(batch["mean"]))

    def header():
        assert sum(out) == FRAMES
        return Header("latents", {}, {})

    latentstore.write(tmp_path / "a", form, watched(), header)


@pytest.mark.parametrize("form", FORMS)
def test_a_writer_that_fails_leaves_the_store_of_the_run_before(tmp_path, form):
    def broken():
        yield next(batches())
        raise InputError("a frame is broken")

    path = write(tmp_path / "latents", form)
    digest = files.digest(path)
    with pytest.raises(InputError, match="a frame is broken"):
        latentstore.write(path, form, broken(), lambda: Header("latents", {}, {}))
    assert files.digest(path) == digest
    assert [p.name for p in tmp_path.iterdir()] == ["latents"]


def test_another_format_replaces_the_store_whole(tmp_path):
    for form in (*FORMS, *FORMS):
        store = latentstore.read(write(tmp_path / "latents", form))
        assert isinstance(store, latentstore.Shards if form == "safetensors" else latentstore.ZarrLatents)


def shard(path):
    found = sorted(path.glob("shard-*"))
    assert len(found) > 2
    return found[1]


def refused(path):
    with pytest.raises(InputError) as raised:
        latentstore.read(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_truncated_a_foreign_and_a_missing_shard_are_refused_by_name(tmp_path):
    path = write(tmp_path / "a", "safetensors")
    damaged = shard(path)
    whole = damaged.read_bytes()
    for content in (whole[:-1], whole[:20], b"", b"no weights at all"):
        damaged.write_bytes(content)
        assert damaged.name in refused(path)
    damaged.unlink()
    assert damaged.name in refused(path)


def edit(path, change):
    """Rewrite the JSON header of a safetensors file."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8 : 8 + length])
    change(table)
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + raw[8 + length :])


def reseal(path):
    """Write an index that fits the shards, as somebody would who means harm."""
    sealed = Header("latents", {}, {}, {"latent_shape": [2, 3, 4]}).sealed(provenance.parts(path, latentstore.INDEX))
    (path / latentstore.INDEX).write_text(sealed.text())


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["mean"].update(shape=[1 << 40, 2, 3, 4]),
        lambda table: table["mean"].update(shape=[1 << 32, 1 << 32, 0]),
        lambda table: table["mean"].update(shape=[1 << 32, 1 << 32], data_offsets=[0, 0]),
        lambda table: table["mean"].update(data_offsets=[0, 1 << 50]),
        lambda table: table["mean"].update(data_offsets=[-64, table["mean"]["data_offsets"][1] - 64]),
        lambda table: table["mean"].update(shape=[-1, -2, 3, 4]),
        lambda table: table["mean"].update(shape=["2", 1 << 60]),
        lambda table: table["mean"].update(shape=[]),
        lambda table: table["mean"].update(dtype="BF16"),
        lambda table: table.update(mean=[1, 2, 3]),
        lambda table: table["mean"].pop("shape"),
        lambda table: table.pop("mean"),
        lambda table: table.clear(),
    ],
)
def test_a_shard_that_claims_what_its_file_does_not_hold_is_refused(tmp_path, change):
    path = write(tmp_path / "a", "safetensors")
    edit(shard(path), change)
    reseal(path)
    assert shard(path).name in refused(path)


def test_a_header_longer_than_its_file_is_refused(tmp_path):
    path = write(tmp_path / "a", "safetensors")
    raw = shard(path).read_bytes()
    shard(path).write_bytes((1 << 60).to_bytes(8, "little") + raw[8:])
    reseal(path)
    assert f"expected a header of at most {len(raw) - 8} bytes, got {1 << 60}" in refused(path)


def test_a_shard_of_another_size_is_refused_before_a_row_is_read(tmp_path):
    path = write(tmp_path / "a", "safetensors")
    first, *_, last = sorted(path.glob("shard-*"))
    first.write_bytes(last.read_bytes())
    assert f"{first}: expected the " in refused(path)


def test_arrays_of_different_lengths_in_a_shard_are_refused(tmp_path):
    path = write(tmp_path / "a", "safetensors")
    arrays = {"mean": np.zeros((4, 2, 3, 4), np.float16), "std": np.zeros((3, 2, 3, 4), np.float16)}
    save_file(arrays, shard(path))
    reseal(path)
    assert f"{shard(path).name}: expected as many rows of each array, got " in refused(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_byte_that_flips_in_a_shard_is_noticed_when_its_rows_are_read_and_not_before(tmp_path, form):
    path = write(tmp_path / "a", form)
    damaged = shard(path) if form == "safetensors" else next(p for p in (path / "mean" / "c").rglob("*") if p.is_file())
    raw = bytearray(damaged.read_bytes())
    raw[-3] ^= 1
    damaged.write_bytes(raw)
    store = latentstore.read(path)
    with pytest.raises(InputError, match=re.escape(str(damaged if form == "safetensors" else path / "mean"))):
        store.rows("mean", np.arange(FRAMES))
    if form == "safetensors":
        np.testing.assert_array_equal(store.rows("mean", np.array([0])).shape, (1, 2, 3, 4))  # of a whole shard


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"header": "{}"}', '{"header": 3, "shards": [1]}'])
def test_a_damaged_index_is_refused(tmp_path, text):
    path = write(tmp_path / "a", "safetensors")
    (path / latentstore.INDEX).write_text(text)
    assert "index.json: expected the header of an echoes artifact" in refused(path)


def test_an_index_without_shards_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    reseal(tmp_path / "a")
    assert "index.json: expected latents, got an index without shards" in refused(tmp_path / "a")


def test_no_store_at_all_is_refused(tmp_path):
    assert "latents: expected a Zarr group of kind latents" in refused(tmp_path / "latents")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 7e4])
def test_latents_that_are_not_finite_are_refused(tmp_path, form, value):
    """7e4 is none as float16, the width they are stored in."""
    with np.errstate(over="ignore"):
        write_rows(tmp_path / "a", form, {"mean": np.full((3, 2, 3, 4), value, np.float32)}, [2, 3, 4])
    with pytest.raises(InputError, match=r"a.*: expected finite numbers"):
        latentstore.read(tmp_path / "a").rows("mean", np.array([0]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("told", [[2, 3, 5], [2, 3], [24], [1 << 40, 3, 4], [2, 0, 4], [2.0, 3, 4], "234", None])
def test_latents_of_another_shape_than_their_header_tells_are_refused(tmp_path, form, told):
    write_rows(tmp_path / "a", form, {"mean": np.ones((3, 2, 3, 4), np.float32)}, told)
    assert "a" in refused(tmp_path / "a")


def write_rows(path, form, rows, told):
    latentstore.write(path, form, iter([rows]), lambda: Header("latents", {}, {}, {"latent_shape": told}))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", [FRAMES, -1])
def test_a_row_beyond_the_last_is_refused(stores, form, row):
    with pytest.raises(InputError, match=f"expected rows up to {FRAMES}"):
        stores[form].rows("mean", np.array([0, row]))
