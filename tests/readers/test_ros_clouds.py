"""Decoders of ROS 1 messages against the serializer of `rosbags`, and on messages whose sizes lie."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.readers import bag_recordings as bags

from echoes.errors import InputError
from echoes.readers.ros_clouds import DECODERS, livox_custom, point_cloud, point_cloud2, stamp_ns

XYZ = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
POINTS = np.array(
    [(1.5, -2.25, 3, 7, 9), (4, 5, 6, 8, 10)],
    dtype=[("x", "f4"), ("y", "f4"), ("z", "f8"), ("intensity", "u2"), ("ring", "i1")],
)


def test_the_md5_sums_are_those_of_the_three_types():
    for kind, decoder in ((bags.CLOUD, point_cloud), (bags.CLOUD2, point_cloud2), (bags.CUSTOM, livox_custom)):
        assert DECODERS[bags.STORE.generate_msgdef(kind, ros_version=1)[1]] is decoder


def test_a_point_cloud_has_its_channels_as_columns():
    message = bags.cloud(3.25, XYZ, {"Doppler": [1, 2, 3, 4], "Power": [5, 6, 7, 8]})
    raw = bags.serialized(message)
    columns = point_cloud(raw, "m")
    np.testing.assert_array_equal(np.stack([columns[c] for c in "xyz"], axis=1), XYZ)
    assert (columns["Doppler"].tolist(), columns["Power"].tolist()) == ([1, 2, 3, 4], [5, 6, 7, 8])
    assert stamp_ns(raw, "m") == 3_250_000_000


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("height", [1, 2])
def test_a_point_cloud_2_is_read_in_any_layout(order, padding, height):
    columns = point_cloud2(bags.serialized(bags.cloud2(1.0, POINTS, height, padding, order)), "m")
    for name in POINTS.dtype.names:
        np.testing.assert_array_equal(columns[name], POINTS[name])


def test_a_livox_message_has_its_points_as_columns():
    columns = livox_custom(bags.serialized(bags.custom(1.0, XYZ, [0, 1, 200, 255])), "m")
    np.testing.assert_array_equal(np.stack([columns[c] for c in "xyz"], axis=1), XYZ)
    assert columns["reflectivity"].tolist() == [0, 1, 200, 255]
    assert columns["line"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "message", [bags.cloud(1.0, XYZ[:0], {"Power": []}), bags.cloud2(1.0, POINTS[:0]), bags.custom(1.0, XYZ[:0], [])]
)
def test_a_cloud_without_points_has_empty_columns(message):
    decoder = DECODERS[bags.STORE.generate_msgdef(message.__msgtype__, ros_version=1)[1]]
    assert all(len(column) == 0 for column in decoder(bags.serialized(message), "m").values())


MESSAGES = {
    point_cloud: bags.serialized(bags.cloud(1.0, XYZ, {"Doppler": [1, 2, 3, 4]})),
    point_cloud2: bags.serialized(bags.cloud2(1.0, POINTS)),
    livox_custom: bags.serialized(bags.custom(1.0, XYZ, [0, 1, 2, 3])),
}


@pytest.mark.parametrize("decoder", MESSAGES)
@given(data=st.data())
def test_a_message_cut_off_anywhere_is_refused(decoder, data):
    raw = MESSAGES[decoder]
    size = data.draw(st.integers(0, len(raw) - 2))
    with pytest.raises(InputError, match=r"^m: expected"):
        decoder(raw[:size], "m")


@pytest.mark.parametrize("decoder", MESSAGES)
@given(data=st.data())
def test_four_wrong_bytes_are_read_or_refused_and_never_fill_the_memory(decoder, data):
    raw = bytearray(MESSAGES[decoder])
    place = data.draw(st.integers(0, len(raw) - 4))
    raw[place : place + 4] = data.draw(st.sampled_from([b"\xff" * 4, b"\0" * 4, struct.pack("<I", 7)]))
    try:
        columns = decoder(bytes(raw), "m")
    except InputError:
        return
    assert all(len(column) <= len(raw) for column in columns.values())


def test_a_livox_message_must_have_the_points_it_announces():
    message = bags.custom(1.0, XYZ, [0, 1, 2, 3])
    message.point_num = 5
    with pytest.raises(InputError, match=r"^m: expected 5 points \(point_num\), got 4"):
        livox_custom(bags.serialized(message), "m")


def test_a_channel_must_have_a_value_for_each_point():
    with pytest.raises(InputError, match=r"^m: expected 4 values in channel Power, got 3"):
        point_cloud(bags.serialized(bags.cloud(1.0, XYZ, {"Power": [1, 2, 3]})), "m")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"offset": 20}, "expected the field x within 19 bytes, got its offset 20"),
        ({"datatype": 9}, "expected a datatype 1..8 for the field x, got 9"),
        ({"name": "y"}, "expected each field once, got y twice"),
    ],
)
def test_a_field_that_cannot_be_is_refused(changed, words):
    message = bags.cloud2(1.0, POINTS)
    for name, value in changed.items():
        setattr(message.fields[0], name, value)
    with pytest.raises(InputError, match=f"^m: {words}"):
        point_cloud2(bags.serialized(message), "m")


@pytest.mark.parametrize(("points", "step"), [(0, 2**31), (2, 0)])
def test_points_of_no_size_or_of_gigabytes_are_refused(points, step):
    message = bags.cloud2(1.0, POINTS[:points])
    message.point_step, message.fields = step, []
    with pytest.raises(InputError, match=f"^m: expected points of 1 to 65536 bytes, got {step}"):
        point_cloud2(bags.serialized(message), "m")
