"""A frame becomes the cells of its radar, its target and what was observed; what cannot is refused or skipped."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from echoes import params, seeds
from echoes.errors import InputError
from echoes.rasters import visibility, voxels
from echoes.rasters.cells import unpack
from echoes.rasters.ground import PlaneGround
from echoes.rasters.sweeps import Sweeps
from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import Entry, Frame
from echoes.voxelization import pairs
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.views import Shown, View

GRID = {
    "raster": "voxels",
    "task": "enhance",
    "z": {"start": -2.0, "stop": 6.0, "size": 8},
    "y": {"start": -16.0, "stop": 16.0, "size": 32},
    "x": {"start": 0.0, "stop": 32.0, "size": 32},
    "ground": {"method": "none"},
    "radius_m": 1.5,
    "sweeps": {"count": 1, "seconds": 0.5},
    "scaling": {"power_db": [40.0, 100.0], "doppler_mps": 10.0},
    "augmentation": {
        "copies": 0,
        "max_rotation_rad": 0.0,
        "min_fraction": 1.0,
        "power_db": 0.0,
        "noise_m": 0.0,
        "fade": 0.0,
        "seed": 0,
    },
}
PARAMS = params.build(GridParams, GRID, "radar.grid")
ENTRY = Entry("drive", 1.5, "drive/3", 0.0)
VIEW = View(ENTRY, "train", 0.0, 1.0, 0.0, 0.0, 0.0)
ROOT = Path("data", "raw", "radar")
DOPPLER = Doppler(span_mps=None, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
VELOCITY = np.array([8.0, 0.5, 0.0])


def source(ego_motion="none"):
    return SimpleNamespace(reader="astyx", ego_motion=ego_motion, doppler=DOPPLER)


def frame(count=200, velocity=VELOCITY):
    """Static points that the moving radar sees approaching, and a LiDAR that sees the same places."""
    rng = seeds.rng(0, "frame", count)
    xyz = rng.uniform((2, -15, -1), (31, 15, 5), (count, 3))
    doppler = -(xyz / np.linalg.norm(xyz, axis=1, keepdims=True)) @ VELOCITY
    radar = np.column_stack([xyz, doppler, rng.uniform(40, 100, count)]).astype(np.float32)
    target = np.column_stack([xyz + rng.normal(0, 0.1, xyz.shape), rng.random(count)]).astype(np.float32)
    return Frame("drive", 1.5, radar, target, (0.0, 0.0, 0.5), velocity)


def prepare(given, ego="none", layout=PARAMS):
    """The pair of a frame that is neither turned nor thinned; None where it has none."""
    (found,) = pairs.prepare(
        lambda root, source, entry: given, ROOT, source(ego), layout, Shown((VIEW,), (), False)
    ).pairs
    return found


def test_an_unpaired_frame_is_its_lidar_alone_whether_there_is_a_radar_or_not():
    given, unpaired = frame(), replace(VIEW, split="unpaired")
    paired = prepare(given)
    for radar in (given.radar, given.radar[:0]):
        seen = replace(given, radar=radar, ego_velocity=None)
        (found,) = pairs.prepare(
            lambda *_, seen=seen: seen, ROOT, source("estimated"), PARAMS, Shown((unpaired,), (), False)
        ).pairs
        assert (found.points, len(found.cells.input.indices), len(found.cells.input_points)) == (0, 0, 0)
        np.testing.assert_array_equal(found.cells.target.indices, paired.cells.target.indices)
        np.testing.assert_array_equal(found.cells.target.features[:, 0], paired.cells.target.features[:, 0])
        assert not found.cells.target.features[:, 1:].any()
        np.testing.assert_array_equal(found.cells.observed, paired.cells.observed)
    with pytest.raises(InputError, match=r"^source\.unpaired: expected none for grid\.task: radar_from_lidar"):
        pairs.prepare(
            lambda *_: given, ROOT, source(), replace(PARAMS, task="radar_from_lidar"), Shown((unpaired,), (), False)
        )


def test_a_pair_holds_the_cells_that_the_rasters_make_of_the_points():
    given, grid = frame(), PARAMS.grid()
    found = prepare(given)
    assert (found.cells.sequence, found.cells.stamp, found.points) == ("drive", 1.5, 200)
    radar, target = (
        voxels.radar_cells(given.radar, grid),
        voxels.lidar_and_radar_cells(given.target, grid, given.radar, 1.5),
    )
    for cells, expected in ((found.cells.input, radar), (found.cells.target, target)):
        np.testing.assert_array_equal(cells.indices, expected.indices)
        np.testing.assert_array_equal(cells.features, expected.features)
    seen = unpack(found.cells.observed, grid.shape)
    np.testing.assert_array_equal(seen, visibility.observed(given.target, (0.0, 0.0, 0.5), grid))
    assert seen[tuple(found.cells.target.indices.T)].all()


def test_the_reader_gets_what_it_asked_for_once_for_all_copies():
    asked = []

    def read(*args):
        asked.append(args)
        return frame()

    settings = source()
    views = [VIEW, View(ENTRY, "train", 0.3, 0.5, 0.0, 0.0, 0.0), View(ENTRY, "train", -0.3, 0.7, 0.0, 0.0, 0.0)]
    assert len(pairs.prepare(read, ROOT, settings, PARAMS, Shown(tuple(views), (), False)).pairs) == 3
    assert asked == [(ROOT, settings, ENTRY)]


def test_the_same_frame_gives_the_same_pair_again():
    one, other = prepare(frame(), "estimated"), prepare(frame(), "estimated")
    for name in ("offsets", "observed", "input_points", "target_points", "ground"):
        assert getattr(one.cells, name).tobytes() == getattr(other.cells, name).tobytes(), name
    assert one.cells.input.features.tobytes() == other.cells.input.features.tobytes()
    assert one.cells.target.features.tobytes() == other.cells.target.features.tobytes()


def test_a_frame_without_target_is_refused_by_the_name_of_its_recording():
    with pytest.raises(InputError, match=r"^data/raw/radar: expected a LiDAR .* got none for drive/3$"):
        prepare(replace(frame(), target=None))


@pytest.mark.parametrize(
    "radar", [np.zeros((0, 5), np.float32), np.full((3, 5), 1000.0, np.float32), np.full((3, 5), -1.0, np.float32)]
)
def test_a_frame_without_radar_points_in_the_grid_is_skipped(radar):
    assert prepare(replace(frame(), radar=radar)) is None


def test_a_frame_whose_lidar_saw_nothing_is_skipped_and_is_no_empty_street():
    assert prepare(replace(frame(), target=np.zeros((0, 4), np.float32))) is None


def test_without_ego_motion_the_doppler_is_left_as_measured():
    found = prepare(frame())
    assert np.isnan(found.ego_velocity).all()
    assert found.cells.input.features[:, 1].mean() < -4


@pytest.mark.parametrize("ego", ["recorded", "estimated"])
def test_with_ego_motion_static_points_stand_still(ego):
    found = prepare(frame(), ego)
    np.testing.assert_allclose(found.ego_velocity[:2], VELOCITY[:2], atol=0.05)
    assert np.abs(found.cells.input.features[:, 1]).max() < 0.1
    valid = found.cells.target.features[:, 2] > 0
    assert valid.any()
    assert np.abs(found.cells.target.features[valid, 1]).max() < 0.1  # the target's Doppler is over ground as well


def test_a_recorded_velocity_that_was_not_recorded_is_refused():
    with pytest.raises(InputError, match=r"^source\.ego_motion: expected none or estimated, as drive/3 has no"):
        prepare(frame(velocity=None), "recorded")


def test_a_frame_whose_velocity_cannot_be_estimated_is_skipped():
    given = frame()
    given.radar[:, 3] = seeds.rng(0, "noise").uniform(-40, 40, len(given.radar))
    assert ego_motion.estimate(given.radar, DOPPLER) is None
    assert prepare(given, "estimated") is None


def test_the_ground_leaves_the_target_but_stays_observed():
    rng = seeds.rng(0, "ground")
    ground = np.column_stack([rng.uniform((1, -15), (31, 15), (4000, 2)), np.full(4000, -1.5), np.full(4000, 0.5)])
    given = frame()
    both = replace(given, target=np.concatenate([given.target, ground.astype(np.float32)]))
    plane = {"method": "plane", "height_m": 0.3, "cell_m": 2.0, "slope_max": 0.1}
    removed = prepare(both, layout=params.build(GridParams, {**GRID, "ground": plane}, "radar.grid"))
    kept = prepare(both)
    assert (kept.cells.target.indices[:, 0] == 0).sum() > 500
    assert (removed.cells.target.indices[:, 0] == 0).sum() == 0
    np.testing.assert_array_equal(removed.cells.observed, kept.cells.observed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("z", {"start": -2.0, "stop": 6.0, "size": 10}, r"z.size: expected a multiple of 4, got 10"),
        ("ground", {"method": "magic"}, r"ground.method: expected one of none, plane, got 'magic'"),
        ("scaling", {"power_db": [100.0, 40.0], "doppler_mps": 10.0}, r"scaling.power_db: expected the lower"),
        ("radius_m", "wide", r"radius_m: expected a number, got 'wide'"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_its_path(key, value, message):
    with pytest.raises(InputError, match=rf"^radar\.grid\.{message}"):
        params.build(GridParams, {**GRID, key: value}, "radar.grid")


def test_a_radar_from_a_lidar_takes_the_same_frame_the_other_way_round():
    given = frame()
    layout = replace(PARAMS, task="radar_from_lidar", ground=PlaneGround("plane", 0.3, 2.0, 0.2))
    one, other = prepare(given, layout=replace(layout, task="enhance")).cells, prepare(given, layout=layout).cells
    np.testing.assert_array_equal(other.target.features, one.input.features)
    np.testing.assert_array_equal(other.target.indices, one.input.indices)
    np.testing.assert_array_equal(other.input.features, one.target.features[:, :1])  # and not what a radar measured
    np.testing.assert_array_equal(other.input.indices, one.target.indices)
    np.testing.assert_array_equal(other.target_points, one.input_points)  # and what it measured
    np.testing.assert_array_equal(other.input_points[:, :3], one.target_points)
    assert unpack(other.observed, layout.grid().shape).all()
    assert layout.ground_m() == 0
    above_m = other.target_points[:, 2] - other.ground[2]
    assert above_m.min() > 0  # no return of the radar is left out as ground


def test_a_frame_whose_lidar_has_no_return_in_the_grid_is_skipped_where_it_goes_in():
    given = replace(frame(), target=np.full((3, 4), 900.0, np.float32))
    assert prepare(given) is not None
    assert prepare(given, layout=replace(PARAMS, task="radar_from_lidar")) is None


def test_points_are_those_inside_the_grid_and_offsets_tell_where_they_lie_in_their_cells():
    given, grid = frame(), PARAMS.grid()
    away = replace(
        given, radar=given.radar + np.float32([10, 0, 0, 0, 0]), target=given.target + np.float32([9, 0, 0, 0])
    )
    found = prepare(away).cells
    np.testing.assert_array_equal(found.input_points, away.radar[away.radar[:, 0] < 32])
    np.testing.assert_array_equal(found.target_points, away.target[away.target[:, 0] < 32, :3])
    assert 50 < len(found.input_points) < 200
    cells, inside = grid.cells(grid.positions(found.target.indices, found.offsets))
    assert inside.all()
    np.testing.assert_array_equal(cells, found.target.indices)
    owner = grid.cells(found.target_points)[0]
    for cell, position in zip(cells, grid.positions(cells, found.offsets), strict=True):
        mean = found.target_points[(owner == cell).all(axis=1)].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(position, mean, atol=1e-5)


def test_each_copy_is_the_pair_of_the_turned_and_thinned_frame():
    given = frame()
    views = [VIEW, View(ENTRY, "train", 0.4, 1.0, 0.0, 0.0, 0.0), View(ENTRY, "train", -0.2, 0.5, 0.0, 0.0, 0.0)]
    _, found, fewer = pairs.prepare(lambda *_: given, ROOT, source(), PARAMS, Shown(tuple(views), (), False)).pairs
    x, y = found.cells.input_points[:, 0], found.cells.input_points[:, 1]
    back = x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)
    left = np.hypot(given.radar[:, 0, None] - back[0], given.radar[:, 1, None] - back[1]).min(axis=0)
    assert len(left) > 100
    assert left.max() < 1e-4
    assert fewer.points < 150 < found.points == 200


def test_the_ground_of_a_turned_copy_is_the_turned_ground():
    rng = seeds.rng(0, "slope")
    x, y = rng.uniform((1, -15), (31, 15), (4000, 2)).T
    road = np.column_stack([x, y, 0.08 * x - 0.03 * y - 1.5, np.full(4000, 0.5)]).astype(np.float32)
    given = frame()
    given = replace(given, target=np.concatenate([given.target + np.float32([0, 0, 4, 0]), road]))
    plane = {"method": "plane", "height_m": 0.3, "cell_m": 2.0, "slope_max": 0.2}
    layout = params.build(GridParams, {**GRID, "ground": plane}, "radar.grid")
    views = [VIEW, View(ENTRY, "train", 0.4, 1.0, 0.0, 0.0, 0.0)]
    straight, turned = pairs.prepare(lambda *_: given, ROOT, source(), layout, Shown(tuple(views), (), False)).pairs
    np.testing.assert_allclose(straight.cells.ground, [0.08, -0.03, -1.5], atol=0.01)
    cos, sin = np.cos(0.4), np.sin(0.4)
    expected = [0.08 * cos + 0.03 * sin, 0.08 * sin - 0.03 * cos, -1.5]
    np.testing.assert_allclose(turned.cells.ground, expected, atol=0.01)
    for pair in (straight, turned):
        slope_x, slope_y, height_m = pair.cells.ground
        x, y, z = pair.cells.target_points.T
        assert (z - (slope_x * x + slope_y * y + height_m) > 0.29).all()
        assert len(z) > 20


def test_where_no_ground_is_found_it_lies_below_the_grid():
    plane = {"method": "plane", "height_m": 0.3, "cell_m": 2.0, "slope_max": 0.1}
    layout = params.build(GridParams, {**GRID, "ground": plane}, "radar.grid")
    for found in (prepare(frame()), prepare(frame(10), layout=layout)):
        slope_x, slope_y, height_m = found.cells.ground
        assert (slope_x, slope_y) == (0, 0)
        assert height_m + 0.3 < PARAMS.z.start
        assert len(found.cells.target_points) > 5


def test_a_pair_with_sweeps_has_the_cells_of_earlier_frames_and_the_points_and_target_of_its_own():
    layout = replace(PARAMS, sweeps=Sweeps(3, 0.5))
    earlier = Entry("drive", 1.3, "drive/1", 0.0)
    seen = {ENTRY: frame(), earlier: replace(frame(150), stamp=1.3)}
    shown = Shown((VIEW, View(ENTRY, "train", 0.4, 1.0, 0.0, 0.0, 0.0)), (earlier,), False)
    found, turned = pairs.prepare(
        lambda root, source, entry: seen[entry], ROOT, source("recorded"), layout, shown
    ).pairs
    alone = prepare(frame(), "recorded")
    assert layout.roles().input == (*PARAMS.roles().input, "age")
    assert (found.sweeps, turned.sweeps, alone.sweeps) == (2, 2, 1)
    for name in ("offsets", "observed", "input_points", "target_points"):
        np.testing.assert_array_equal(getattr(found.cells, name), getattr(alone.cells, name))
    age_s = found.cells.input.features[:, -1]
    np.testing.assert_array_equal(found.cells.input.features[age_s == 0, :-1], alone.cells.input.features)
    assert (age_s > 0).sum() > 80
    np.testing.assert_allclose(age_s[age_s > 0], 0.2, atol=1e-6)
    moved = turned.cells.input
    x, y, _ = PARAMS.grid().centres(moved.indices[moved.features[:, -1] > 0]).T
    back = np.stack([x * np.cos(0.4) + y * np.sin(0.4), y * np.cos(0.4) - x * np.sin(0.4)], axis=1)
    places = PARAMS.grid().centres(found.cells.input.indices[age_s > 0])[:, :2]
    nearest = np.linalg.norm(back[:, None] - places[None], axis=2).min(axis=1)
    assert np.median(nearest) < 1.0  # a cell is 1 m wide


def test_sweeps_of_a_radar_that_does_not_go_in_are_refused():
    with pytest.raises(InputError, match=r"^sweeps\.count: expected 1 for task: radar_from_lidar"):
        replace(PARAMS, task="radar_from_lidar", sweeps=Sweeps(3, 0.5))
