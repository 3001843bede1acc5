"""Altered copies of training frames: of those only, and as the sensors would have seen them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from echoes import seeds
from echoes.errors import InputError
from echoes.judging.judge import FRAMES
from echoes.readers import ego_motion
from echoes.readers.frames import Entry, Frame
from echoes.voxelization.cloud_params import Augmentation
from echoes.voxelization.views import View, disturbed, rotated, shown, subsampled

ENTRIES = [Entry("drive", float(i), f"drive/{i}") for i in range(5)]
SPLITS = ["train", "purged", "val", "train", "test"]


def frame() -> Frame:
    rng = seeds.rng(0, "frame")
    velocity = np.array([8.0, 0.5, 0.0])
    xyz = rng.uniform((2, -15, -1), (31, 15, 5), (100, 3))
    doppler = -(xyz / np.linalg.norm(xyz, axis=1, keepdims=True)) @ velocity
    radar = np.column_stack([xyz, doppler, rng.uniform(40, 100, 100)]).astype(np.float32)
    target = np.column_stack([xyz, rng.random(100)]).astype(np.float32)
    return Frame("drive", 1.5, radar, target, (1.0, 0.0, 0.5), velocity)


def views(entries: list[Entry], splits: list[str], augmentation: Augmentation) -> list[tuple[View, ...]]:
    return [one.views for one in shown(entries, splits, [()] * len(entries), augmentation)]


def test_an_unpaired_frame_has_the_copies_of_a_training_frame():
    augmentation = Augmentation(2, 0.2, 0.5, 0.0, 0.0, 0.0, 0)
    trained, unpaired = (views(ENTRIES[:1], [split], augmentation)[0] for split in ("train", "unpaired"))
    assert [view.rotation_rad for view in unpaired] == [view.rotation_rad for view in trained]


def test_only_training_frames_have_copies_and_purged_ones_are_left_out():
    by_entry = views(ENTRIES, SPLITS, Augmentation(2, 0.2, 0.5, 0.0, 0.0, 0.0, 0))
    assert [len(of_entry) for of_entry in by_entry] == [3, 1, 3, 1]
    assert all(len({view.entry.key for view in of_entry}) == 1 for of_entry in by_entry)
    listed = [view for of_entry in by_entry for view in of_entry]
    assert [(view.entry.key[-1], view.split) for view in listed] == [
        *[("0", "train")] * 3,
        ("2", "val"),
        *[("3", "train")] * 3,
        ("4", "test"),
    ]
    assert [view.rotation_rad == 0 for view in listed] == [True, False, False, True, True, False, False, True]
    assert max(abs(view.rotation_rad) for view in listed) <= 0.2
    assert [view.share == 1 for view in listed] == [view.rotation_rad == 0 for view in listed]
    assert all(0.5 <= view.share <= 1 for view in listed)


def test_frames_with_a_radar_are_measured_evenly_spread_up_to_a_number() -> None:
    entries = [Entry("drive", float(i), f"drive/{i}") for i in range(2 * FRAMES + 2)]
    splits = ["unpaired", *["train"] * (2 * FRAMES), "purged"]
    listed = shown(entries, splits, [()] * len(entries), Augmentation(0, 0.0, 1.0, 0.0, 0.0, 0.0, 0))
    measured = [i for i, one in enumerate(listed) if one.measured]
    assert (len(measured), measured[0], measured[-1]) == (FRAMES, 1, 2 * FRAMES)
    assert {after - before for before, after in pairwise(measured)} <= {2, 3}


def test_the_copies_of_a_frame_do_not_depend_on_the_other_frames():
    alone = views(ENTRIES[3:4], ["train"], Augmentation(2, 0.2, 0.5, 0.0, 0.0, 0.0, 0))
    assert alone == views(ENTRIES, SPLITS, Augmentation(2, 0.2, 0.5, 0.0, 0.0, 0.0, 0))[2:3]


def test_a_quarter_turn_brings_what_was_ahead_to_the_left():
    ahead = Frame("drive", 0.0, np.array([[2, 0, 1, -3, 50]], np.float32), None, (1.0, 0.0, 0.5))
    left = rotated(ahead, np.pi / 2)
    np.testing.assert_allclose(left.radar, [[0, 2, 1, -3, 50]], atol=1e-6)
    assert left.target_origin == pytest.approx((0.0, 1.0, 0.5))


def test_a_turned_frame_lies_where_it_did_in_the_world():
    pose = np.eye(4)
    pose[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    pose[:3, 3] = [5.0, -2.0, 1.0]
    given = replace(frame(), pose=pose)
    turned = rotated(given, 0.7)
    assert turned.pose is not None
    for one in (given, turned):
        np.testing.assert_allclose(turned.pose[:3, 3], pose[:3, 3])
        world = one.radar[:, :3] @ one.pose[:3, :3].T + one.pose[:3, 3]
        np.testing.assert_allclose(world, given.radar[:, :3] @ pose[:3, :3].T + pose[:3, 3], atol=1e-5)


def test_static_points_of_a_turned_frame_still_fit_its_velocity():
    seen = rotated(frame(), 0.7)
    assert seen.ego_velocity is not None
    over_ground = ego_motion.over_ground(seen.radar, seen.ego_velocity, None)
    np.testing.assert_allclose(over_ground, 0, atol=1e-4)


def test_a_thinned_frame_keeps_its_share_of_the_radar_and_all_of_the_target():
    given = frame()
    seen = subsampled(given, 0.5)
    assert 30 < len(seen.radar) < 70
    assert {tuple(row) for row in seen.radar} <= {tuple(row) for row in given.radar}
    assert seen.target is given.target
    np.testing.assert_array_equal(seen.radar, subsampled(given, 0.5).radar)


def view(power_db: float = 0.0, noise_m: float = 0.0, fade: float = 0.0) -> View:
    return View(ENTRIES[0], "train", 0.1, 1.0, power_db, noise_m, fade)


def test_a_view_that_changes_nothing_but_the_heading_leaves_the_radar_as_it_is():
    np.testing.assert_array_equal(disturbed(frame(), view()).radar, frame().radar)


def test_a_louder_radar_is_louder_by_the_same_in_every_return():
    louder = disturbed(frame(), view(power_db=3.0)).radar
    np.testing.assert_allclose(louder[:, 4] - frame().radar[:, 4], 3.0, atol=1e-4)
    np.testing.assert_array_equal(louder[:, :4], frame().radar[:, :4])


def test_noise_moves_returns_by_its_deviation_and_leaves_what_they_measured():
    given = Frame("drive", 1.5, np.tile(frame().radar, (100, 1)))
    moved = disturbed(given, view(noise_m=0.2)).radar
    assert (moved[:, :3] - given.radar[:, :3]).std(axis=0) == pytest.approx(0.2, rel=0.05)
    np.testing.assert_array_equal(moved[:, 3:], given.radar[:, 3:])


def test_a_fading_radar_loses_returns_in_proportion_to_their_range():
    near, far = np.tile([[10.0, 0, 0, 0, 50]], (4000, 1)), np.tile([[40.0, 0, 0, 0, 50]], (4000, 1))
    given = Frame("drive", 1.5, np.concatenate([near, far]).astype(np.float32))
    left = disturbed(given, view(fade=0.8)).radar[:, 0]
    assert (left < 20).mean() * len(left) / 4000 == pytest.approx(1 - 0.8 / 4, abs=0.03)
    assert (left > 20).mean() * len(left) / 4000 == pytest.approx(1 - 0.8, abs=0.03)


def test_the_copies_of_a_frame_differ_in_power_and_fading_as_they_are_asked_to():
    (found,) = views(ENTRIES[:1], ["train"], Augmentation(40, 0.2, 0.5, 2.0, 0.05, 0.3, 0))
    assert np.std([one.power_db for one in found[1:]]) == pytest.approx(2.0, rel=0.3)
    assert 0 < min(one.fade for one in found[1:]) < max(one.fade for one in found[1:]) <= 0.3
    assert {one.noise_m for one in found[1:]} == {0.05}
    assert found[0] == View(ENTRIES[0], "train", 0.0, 1.0, 0.0, 0.0, 0.0)


def test_copies_refuse_a_share_that_fades_beyond_all():
    with pytest.raises(InputError, match=r"fade: expected 0 to 1, got 1\.5"):
        Augmentation(2, 0.2, 0.5, 0.0, 0.0, 1.5, 0)
