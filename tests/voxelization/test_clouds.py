"""Voxelizing radar clouds: what the stage reports of a recording whose clock jumps back, or that is not sane."""

import logging
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
import zarr
from tests.readers import test_astyx

import test_end_to_end
from echoes import arrays, metrics, params
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.rasters.ground import NoGround
from echoes.readers import astyx, ego_motion
from echoes.readers.splits import ByTime
from echoes.voxelization import clouds
from echoes.voxelization.cloud_params import GridParams

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = params.load(GridParams, "astyx.grid", ROOT / "params.yaml")
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


def drive(root, sign, unit):
    """A recording of 12 frames among walls, as its radar and LiDAR see them while they drive 8 m/s forward.

    sign  1 for Doppler as Astyx tells it, positive = approaching.
    """
    rng = np.random.default_rng(0)
    for number in range(12):
        test_astyx.write_frame(root, f"{number:06d}", 500_000 * (number + 1), np.eye(4).tolist())
        walls = rng.uniform((6, -9, -1), (40, 9, 2), (60, 3))
        walls[:, 1] = np.where(walls[:, 1] > 0, 9.0, -6.0)
        relative = ego_motion.relative(np.column_stack([walls, np.zeros((60, 2))]), np.array([8.0, 0.0, 0.0]), None)
        power_db = rng.normal(0, 7, 60)
        power = power_db if unit == "dB" else 10 ** (power_db / 10)
        stamps_us = np.full(60, 500_000 * (number + 1))
        for folder, head, columns in (
            (astyx.RADAR, "\nX Y Z V_r Mag", (walls, -sign * relative[:, 3], power)),
            (astyx.LIDAR, "X Y Z Reflectivity LaserID Timestamp ", (walls, *np.full((2, 60), 9), stamps_us)),
        ):
            lines = (" ".join(f"{value:.9g}" for value in row) for row in np.column_stack(columns))
            (root / folder / f"{number:06d}.txt").write_text("\n".join([head, *lines, ""]))


@pytest.mark.parametrize(
    ("sign", "unit", "names"),
    [(1, "dB", []), (-1, "dB", ["doppler_sign"]), (-1, "linear", ["linear_power", "doppler_sign"])],
)
def test_what_inspect_would_warn_of_is_told_and_kept(tmp_path, caplog, sign, unit, names):
    drive(tmp_path / "raw", sign, unit)
    layout = replace(LAYOUT, ground=NoGround("none"), augmentation=replace(LAYOUT.augmentation, copies=0))
    source = replace(test_astyx.SOURCE, doppler=replace(test_astyx.DOPPLER, span_mps=None))
    with caplog.at_level(logging.INFO), arrays.writing(tmp_path / "grids.zarr") as writer:
        found = clouds.write(tmp_path / "raw", source, layout, SPLIT, Workers(1, ""), writer, tmp_path / "stamps.csv")
    assert list(found["findings"]) == names
    told = [line for line in caplog.messages if line.startswith("voxelize: WARNING: ")]
    assert [line.rpartition(" ")[2] for line in told] == [f"[{name}]" for name in names]


def test_the_stage_stops_at_what_its_track_names_and_keeps_what_was_found(tmp_path, monkeypatch):
    numbers = params.document(ROOT / "params.yaml")
    section = numbers["astyx"] | {"split": asdict(SPLIT), "inspect": {"stop_at": ["gaps", "doppler_sign"]}}
    section["source"] = section["source"] | {"doppler": asdict(test_astyx.DOPPLER) | {"span_mps": None}}
    section["grid"] = section["grid"] | {"ground": {"method": "none"}}
    runtime = numbers["runtime"] | {"workers": {"processes": 1, "scheduler": ""}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"runtime": runtime, "astyx": section}))
    drive(tmp_path / "data" / "raw" / "astyx", -1, "dB")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^astyx\.inspect\.stop_at: voxelize stops at doppler_sign \(Doppler sign: "):
        test_end_to_end.run("voxelize", "astyx")
    assert list(metrics.read(tmp_path / "metrics" / "astyx" / "voxelize.json")["findings"]) == ["doppler_sign"]
    assert not (tmp_path / "data" / "astyx" / "grids.zarr").exists()


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
