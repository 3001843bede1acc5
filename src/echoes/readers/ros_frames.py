"""How the radar moved, from the transforms between frames (tf): its poses, and its velocity as these change.

The transforms of a bag make a tree: odom -> base_link, base_link -> radar, say. The way from the frame of the world to
that of the vehicle leads over one link or several; of each the transform is that between the two messages around a
stamp, straight on and turning steadily, and none beyond the first and the last or in a gap. A link of /tf_static holds
at all times. How the radar is mounted is the way from the vehicle's frame to the sensor's, over links that do not
change, or what the section says.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from echoes.errors import InputError
from echoes.readers import bags, drives, tables
from echoes.readers.bags import Message
from echoes.readers.drives import Drive, SameStamp, Stamped, Stamps
from echoes.readers.frames import MAX_VALUE
from echoes.readers.ros_source import MotionFrames

UNIT = 1e-2  # a quaternion may be so far from the length 1
ASIDE_NS = 50_000_000  # a velocity is that over a tenth of a second: of transforms a millisecond apart it were noise
STILL = 1e-6  # m, and of a rotation: what changes less is constant
MOST_TOLD = 12  # links in a message

Link = tuple[str, str]  # parent and child
Known = tuple[list[list[float]], list[float] | None]  # pose (3, 4) radar -> world, and velocity (3,) in its own frame


@dataclass(frozen=True)
class _Transform(Message):
    """A transform as the message of a topic of its own, so that clocks are treated as those of all topics."""

    values: tuple[float, ...] = ()


Transforms = dict[Link, list[tuple[str, _Transform]]]  # of each link, with the bag that each is in


@dataclass(frozen=True)
class _Topic:
    topic: str
    stamps: Stamps
    offset_s: float
    same_stamp: SameStamp


def motions(
    root: Path, drive: Drive, source: MotionFrames, turn: np.ndarray, radar: Sequence[Sequence[Stamped]]
) -> list[list[Known | None]]:
    """The motion at each radar cloud of each run; None where it is not known.

    turn  (3, 3) from the radar's own axes to forward, left, up.

    Raises InputError where the bag does not have the frames.
    """
    where = f"{root / drive.bags[0]}: {source.topic}"
    links = sorted({each for topic in (source.topic, source.static) for each in _links(root, drive, topic)})
    way = _way(source.parent, source.child, links, where)
    mounted = [] if source.sensor is None else _way(source.child, source.sensor, links, where)
    wanted = {link for link, _ in (*way, *mounted)}
    moving, static = (_told(root, drive, topic, wanted) for topic in (source.topic, source.static))
    if not any(link in moving for link, _ in way):
        raise InputError(f"{where}: expected {source.child} to move in {source.parent}, got constant transforms")
    mounting = source.mounting()
    if source.sensor is not None:
        fixed = [_directed(_constant(link, moving, static, where), forward) for link, forward in mounted]
        mounting = np.linalg.multi_dot([np.eye(4), *fixed, tables.placed(turn.T, np.zeros(3))])
    found: list[list[Known | None]] = []
    tracks = [_tracks(link, moving, static, source, drive, radar, where) for link, _ in way]
    for i, run in enumerate(radar):
        times_ns = np.array([one.time_ns for one in run], np.int64)
        path = [(tracks[k][i], forward) for k, (_, forward) in enumerate(way)]
        found.append(_known(path, times_ns, mounting, source.max_gap_s))
    return found


def _known(
    path: Sequence[tuple["_Track", bool]], times_ns: np.ndarray, mounting: np.ndarray, gap_s: float
) -> list[Known | None]:
    (poses, known), (before, known_before), (after, known_after) = (
        _along(path, times_ns + aside_ns, mounting, gap_s) for aside_ns in (0, -ASIDE_NS, ASIDE_NS)
    )
    found: list[Known | None] = []
    for i in range(len(times_ns)):
        if not known[i]:
            found.append(None)
            continue
        ends = [before[i] if known_before[i] else poses[i], after[i] if known_after[i] else poses[i]]
        seconds = (int(known_before[i]) + int(known_after[i])) * ASIDE_NS / 1e9
        way_m = poses[i, :3, :3].T @ (ends[1][:3, 3] - ends[0][:3, 3])
        found.append((poses[i, :3].tolist(), (way_m / seconds).tolist() if seconds else None))
    return found


@dataclass(frozen=True)
class _Track:
    """The transforms of a link: times (K,) [ns], values (K, 7); one that is constant has no times, and one row."""

    times_ns: np.ndarray
    values: np.ndarray

    def at(self, times_ns: np.ndarray, gap_s: float) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4, 4) at some times, and (N,) whether it is known then."""
        count = len(times_ns)
        if not len(self.times_ns):
            known = np.full(count, bool(len(self.values)))
            return _matrices(np.repeat(self.values, count, axis=0) if known.any() else _nothing(count)), known
        after = np.searchsorted(self.times_ns, times_ns)
        last = len(self.times_ns) - 1
        before = np.where(self.times_ns[after.clip(0, last)] == times_ns, after, after - 1)
        known = (before >= 0) & (after <= last)
        before, after = before.clip(0, last), after.clip(0, last)
        apart_ns = self.times_ns[after] - self.times_ns[before]
        share = (times_ns - self.times_ns[before]) / np.maximum(apart_ns, 1)
        share = np.where(known, share, 0.0)[:, None]
        first, second = self.values[before], self.values[after]
        turned = Rotation.from_quat(first[:, 3:])
        steps = (turned.inv() * Rotation.from_quat(second[:, 3:])).as_rotvec()
        values = np.column_stack([(1 - share) * first[:, :3] + share * second[:, :3], first[:, 3:]])
        values[:, 3:] = (turned * Rotation.from_rotvec(share * steps)).as_quat()
        return _matrices(values), known & (apart_ns <= gap_s * 1e9)


def _along(
    path: Sequence[tuple[_Track, bool]], times_ns: np.ndarray, mounting: np.ndarray, gap_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 4, 4) radar -> world at some times, and (N,) whether all links of the way are known then."""
    poses, known = np.repeat(np.eye(4)[None], len(times_ns), axis=0), np.ones(len(times_ns), bool)
    for track, forward in path:
        step, told = track.at(times_ns, gap_s)
        poses, known = poses @ (step if forward else np.linalg.inv(step)), known & told
    return poses @ mounting, known


def _links(root: Path, drive: Drive, topic: str) -> set[Link]:
    return set().union(*(bags.links(root / bag, topic) for bag in drive.bags))


def _told(root: Path, drive: Drive, topic: str, links: Collection[Link]) -> Transforms:
    """The transforms of some links, in the order of receipt."""
    found: Transforms = {}
    told = [(time, bag, each) for bag in drive.bags for time, each in bags.transforms(root / bag, topic, links)]
    for received_ns, bag, each in sorted(told, key=lambda one: one[0]):
        message = _Transform(received_ns, each.stamp_ns, False, each.values)
        found.setdefault((each.parent, each.child), []).append((bag, message))
    return found


def _way(first: str, last: str, links: Sequence[Link], where: str) -> list[tuple[Link, bool]]:
    """The links from one frame to another one, each with whether it is gone from its parent to its child."""
    ways: dict[str, list[tuple[Link, bool]]] = {first: []}
    reached = [first]
    for frame in reached:
        for link, forward, other in _neighbours(frame, links):
            if other not in ways:
                ways[other] = [*ways[frame], (link, forward)]
                reached.append(other)
    if last not in ways:
        shown = [f"{parent} -> {child}" for parent, child in sorted(set(links))]
        more = f" and {len(shown) - MOST_TOLD} more" if len(shown) > MOST_TOLD else ""
        told = ", ".join(shown[:MOST_TOLD]) or "none"
        raise InputError(f"{where}: expected transforms from {first} to {last}, got {told}{more}")
    return ways[last]


def _neighbours(frame: str, links: Sequence[Link]) -> Iterator[tuple[Link, bool, str]]:
    for parent, child in links:
        if parent == frame:
            yield (parent, child), True, child
        elif child == frame:
            yield (parent, child), False, parent


def _tracks(
    link: Link,
    moving: Transforms,
    static: Transforms,
    source: MotionFrames,
    drive: Drive,
    radar: Sequence[Sequence[Stamped]],
    where: str,
) -> list[_Track]:
    """The transforms of a link for each run of the radar, which are those with the same clock."""
    if link not in moving:
        return [_Track(np.zeros(0, np.int64), _values([static[link][-1][1]], link, where))] * len(radar)
    name = " -> ".join(link)
    topic = _Topic(name, source.stamps, source.offset_s, source.same_stamp)
    runs = drives.runs(Drive(drive.bags, {name: list(moving[link])}), topic, Path())
    return [_track(run, link, where) for run in drives.partners(radar, runs)]


def _track(run: Sequence[Stamped], link: Link, where: str) -> _Track:
    times_ns = np.array([one.time_ns for one in run], np.int64)
    return _Track(times_ns, _values([one.message for one in run], link, where))


def _constant(link: Link, moving: Transforms, static: Transforms, where: str) -> np.ndarray:
    """(4, 4) of a link that does not change. Some of ROS 1 are told again and again, and not on /tf_static."""
    told = static.get(link) or moving[link]
    found = _matrices(_values([message for _, message in told], link, where))
    if link not in static and np.ptp(found, axis=0).max() > STILL:
        parent, child = link
        raise InputError(f"{where}: expected {child} to be fixed on {parent}, got a transform that changes")
    return np.asarray(found[-1])


def _directed(matrix: np.ndarray, forward: bool) -> np.ndarray:
    return matrix if forward else np.linalg.inv(matrix)


def _values(told: Sequence[Message], link: Link, where: str) -> np.ndarray:
    """(K, 7) translation [m] and quaternion of messages; raises InputError for one that is no transform."""
    values = np.array([one.values for one in told if isinstance(one, _Transform)]).reshape(-1, 7)
    sane = (np.abs(values) <= MAX_VALUE).all(axis=1)
    sane &= np.abs(np.linalg.norm(np.where(sane[:, None], values, 0)[:, 3:], axis=1) - 1) <= UNIT
    if not sane.all():
        got = values[~sane][0].tolist()
        raise InputError(
            f"{where}: expected a translation and a quaternion of length 1 from {' to '.join(link)}, got {got}"
        )
    return values


def _matrices(values: np.ndarray) -> np.ndarray:
    """(N, 4, 4) of (N, 7) translations and quaternions."""
    matrices = np.repeat(np.eye(4)[None], len(values), axis=0)
    if len(values):
        matrices[:, :3, :3], matrices[:, :3, 3] = Rotation.from_quat(values[:, 3:]).as_matrix(), values[:, :3]
    return matrices


def _nothing(count: int) -> np.ndarray:
    return np.tile([0.0, 0, 0, 0, 0, 0, 1], (count, 1))
