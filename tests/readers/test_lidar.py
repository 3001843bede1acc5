"""Clouds of a LiDAR without a radar, in the formats that they come in."""

from dataclasses import replace

import numpy as np
import pytest
from pypcd4 import PointCloud

from echoes.errors import InputError
from echoes.readers import lidar
from echoes.seeds import rng

SOURCE = lidar.Source("lidar", 0.1, (-1.5, 0.25, 1.0), 255.0, "none")


def points(number, count=40):
    draw = rng(0, "lidar", number)
    return np.column_stack([draw.uniform(-20, 20, (count, 3)), draw.uniform(0, 255, count)]).astype("<f4")


def write(root, sequence, number, suffix):
    path = root / sequence / f"{number:04d}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = points(number)
    if suffix == ".npy":
        np.save(path, rows)
    elif suffix == ".pcd":
        PointCloud.from_points([rows[:, i] for i in range(4)], lidar.FIELDS, [np.float32] * 4).save(path)
    else:
        rows.tofile(path)
    return path


@pytest.mark.parametrize("suffix", lidar.SUFFIXES)
def test_a_frame_lies_in_the_frame_of_the_radar_and_has_no_return_of_it(tmp_path, suffix):
    for sequence, number in (("b", 3), ("a", 2), ("a", 1)):
        write(tmp_path, sequence, number, suffix)
    entries = lidar.index(tmp_path, SOURCE)
    assert [(one.sequence, one.stamp) for one in entries] == [("a", 0.0), ("a", 0.1), ("b", 0.0)]
    found = lidar.read(tmp_path, SOURCE, entries[1])
    assert found.radar.shape == (0, 5)
    assert found.target_origin == SOURCE.position_m
    np.testing.assert_allclose(found.target[:, :3], points(2)[:, :3] + SOURCE.position_m, rtol=1e-6)
    np.testing.assert_allclose(found.target[:, 3], points(2)[:, 3] / 255, rtol=1e-6)


@pytest.mark.parametrize("suffix", lidar.SUFFIXES)
def test_a_file_that_was_cut_off_is_refused_by_name(tmp_path, suffix):
    path = write(tmp_path, "a", 1, suffix)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=rf"0001\{suffix}: expected "):
        lidar.read(tmp_path, SOURCE, lidar.index(tmp_path, SOURCE)[0])


def test_rows_without_a_return_are_left_out_and_hidden_folders_too(tmp_path):
    path = write(tmp_path, "a", 1, ".npy")
    write(tmp_path, ".Trash-1000", 1, ".npy")
    rows = points(1)
    rows[3:5, :3] = np.nan
    np.save(path, rows)
    (entry,) = lidar.index(tmp_path, SOURCE)
    with pytest.raises(InputError, match=r"npy: expected a place of every point, got NaN in 2 of 40; `padding: nan`"):
        lidar.read(tmp_path, SOURCE, entry)
    assert len(lidar.read(tmp_path, replace(SOURCE, padding="nan"), entry).target) == 38


@pytest.mark.parametrize("shape", [(7,), (7, 5), (7, 4, 1), ()])
def test_numbers_of_another_shape_are_refused(tmp_path, shape):
    np.save(write(tmp_path, "a", 1, ".npy"), np.zeros(shape))
    with pytest.raises(InputError, match=r"0001\.npy: expected \(N, 4\) numbers, got shape"):
        lidar.read(tmp_path, SOURCE, lidar.index(tmp_path, SOURCE)[0])


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = write(tmp_path, "a", 1, ".npy")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"^\S+0001\.npy: expected a whole \.npy file, got: "):
        lidar.read(tmp_path, SOURCE, lidar.index(tmp_path, SOURCE)[0])


def test_what_is_no_recording_of_a_lidar_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such folder"):
        lidar.index(tmp_path / "none", SOURCE)
    with pytest.raises(InputError, match=r"expected <sequence>/<name> files of one of \.bin, \.npy, \.pcd, got none$"):
        lidar.index(tmp_path, SOURCE)
    write(tmp_path, "a", 1, ".bin")
    entry = lidar.index(tmp_path, SOURCE)[0]
    with pytest.raises(InputError, match=r"0001\.bin: expected reflectivity 0\.\.1 \(reflectivity_max\), got "):
        lidar.read(tmp_path, replace(SOURCE, reflectivity_max=1.0), entry)
    write(tmp_path, "a", 2, ".npy")
    with pytest.raises(InputError, match=r"got \.bin and \.npy$"):
        lidar.index(tmp_path, SOURCE)
    with pytest.raises(InputError, match=r"^period_s: expected more than 0, got 0$"):
        replace(SOURCE, period_s=0.0)
