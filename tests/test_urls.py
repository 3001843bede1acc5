"""Latents at a URL are those of the folder, row by row and training by training; what is not whole is refused."""

from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

import trainings
from echoes import arrays, latentstore, urls
from echoes.errors import InputError
from echoes.provenance import Header
from echoes.urls import Url
from trainings import StoppedError, content, fit, runtime, schedule

ROOT = "memory://bucket"
MEMORY = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Several shards, and chunks of a few rows; a network that is not waited for."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1 << 6)
    monkeypatch.setattr(arrays, "SHARD_CHUNKS", 4)
    monkeypatch.setattr(urls, "PAUSE_S", 0.0)


def write(data: Path, form: latentstore.Format = "zarr", shift: float = 0.0) -> Path:
    """The data of the toy training as latents in the folder of a track."""
    header = Header("latents", {}, {"vae": "v"}, {"latent_shape": [3]})
    rows = {"latents": trainings.DATA.numpy() + np.float32(shift), "labels": np.arange(200)[:, None]}
    latentstore.write(data / "latents", form, iter([rows]), lambda: header)
    return data


def put(data: Path) -> str:
    """Copy the latents of a track to where there is no folder; gives the URL."""
    if MEMORY.exists("/bucket"):
        MEMORY.rm("/bucket", recursive=True)
    for path in (data / "latents").rglob("*"):
        if path.is_file():
            MEMORY.pipe_file(f"/bucket/{path.relative_to(data.parent)}", path.read_bytes())
    return f"{ROOT}/{{track}}/latents"


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "data" / "toys")


def shards():
    return sorted(name for name in MEMORY.find("/bucket") if "/latents/c/" in name)


def refused(data, url):
    with pytest.raises(InputError) as raised:
        latentstore.of_track(data, url)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_rows_at_a_url_are_those_of_the_folder_in_any_order(data, monkeypatch):
    here, there = latentstore.of_track(data, ""), latentstore.of_track(data, put(data))
    assert there.header.identity == here.header.identity
    assert len(shards()) > 3
    monkeypatch.setattr(arrays, "CACHE_BYTES", 200)  # three chunks
    for indices in ([199, 3, 3, 0, 57], list(range(200)), [7]):
        for name in ("latents", "labels"):
            found = there.rows(name, np.array(indices))
            np.testing.assert_array_equal(found, here.rows(name, np.array(indices)))
            assert found.dtype == here.rows(name, np.array([0])).dtype


def test_a_training_from_a_url_that_goes_on_in_an_epoch_ends_with_the_bytes_of_one_from_the_folder(data, monkeypatch):
    trainings.enter(data.parents[1], monkeypatch)
    made = {}
    for name, url, stops in (("folder", "", []), ("url", put(data), [4, 7])):
        store = latentstore.of_track(data, url)
        load = lambda part, store=store: torch.from_numpy(store.rows("latents", part.frames))
        for stop in stops:
            with pytest.raises(StoppedError):
                fit(schedule(), runtime(), stop=stop, load=load)
        found = fit(schedule(), runtime(), load=load)
        assert found.seen[0] == (stops[-1] if stops else 0)
        made[name] = content(found)
    assert made["folder"] == made["url"]


def test_latents_at_a_url_that_are_others_than_those_of_the_folder_are_refused(data, tmp_path):
    url = put(write(tmp_path / "elsewhere" / "toys", shift=1.0))
    assert f"memory://bucket/toys/latents: expected the latents {identity(data)[:12]} as in {data}" in refused(
        data, url
    )
    (data / "latents").rename(tmp_path / "gone")
    assert latentstore.of_track(data, url).header.identity == identity(tmp_path / "elsewhere" / "toys")


def identity(data):
    return latentstore.read(data / "latents").header.identity


def test_safetensors_and_nothing_at_all_are_refused_at_a_url(data, tmp_path):
    url = put(write(tmp_path / "elsewhere" / "toys", "safetensors"))
    assert "expected latents of the format zarr at a URL (latents.format), got safetensors" in refused(data, url)
    assert refused(data, f"{ROOT}/nowhere").startswith(f"{ROOT}/nowhere: expected a Zarr group of kind latents")
    assert refused(data, "nothing://bucket").startswith("nothing://bucket/index.json: expected a URL that can be read")


def test_a_shard_that_is_missing_or_of_another_size_is_refused_before_a_row_is_read(data):
    url = put(data)
    whole = MEMORY.cat_file(shards()[1])
    MEMORY.pipe_file(shards()[1], whole[:-1])
    assert f"expected the {len(whole)} bytes that were written, got {len(whole) - 1}" in refused(data, url)
    MEMORY.rm(shards()[1])
    assert "no such file; expected the" in refused(data, url)


def test_a_shard_that_is_damaged_or_goes_while_it_is_read_gives_no_rows(data):
    store = latentstore.of_track(data, put(data))
    raw = bytearray(MEMORY.cat_file(shards()[1]))
    raw[3] ^= 1
    MEMORY.pipe_file(shards()[1], bytes(raw))
    MEMORY.rm(shards()[2])
    for row in (40, 80):
        with pytest.raises(InputError, match=r"^memory://bucket/toys/latents/latents: expected whole chunks, got "):
            store.rows("latents", np.array([0, row]))


def test_a_network_that_falters_is_asked_again_and_one_that_does_not_answer_is_told():
    answers = iter([OSError("reset"), TimeoutError(), b"whole"])

    def ask():
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    assert urls.asked(Url(ROOT), ask) == b"whole"
    answers = iter([OSError("reset")] * urls.TRIES + [b"too late"])
    with pytest.raises(InputError, match=r"^memory://bucket: expected an answer, got reset$"):
        urls.asked(Url(ROOT), ask)
    answers = iter([PermissionError("no key"), b"too late"])
    with pytest.raises(InputError, match=r"^memory://bucket: expected an answer, got no key$"):
        urls.asked(Url(ROOT), ask)


def test_what_is_no_url_is_refused_by_its_key():
    with pytest.raises(
        InputError, match=r"^runtime\.latents: expected a URL such as s3://bucket/\{track\}/latents, got"
    ):
        runtime(latents="bucket/latents")
