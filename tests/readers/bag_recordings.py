"""Bags of ROS 1 and ROS 2, written with the serializers of `rosbags`, not with our decoder."""

import shutil
from pathlib import Path

import numpy as np
from rosbags.rosbag1 import Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

LIVOX = {
    "CustomPoint": "uint32 offset_time\nfloat32 x\nfloat32 y\nfloat32 z\nuint8 reflectivity\nuint8 tag\nuint8 line\n",
    "CustomMsg": (
        "std_msgs/Header header\nuint64 timebase\nuint32 point_num\n"
        "uint8 lidar_id\nuint8[3] rsvd\nCustomPoint[] points\n"
    ),
}
STORE = get_typestore(Stores.ROS1_NOETIC)
for _name, _text in LIVOX.items():
    STORE.register(get_types_from_msg(_text, f"livox_ros_driver/msg/{_name}"))
STORE2 = get_typestore(Stores.ROS2_HUMBLE)
for _name, _text in LIVOX.items():
    for _package in ("livox_ros_driver", "livox_ros_driver2"):
        STORE2.register(get_types_from_msg(_text, f"{_package}/msg/{_name}"))
for _name, _text in {
    "radar_msgs/msg/RadarReturn": "float32 range\nfloat32 azimuth\nfloat32 elevation\n"
    "float32 doppler_velocity\nfloat32 amplitude\n",
    "radar_msgs/msg/RadarScan": "std_msgs/Header header\nradar_msgs/RadarReturn[] returns\n",
    "own_msgs/msg/Track": "uint8[16] uuid\nfloat64[2] position\nfloat32 width\n",
    "own_msgs/msg/Tracks": "std_msgs/Header header\nown_msgs/Track[] tracks\n",
}.items():
    for _store in (STORE, STORE2):
        _store.register(get_types_from_msg(_text, _name))
STORE.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms\n", "tf2_msgs/msg/TFMessage"))
TRACKS = "own_msgs/msg/Tracks", STORE2.types["own_msgs/msg/Track"]
CODES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}
CLOUD, CLOUD2 = "sensor_msgs/msg/PointCloud", "sensor_msgs/msg/PointCloud2"
CUSTOM = "livox_ros_driver/msg/CustomMsg"


def header(stamp_s):
    seconds, nanoseconds = divmod(round(stamp_s * 1e9), 10**9)
    time = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](seq=0, stamp=time, frame_id="sensor")


def cloud(stamp_s, xyz, channels):
    """sensor_msgs/PointCloud."""
    point, channel = STORE.types["geometry_msgs/msg/Point32"], STORE.types["sensor_msgs/msg/ChannelFloat32"]
    named = [channel(name=name, values=np.asarray(values, np.float32)) for name, values in channels.items()]
    return STORE.types[CLOUD](header=header(stamp_s), points=[point(*map(float, p)) for p in xyz], channels=named)


def cloud2(stamp_s, points, height=1, padding=0, order="<"):
    """sensor_msgs/PointCloud2 of a structured array; `padding` bytes end every row."""
    field = STORE.types["sensor_msgs/msg/PointField"]
    layout = points.dtype.newbyteorder(order)
    fields = [
        field(name=name, offset=offset, datatype=CODES[kind.str[1:]], count=1)
        for name, (kind, offset) in layout.fields.items()
    ]
    rows = points.astype(layout).reshape(height, -1)
    data = b"".join(row.tobytes() + b"\xff" * padding for row in rows)
    return STORE.types[CLOUD2](
        header=header(stamp_s),
        height=height,
        width=rows.shape[1],
        fields=fields,
        is_bigendian=order == ">",
        point_step=layout.itemsize,
        row_step=rows.shape[1] * layout.itemsize + padding,
        data=np.frombuffer(data, np.uint8),
        is_dense=True,
    )


def custom(stamp_s, xyz, reflectivity):
    """livox_ros_driver/CustomMsg."""
    point = STORE.types["livox_ros_driver/msg/CustomPoint"]
    points = [
        point(offset_time=i, x=float(p[0]), y=float(p[1]), z=float(p[2]), reflectivity=int(r), tag=16, line=i % 6)
        for i, (p, r) in enumerate(zip(xyz, reflectivity, strict=True))
    ]
    return STORE.types[CUSTOM](
        header=header(stamp_s),
        timebase=123,
        point_num=len(points),
        lidar_id=1,
        rsvd=np.zeros(3, np.uint8),
        points=points,
    )


def write(path: Path, messages, compression=None):
    """messages: (topic, received_s, message), or bytes and the name of a type in place of the message."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    writer = Writer(path)
    if compression is not None:
        writer.set_compression(compression)
    with writer:
        connections = {}
        for topic, received_s, message in messages:
            kind, raw = message if isinstance(message, tuple) else (message.__msgtype__, serialized(message))
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], round(received_s * 1e9), raw)


def serialized(message) -> bytes:
    return bytes(STORE.serialize_ros1(message, message.__msgtype__))


def serialized2(message, little_endian=True) -> bytes:
    return bytes(STORE2.serialize_cdr(message, message.__msgtype__, little_endian=little_endian))


def write2(path: Path, messages, storage="sqlite3", compressed=False):
    """A bag of ROS 2, a folder; messages as those of `write`."""
    shutil.rmtree(path, ignore_errors=True)
    writer = Writer2(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compressed:
        mode = CompressionMode.STORAGE if storage == "mcap" else CompressionMode.MESSAGE
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, received_s, message in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, message.__msgtype__, typestore=STORE2)
            writer.write(connections[topic], round(received_s * 1e9), serialized2(message))


def scan(stamp_s, returns):
    """radar_msgs/RadarScan of (N, 5) range, azimuth, elevation, Doppler, amplitude."""
    single = STORE2.types["radar_msgs/msg/RadarReturn"]
    names = ("range", "azimuth", "elevation", "doppler_velocity", "amplitude")
    listed = [single(**dict(zip(names, map(float, row), strict=True))) for row in returns]
    return STORE2.types["radar_msgs/msg/RadarScan"](header=header(stamp_s), returns=listed)


def odometry(stamp_s, position, quaternion, linear, angular):
    """nav_msgs/Odometry; quaternion: x, y, z, w."""
    types = STORE2.types
    vector, point = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Point"]
    twist = types["geometry_msgs/msg/Twist"](linear=vector(*linear), angular=vector(*angular))
    pose = types["geometry_msgs/msg/Pose"](
        position=point(*position), orientation=types["geometry_msgs/msg/Quaternion"](*quaternion)
    )
    covariance = np.zeros(36)
    return types["nav_msgs/msg/Odometry"](
        header=header(stamp_s),
        child_frame_id="base_link",
        pose=types["geometry_msgs/msg/PoseWithCovariance"](pose=pose, covariance=covariance),
        twist=types["geometry_msgs/msg/TwistWithCovariance"](twist=twist, covariance=covariance),
    )


def twist(stamp_s, linear, angular=(0.0, 0.0, 0.0)):
    """geometry_msgs/TwistStamped."""
    types = STORE2.types
    vector = types["geometry_msgs/msg/Vector3"]
    told = types["geometry_msgs/msg/Twist"](linear=vector(*linear), angular=vector(*angular))
    return types["geometry_msgs/msg/TwistStamped"](header=header(stamp_s), twist=told)


def transforms(*told):
    """tf2_msgs/TFMessage of (stamp_s, parent, child, translation, quaternion x y z w)."""
    types = STORE2.types
    vector, quaternion = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Quaternion"]
    stamped, transform = types["geometry_msgs/msg/TransformStamped"], types["geometry_msgs/msg/Transform"]
    listed = []
    for stamp_s, parent, child, translation, rotation in told:
        moved = transform(translation=vector(*map(float, translation)), rotation=quaternion(*map(float, rotation)))
        head = header(stamp_s)
        head.frame_id = parent
        listed.append(stamped(header=head, child_frame_id=child, transform=moved))
    return types["tf2_msgs/msg/TFMessage"](transforms=listed)
