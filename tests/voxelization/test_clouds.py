"""Voxelizing radar clouds: what the stage reports of a recording whose clock jumps back."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.readers import test_astyx

from echoes import arrays, params
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.rasters.ground import NoGround
from echoes.readers.splits import ByTime
from echoes.voxelization import clouds, pairs

LAYOUT = params.load(pairs.GridParams, "astyx.grid", Path(__file__).resolve().parents[2] / "params.yaml")
SPLIT = ByTime("time", block_s=1.0, purge_s=0.3, val=0.2, test=0.2, seed=0)


def test_a_jump_back_of_the_clock_is_counted_and_both_drives_are_kept(tmp_path, caplog):
    for number in range(12):  # 6 frames of one drive, 6 of another that tells the same time
        test_astyx.write_frame(tmp_path / "raw", f"{number:06d}", 1_000_000 * (number % 6 + 1))
    layout = replace(LAYOUT, ground=NoGround("none"), augmentation=replace(LAYOUT.augmentation, copies=0))
    source = replace(test_astyx.SOURCE, ego_motion="none")
    with caplog.at_level(logging.INFO), arrays.writing(tmp_path / "grids.zarr") as writer:
        found = clouds.write(tmp_path / "raw", source, layout, SPLIT, Workers(1, ""), writer, tmp_path / "stamps.csv")
    assert (found["clock_jumps"], found["frames_listed"], found["frames_purged"]) == (1, 12, 0)
    assert "voxelize: the clock jumps back 1 time; a new sequence begins there: astyx-6" in caplog.messages
    grids = zarr.open_group(tmp_path / "grids.zarr", mode="r")
    np.testing.assert_array_equal(grids["sequence"][:], [0] * 6 + [1] * 6)
    rows = (tmp_path / "stamps.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["astyx-0"] * 6 + ["astyx-6"] * 6


def test_where_no_frame_has_an_ego_velocity_that_is_told_and_not_a_split_without_frames(tmp_path):
    for number in range(12):  # of one point each
        test_astyx.write_frame(tmp_path / "raw", f"{number:06d}", 1_000_000 * (number + 1))
        path = tmp_path / "raw" / "radar_6455" / f"{number:06d}.txt"
        path.write_text("X Y Z V_r Mag\n10 0 0 1 60\n" if number % 4 else "X Y Z V_r Mag\n")
    layout = replace(LAYOUT, ground=NoGround("none"), augmentation=replace(LAYOUT.augmentation, copies=1))
    source = replace(test_astyx.SOURCE, ego_motion="estimated")
    told = r"split: expected frames in train, got none: of its \d frames \d of \d have points .* on no ego velocity"
    with pytest.raises(InputError, match=told) as error, arrays.writing(tmp_path / "grids.zarr") as writer:
        clouds.write(tmp_path / "raw", source, layout, SPLIT, Workers(1, ""), writer, tmp_path / "stamps.csv")
    assert "have no radar points" in str(error.value)
