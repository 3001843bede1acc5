"""Grids that a stranger filled and sealed: numbers that fit no grid are refused, naming their array."""

import json

import numpy as np
import pytest

import artifacts
from echoes import arrays
from echoes.arrays import Reader
from echoes.dataset import catalog
from echoes.errors import InputError
from echoes.provenance import Header


def rewritten(source, path, content=None, **changes):
    """A copy of grids with other arrays or another content of their header, whole and sealed."""
    reader = Reader(source, "grids")
    header = reader.header
    with arrays.writing(path) as writer:
        for name in reader.rows_of():
            writer.append(name, changes[name](reader.all(name)) if name in changes else reader.all(name))
        told = json.loads(json.dumps(header.content))
        if content:
            content(told)
        writer.seal(Header("grids", header.params, header.parents, told))
    return path


def read(path):
    """All that a stage reads."""
    data = catalog.read(path)
    frames = np.arange(len(data))
    data.stamps()
    data.target_batch(frames)
    if data.rank == 3:
        data.input_batch(frames)
        data.observed_batch(frames)
        data.offsets_batch(frames)
        data.stretches()
        for frame in np.concatenate([data.frames("val"), data.frames("test")]):
            data.points("input", frame)
            data.points("target", frame)
            data.ground(frame)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    artifacts.write_grids(folder / "radar.zarr")
    artifacts.write_spectrograms(folder / "people.zarr")
    return folder


def set_first(value):
    def change(array):
        array = array.copy()
        array.reshape(-1)[0] = value
        return array

    return change


RADAR = {
    "split": [set_first(4), lambda a: np.zeros_like(a), lambda a: a.astype(np.float32)],
    "stamp": [set_first(np.nan), set_first(-np.inf), lambda a: a[:-1], lambda a: a.astype(np.int64)],
    "observed": [lambda a: a[:, 1:], lambda a: a[1:]],
    "radar_indices": [set_first(8), lambda a: a.astype(np.int16), lambda a: a[:, :2], lambda a: a[1:]],
    "target_indices": [set_first(255)],
    "radar_features": [set_first(np.nan), lambda a: a[:, 1:], lambda a: np.full_like(a, -1.0)],
    "target_features": [lambda a: np.full_like(a, np.inf), lambda a: a[1:]],
    "radar_indices_end": [set_first(1), set_first(-1), lambda a: a[::-1].copy(), lambda a: a[1:]],
    "target_features_end": [set_first(1 << 62)],
    "target_offsets": [set_first(np.nan), set_first(0.6), set_first(-1.0), lambda a: a[1:], lambda a: a[:, :2]],
    "target_offsets_end": [set_first(1), lambda a: a[1:]],
    "radar_points": [set_first(np.nan), lambda a: a[:, :3], lambda a: a[1:], lambda a: a.astype(np.int32)],
    "radar_points_end": [lambda a: a[::-1].copy(), lambda a: a[1:]],
    "target_points": [set_first(np.inf), lambda a: a[:, :2]],
    "ground": [set_first(np.nan), lambda a: a[:, :2], lambda a: a[1:]],
    "stretch": [lambda a: a[1:], lambda a: a.astype(np.float32)],
}
PEOPLE = {
    "split": [set_first(9)],
    "stamp": [set_first(np.inf)],
    "spectrogram": [set_first(np.nan), lambda a: a[..., 1:], lambda a: a[1:], lambda a: a.astype(np.int32)],
    "label_user": [set_first(3), set_first(-1), lambda a: a[1:], lambda a: a.astype(np.float32)],
    "recording": [set_first(1 << 20)],
}
CASES = [
    (family, name, change)
    for family, arrays_ in (("radar", RADAR), ("people", PEOPLE))
    for name, changes in arrays_.items()
    for change in changes
]


def test_grids_that_are_only_written_again_are_read(whole, tmp_path):
    for family in ("radar", "people"):
        read(rewritten(whole / f"{family}.zarr", tmp_path / f"{family}.zarr"))


@pytest.mark.parametrize(("family", "name", "change"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_an_array_that_fits_no_grid_is_refused_by_name(whole, tmp_path, family, name, change):
    path = rewritten(whole / f"{family}.zarr", tmp_path / "grids.zarr", **{name: change})
    with pytest.raises(InputError, match=rf"grids\.zarr/{name.removesuffix('_end').rpartition('_')[0] or name}"):
        read(path)


@pytest.mark.parametrize(
    ("family", "key", "change"),
    [
        ("radar", "axes", lambda c: c["axes"][0].update(size=1 << 40)),
        ("radar", "axes", lambda c: c["axes"][0].update(size=0)),
        ("radar", "axes", lambda c: c["axes"][0].update(stop=-1e9)),
        ("radar", "axes", lambda c: c["axes"].pop()),
        ("radar", "observed", lambda c: c["axes"][0].update(size=16)),
        ("radar", "target_features", lambda c: c["task"]["target"].pop()),
        ("radar", "task.target", lambda c: c["task"]["target"].append("colour")),
        ("radar", "task.input", lambda c: c["task"]["input"].reverse()),
        ("radar", "task.given", lambda c: c["task"].update(given="sonar")),
        ("radar", "scaling", lambda c: c["scaling"].update(doppler_mps=0)),
        ("radar", "scaling", lambda c: c.update(scaling=[1])),
        ("radar", "target_features", lambda c: c["scaling"].update(power_db=[0, 1e-44])),
        ("radar", "occupied_share", lambda c: c.update(occupied_share=0)),
        ("radar", "ground_m", lambda c: c.update(ground_m=-0.1)),
        ("radar", "ground_m", lambda c: c.pop("ground_m")),
        ("radar", "the family", lambda c: c.update(family=["radar"])),
        ("people", "labels", lambda c: c["labels"].pop("user")),
        ("people", "labels", lambda c: c["labels"].update(user=[])),
        ("people", "label_user", lambda c: c.update(labels={"user": ["1"], "activity": ["fall"]}, combinations=[])),
        ("people", "kinds", lambda c: c.update(kinds="user")),
        ("people", "combinations", lambda c: c["combinations"].append(["nobody", "walk"])),
        ("people", "combinations", lambda c: c["combinations"].append(["1"])),
        ("people", "spectrogram", lambda c: c["axes"][0].update(size=1 << 20)),
        ("people", "ceiling_db", lambda c: c["scaling"].update(ceiling_db=-1e3)),
        ("people", "recording", lambda c: c["recordings"].pop()),
        ("people", "spectrogram", lambda c: c.update(channels=["r", "g", "b"])),
    ],
)
def test_a_header_that_fits_no_grid_is_refused_by_its_key(whole, tmp_path, family, key, change):
    path = rewritten(whole / f"{family}.zarr", tmp_path / "grids.zarr", change)
    with pytest.raises(InputError, match=rf"grids\.zarr.*{key}"):
        read(path)
