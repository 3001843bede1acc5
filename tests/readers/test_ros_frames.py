"""Poses and velocities from the transforms between frames, on the street of test_ros."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tests.readers import bag_recordings as bags
from tests.readers import test_ros as street
from tests.readers.test_ros_bags import MOTION, START_S, odometry, root, section

from echoes.errors import InputError
from echoes.readers import ros

__all__ = ["root"]  # the fixture


TF = {
    "by": "tf",
    "topic": "/tf",
    "static": "/tf_static",
    "stamps": "header",
    "offset_s": 0.0,
    "max_gap_s": 0.15,
    "parent": "odom",
    "child": "base_link",
    "sensor": "radar_link",
    "rotation": np.eye(3).tolist(),
    "translation_m": [0.0, 0.0, 0.0],
}
RATE = np.pi / 10  # rad/s, at 10 m/s: the circle of `odometry`
SECONDS = np.arange(-20, 41) / 100
LEFT = Rotation.from_euler("z", 90, degrees=True).as_quat()  # the radar looks to the left, 2 m ahead of the axle


def circle(after_s, parent="odom", child="base_footprint"):
    yaw = RATE * after_s
    place = [10 / RATE * np.sin(yaw), 10 / RATE * (1 - np.cos(yaw)), 0.0]
    return START_S + after_s, parent, child, place, Rotation.from_euler("z", yaw).as_quat()


def tf_messages(seconds=SECONDS, *others):
    """A transform each, with the joint of a wheel in the same message, and what is fixed once before."""
    fixed = [
        (0.0, "base_footprint", "base_link", [0, 0, 0.3], [0, 0, 0, 1]),
        (0.0, "base_link", "radar_link", [2.0, 0.0, 0.5], LEFT),
    ]
    wheel = (START_S, "base_link", "wheel", [0, 0.8, 0], [np.nan] * 4)
    told = [("/tf_static", START_S - 1, bags.transforms(*fixed)), ("/tf", START_S - 1, bags.transforms())]
    told += [("/tf", START_S + s, bags.transforms(wheel, circle(s), *others)) for s in seconds]
    return sorted([*street.messages(), *told], key=lambda message: message[1])


@pytest.mark.parametrize("write", [bags.write, bags.write2], ids=["ROS 1", "ROS 2"])
def test_poses_and_velocities_come_from_transforms_between_frames(root, write):
    write(root / ("loop.bag" if write is bags.write else "loop"), tf_messages())
    for i, frame in enumerate(street.frames(root, section(motion=TF, ego_motion="recorded"))):
        yaw = 0.1 * i * RATE
        forward, left = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([-np.sin(yaw), np.cos(yaw), 0])
        centre = [10 / RATE * np.sin(yaw), 10 / RATE * (1 - np.cos(yaw)), 0.8]
        np.testing.assert_allclose(frame.pose[:3, 3], centre + 2 * forward, atol=1e-3)
        np.testing.assert_allclose(frame.pose[:3, :2].T, [left, -forward], atol=1e-6)
        np.testing.assert_allclose(frame.ego_velocity, [2 * RATE, -10.0, 0], atol=5e-3)  # chords of a tenth of a second


def test_a_frame_of_the_sensor_has_the_axes_of_its_points(root):
    bags.write2(root / "loop", tf_messages())
    raw = street.SECTION["radar"] | {"axes": "RFU"}
    own, turned = (street.frames(root, section(motion=TF, **changes))[1] for changes in ({}, {"radar": raw}))
    # x of the points is the sensor's x either way: to the right of what RFU calls forward
    np.testing.assert_allclose(turned.pose[:3, 1], -own.pose[:3, 0], atol=1e-9)
    np.testing.assert_allclose(turned.pose[:3, 0], own.pose[:3, 1], atol=1e-9)


def test_the_section_says_how_the_radar_is_mounted_where_no_transform_does(root):
    bags.write2(root / "loop", tf_messages())
    told = TF | {"sensor": None, "rotation": MOTION["rotation"], "translation_m": [2.0, 0.0, 0.5]}
    by_tf, by_section = (street.frames(root, section(motion=each))[2] for each in (TF, told))
    np.testing.assert_allclose(by_section.pose, by_tf.pose, atol=1e-9)


def test_no_pose_is_told_beyond_the_transforms_and_in_a_gap(root):
    bags.write2(root / "loop", tf_messages(np.array([0.04, 0.14, 0.24, 0.44])))
    known = [frame.pose is not None for frame in street.frames(root, section(motion=TF))]
    assert known == [False, True, True, False]  # before the first; 0.2 s apart
    entries = ros.index(root, section(motion=TF, ego_motion="recorded"))
    assert entries[0].refused == "no motion is recorded around it"


def test_two_links_that_move_are_put_together_at_the_time_of_the_radar(root):
    drift = [(START_S + s, "map", "odom", [s, 0.0, 0.0], [0, 0, 0, 1]) for s in (-0.1, 0.0, 0.07, 0.2, 0.34)]
    messages = [*tf_messages(), *(("/tf", each[0], bags.transforms(each)) for each in drift)]
    bags.write2(root / "loop", sorted(messages, key=lambda message: message[1]))
    odom, world = (street.frames(root, section(motion=TF | {"parent": parent}))[1].pose for parent in ("odom", "map"))
    np.testing.assert_allclose(world[:3, 3] - odom[:3, 3], [0.1, 0, 0], atol=1e-6)


def test_frames_that_a_bag_does_not_have_are_told_with_those_that_it_has(root):
    bags.write2(root / "loop", tf_messages())
    has = r"base_footprint -> base_link, base_link -> radar_link, base_link -> wheel, odom -> base_footprint$"
    for changes, ends in (({"parent": "map"}, "map to base_link"), ({"sensor": "radar"}, "base_link to radar")):
        with pytest.raises(InputError, match=rf"/tf: expected transforms from {ends}, got {has}"):
            ros.index(root, section(motion=TF | changes))
    with pytest.raises(InputError, match="expected base_footprint to be fixed on odom, got a transform that changes"):
        ros.index(root, section(motion=TF | {"sensor": "odom"}))
    with pytest.raises(InputError, match="expected radar_link to move in base_link, got constant transforms"):
        ros.index(root, section(motion=TF | {"parent": "base_link", "child": "radar_link", "sensor": None}))
    with pytest.raises(InputError, match=r"of length 1 from base_link to wheel, got .*nan"):
        ros.index(root, section(motion=TF | {"child": "wheel", "sensor": None}))


def test_a_topic_of_the_other_kind_of_motion_is_named(root):
    bags.write2(root / "loop", [*tf_messages(), ("/odom", START_S + 1, odometry(1.0))])
    with pytest.raises(
        InputError, match=r"expected a header on /tf, got .*TFMessage, which `motion: \{by: tf, ...\}` reads"
    ):
        ros.index(root, section(motion=MOTION | {"topic": "/tf"}))
    with pytest.raises(InputError, match="expected tf2_msgs/TFMessage on /odom, got nav_msgs/msg/Odometry"):
        ros.index(root, section(motion=TF | {"topic": "/odom"}))
    with pytest.raises(InputError, match=r"drive.source.motion.child: expected another frame than parent"):
        section(motion=TF | {"parent": "base_link"})


def test_a_link_is_gone_both_ways(root):
    def inverse(told):
        stamp_s, parent, child, place, quaternion = told
        back = Rotation.from_quat(quaternion).inv()
        return stamp_s, child, parent, -back.apply(place), back.as_quat()

    bags.write2(root / "loop", tf_messages())
    same = TF | {"child": "radar_link", "sensor": "base_link"}
    up, down = (street.frames(root, section(motion=each))[1] for each in (same, TF | {"sensor": "base_link"}))
    np.testing.assert_allclose(up.pose, down.pose, atol=1e-9)
    told = [("/tf", START_S + s, bags.transforms(inverse(circle(s)))) for s in SECONDS]
    kept = [message for message in tf_messages() if message[0] != "/tf"]
    bags.write2(root / "loop", sorted([*kept, *told], key=lambda message: message[1]))
    turned = street.frames(root, section(motion=TF | {"sensor": "base_link"}))[1]
    np.testing.assert_allclose(turned.pose, down.pose, atol=1e-3)  # straight on in the one frame is not in the other
