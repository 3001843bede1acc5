"""Decoders of messages against the serializers of `rosbags` for ROS 1 and 2, and on messages whose sizes lie."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.readers import bag_recordings as bags

from echoes.errors import InputError
from echoes.readers import ros_types
from echoes.readers.ros_clouds import CUSTOM, MD5, listed, point_cloud, point_cloud2
from echoes.readers.ros_cursors import Cdr, Cursor

XYZ = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
POINTS = np.array(
    [(1.5, -2.25, 3, 7, 9), (4, 5, 6, 8, 10)],
    dtype=[("x", "f4"), ("y", "f4"), ("z", "f8"), ("intensity", "u2"), ("ring", "i1")],
)
EVERY = np.array([tuple(range(8)), tuple(range(1, 9))], [(f"f{code}", kind) for kind, code in bags.CODES.items()])


FORMS = {"ROS 1": (bags.serialized, Cursor), "CDR": (bags.serialized2, Cdr)}
FORMS["CDR, big-endian"] = (lambda message: bags.serialized2(message, little_endian=False), Cdr)
FORM = pytest.mark.parametrize("form", FORMS)


def livox_custom(cursor):
    return listed(cursor, CUSTOM, ros_types.known(True))


def cursor(message, form):
    serialize, kind = FORMS[form]
    return kind(serialize(message), "m")


def test_the_md5_sums_are_those_of_the_three_types():
    assert {bags.STORE.generate_msgdef(kind, ros_version=1)[1]: kind for kind in MD5.values()} == MD5
    assert set(MD5.values()) == {bags.CLOUD, bags.CLOUD2, bags.CUSTOM}


@FORM
def test_a_point_cloud_has_its_channels_as_columns(form):
    message = bags.cloud(3.25, XYZ, {"Doppler": [1, 2, 3, 4], "Power": [5, 6, 7, 8]})
    columns = point_cloud(cursor(message, form))
    np.testing.assert_array_equal(np.stack([columns[c] for c in "xyz"], axis=1), XYZ)
    assert (columns["Doppler"].tolist(), columns["Power"].tolist()) == ([1, 2, 3, 4], [5, 6, 7, 8])
    assert cursor(message, form).stamp_ns() == 3_250_000_000


@FORM
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("height", [1, 2])
def test_a_point_cloud_2_is_read_in_any_layout(form, order, padding, height):
    columns = point_cloud2(cursor(bags.cloud2(1.0, POINTS, height, padding, order), form))
    for name in POINTS.dtype.names:
        np.testing.assert_array_equal(columns[name], POINTS[name])


@FORM
def test_a_field_may_be_of_every_type(form):
    columns = point_cloud2(cursor(bags.cloud2(1.0, EVERY, padding=3), form))
    assert {name: column.tolist() for name, column in columns.items()} == {f"f{i}": [i - 1, i] for i in range(1, 9)}
    assert {name: column.dtype for name, column in columns.items()} == {f"f{c}": kind for kind, c in bags.CODES.items()}


@FORM
def test_a_livox_message_has_its_points_as_columns(form):
    columns = livox_custom(cursor(bags.custom(1.0, XYZ, [0, 1, 200, 255]), form))
    np.testing.assert_array_equal(np.stack([columns[c] for c in "xyz"], axis=1), XYZ)
    assert columns["reflectivity"].tolist() == [0, 1, 200, 255]
    assert columns["line"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "message", [bags.cloud(1.0, XYZ[:0], {"Power": []}), bags.cloud2(1.0, POINTS[:0]), bags.custom(1.0, XYZ[:0], [])]
)
def test_a_cloud_without_points_has_empty_columns(message):
    decoder = {bags.CLOUD: point_cloud, bags.CLOUD2: point_cloud2, bags.CUSTOM: livox_custom}[message.__msgtype__]
    for form in FORMS:
        assert all(len(column) == 0 for column in decoder(cursor(message, form)).values())


MESSAGES = {
    point_cloud: bags.cloud(1.0, XYZ, {"Doppler": [1, 2, 3, 4]}),
    point_cloud2: bags.cloud2(1.0, POINTS),
    livox_custom: bags.custom(1.0, XYZ, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("decoder", MESSAGES)
@given(data=st.data())
def test_a_message_cut_off_anywhere_is_refused(decoder, data):
    serialize, kind = FORMS[data.draw(st.sampled_from([*FORMS]))]
    raw = serialize(MESSAGES[decoder])
    size = data.draw(st.integers(0, len(raw) - 2))
    with pytest.raises(InputError, match=r"^m: expected"):
        decoder(kind(raw[:size], "m"))


@pytest.mark.parametrize("decoder", MESSAGES)
@given(data=st.data())
def test_four_wrong_bytes_are_read_or_refused_and_never_fill_the_memory(decoder, data):
    serialize, kind = FORMS[data.draw(st.sampled_from([*FORMS]))]
    raw = bytearray(serialize(MESSAGES[decoder]))
    place = data.draw(st.integers(0, len(raw) - 4))
    raw[place : place + 4] = data.draw(st.sampled_from([b"\xff" * 4, b"\0" * 4, struct.pack("<I", 7)]))
    try:
        columns = decoder(kind(bytes(raw), "m"))
    except InputError:
        return
    assert all(len(column) <= len(raw) for column in columns.values())


def test_a_livox_message_must_have_the_points_it_announces():
    message = bags.custom(1.0, XYZ, [0, 1, 2, 3])
    message.point_num = 5
    with pytest.raises(InputError, match=r"^m: expected 5 points \(point_num\), got 4"):
        livox_custom(Cursor(bags.serialized(message), "m"))


def test_a_channel_must_have_a_value_for_each_point():
    with pytest.raises(InputError, match=r"^m: expected 4 values in channel Power, got 3"):
        point_cloud(Cursor(bags.serialized(bags.cloud(1.0, XYZ, {"Power": [1, 2, 3]})), "m"))


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
        point_cloud2(Cursor(bags.serialized(message), "m"))


@pytest.mark.parametrize(("points", "step"), [(0, 2**31), (2, 0)])
def test_points_of_no_size_or_of_gigabytes_are_refused(points, step):
    message = bags.cloud2(1.0, POINTS[:points])
    message.point_step, message.fields = step, []
    with pytest.raises(InputError, match=f"^m: expected points of 1 to 65536 bytes, got {step}"):
        point_cloud2(Cursor(bags.serialized(message), "m"))


def test_structures_are_read_where_their_padding_depends_on_their_place():
    """A track begins with 16 bytes that need no padding, so every other one is padded by 4 bytes before its doubles."""
    kind, track = bags.TRACKS
    tracks = [track(uuid=np.full(16, i, np.uint8), position=np.array([i, 2.0 * i]), width=i + 0.5) for i in range(5)]
    message = bags.STORE2.types[kind](header=bags.header(1.0), tracks=tracks)
    types = {name: fields for name, (_, fields) in bags.STORE2.fielddefs.items()}
    for form in FORMS:
        columns = listed(cursor(message, form), kind, types)
        assert columns["position.1"].tolist() == [2.0 * i for i in range(5)]
        assert columns["width"].tolist() == [i + 0.5 for i in range(5)]
        assert columns["uuid.15"].tolist() == list(range(5))
