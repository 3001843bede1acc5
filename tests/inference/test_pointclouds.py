"""Clouds survive every format, bit by bit."""

from pathlib import Path

import meshio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats, integers, sampled_from, tuples
from pypcd4 import PointCloud

from echoes.inference.columns import rows, structured
from echoes.inference.pointclouds import WRITERS
from echoes.models.radar.clouds import POINT_COLUMNS

SPREAD = (*POINT_COLUMNS, "spread")


def read(path: Path, columns: tuple[str, ...] = POINT_COLUMNS) -> np.ndarray:
    """(M, columns) of a file, by the libraries that users have."""
    match path.suffix:
        case ".ply":
            mesh = meshio.read(path)
            return np.column_stack([mesh.points, *(mesh.point_data[name] for name in columns[3:])])
        case ".pcd":
            cloud = PointCloud.from_path(path)
            return cloud.numpy(columns)
        case ".npy":
            return np.load(path)
        case ".bin":
            return np.fromfile(path, "<f4").reshape(-1, len(columns))
    header, *rows = path.read_text().splitlines()
    assert tuple(header.split(",")) == columns
    return np.array([row.split(",") for row in rows], dtype=np.float32).reshape(-1, len(columns))


shapes = tuples(integers(0, 20), sampled_from([len(POINT_COLUMNS), len(SPREAD)]))
clouds = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=floats(-1e6, 1e6, width=32)))


@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cloud=clouds)
def test_a_cloud_survives_the_disk_in_any_format_even_an_empty_one(
    form: str, tmp_path: Path, cloud: np.ndarray
) -> None:
    path, columns = tmp_path / f"cloud.{form}", SPREAD[: cloud.shape[1]]
    WRITERS[form](structured(cloud, columns), path)
    found = read(path, columns)
    assert found.shape == cloud.shape
    np.testing.assert_array_equal(found.astype(np.float32), cloud)


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_cloud_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    cloud = structured(np.arange(12).reshape(2, 6), POINT_COLUMNS)
    for name in "ab":
        WRITERS[form](cloud, tmp_path / f"{name}.{form}")
    first = (tmp_path / f"a.{form}").read_bytes()
    assert first == (tmp_path / f"b.{form}").read_bytes()
    assert b"20" not in first.split(b"end_header")[0] or form != "ply"  # no time of day


def test_csv_writes_the_fewest_digits() -> None:
    assert np.float32([0.1]).astype(str).tolist() == ["0.1"]


def test_rows_and_fields_are_the_same_numbers() -> None:
    rows_of = np.arange(12, dtype=np.float32).reshape(2, 6)
    cloud = structured(rows_of, POINT_COLUMNS)
    assert cloud.shape == (2,)
    assert cloud["power"].tolist() == [3, 9]
    np.testing.assert_array_equal(rows(cloud), rows_of)
