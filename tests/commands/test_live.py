"""Command live: frames that come are enhanced as they are alone, the newest first, in memory that does not grow."""

import socket
from collections.abc import Callable, Iterator
from io import BytesIO
from threading import Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tracks
from echoes.commands import framing, live
from echoes.commands.framing import IN, OUT, Joined
from echoes.errors import InputError
from echoes.inference import Enhancer, columns
from echoes.inference.live import Arrived, Latencies, Live, Made, Newest
from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler

CPU = torch.device("cpu")
SENSOR = SimpleNamespace(doppler=Doppler(None, 0.5, 0.2, 30.0))
NOWHERE = np.float32([[900, 0, 0, 0, 60]])


def ticks() -> Callable[[], float]:
    """A clock of its own, which goes on by a second whenever it is asked."""
    now = iter(range(10**6))
    return lambda: float(next(now))


@pytest.fixture(scope="module")
def enhancer(tmp_path_factory: pytest.TempPathFactory) -> Enhancer:
    data = tmp_path_factory.mktemp("live") / "radar"
    tracks.radar(data)
    return Enhancer.load(data, device=CPU)


@pytest.fixture
def frames() -> list[np.ndarray]:
    """Three frames of random returns inside the grid."""
    rng = np.random.default_rng(0)
    low, high = [1, -7, -2, -5, 120], [7, 7, 3, 5, 150]
    return [rng.uniform(low, high, (20 + i, 5)).astype(np.float32) for i in range(3)]


def loop_of(enhancer: Enhancer) -> Live:
    return Live(enhancer, live.reference(enhancer.ego_motion, "over_ground", SENSOR), ticks())


def test_a_stream_of_frames_becomes_a_stream_of_the_clouds_they_have_alone(
    enhancer: Enhancer, frames: list[np.ndarray]
) -> None:
    sent = [*frames, NOWHERE, frames[0] * np.float32(np.nan)]
    stream = BytesIO(b"".join(framing.packed(0.1 * i, points) for i, points in enumerate(sent)))
    out = BytesIO()
    loop = loop_of(enhancer)
    loop.warm()
    told = live.run(loop, live.arriving(stream), lambda made: out.write(framing.packed(made.stamp, made.cloud)), True)
    out.seek(0)
    found = list(framing.messages(out, OUT))
    assert [stamp for stamp, _ in found] == [0.1 * i for i in range(5)]
    for i, points in enumerate(frames):
        np.testing.assert_allclose(found[i][1], columns.rows(enhancer(points, i)), rtol=1e-5, atol=1e-5)
    assert [len(cloud) for _, cloud in found[3:]] == [0, 0]
    assert told[0] == "5 frames enhanced, 0 dropped because a newer one was there"
    assert "1 frames without a cloud: no return inside the grid" in told
    assert "1 frames without a cloud: numbers that are not finite" in told
    assert loop.unlike()
    assert set(loop.unlike()) <= set(told)
    assert loop.latencies.count == 5


def test_a_frame_that_is_late_gives_way_to_the_newest(enhancer: Enhancer, frames: list[np.ndarray]) -> None:
    busy, all_sent = Event(), Event()

    def arriving() -> Iterator[Arrived]:
        yield Arrived(0.0, frames[0], 0.0)
        busy.wait(60)
        for stamp in (1.0, 2.0, 3.0):
            yield Arrived(stamp, frames[1], 0.0)
        all_sent.set()

    stamps = []

    def send(made: Made) -> None:
        stamps.append(made.stamp)
        busy.set()
        all_sent.wait(60)

    told = live.run(loop_of(enhancer), arriving(), send, False)
    assert stamps == [0.0, 3.0]
    assert told[0] == "2 frames enhanced, 2 dropped because a newer one was there"


def test_what_goes_wrong_where_frames_come_from_is_told_where_they_are_taken() -> None:
    newest = Newest()
    newest.put(Arrived(0.0, NOWHERE, 0.0))
    live._fill(newest, live.arriving(BytesIO(framing.packed(1.0, NOWHERE)[:-1])))
    taken = iter(newest)
    assert next(taken).stamp == 0.0
    with pytest.raises(InputError, match=r"^stream: expected 20 bytes of a frame, got 19$"):
        next(taken)


def test_datagrams_are_answered_with_those_of_the_clouds(enhancer: Enhancer, frames: list[np.ndarray]) -> None:
    with live.Datagrams("127.0.0.1", 0) as at, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as robot:
        robot.settimeout(60)
        robot.connect(at.address)
        thread = Thread(target=live.run, args=(loop_of(enhancer), at.frames(), at.send, True))
        thread.start()
        for datagram in (b"noise", *framing.datagrams(7.0, frames[0])):
            robot.send(datagram)
        stamp, cloud = next(framing.messages(BytesIO(robot.recv(1 << 16)), OUT))
        robot.send(b"")
        thread.join(60)
    assert stamp == 7.0
    np.testing.assert_allclose(cloud, columns.rows(enhancer(frames[0], 0)), rtol=1e-5, atol=1e-5)
    assert at.joined.damaged == 1


@pytest.mark.parametrize("count", [0, 1, 3199, 3200, 3201, 6400])
def test_a_cloud_of_any_size_goes_through_datagrams(count: int) -> None:
    rows = np.arange(5 * count, dtype=np.float32).reshape(count, 5)
    sent = framing.datagrams(2.5, rows)
    assert max(map(len, sent)) <= 65_507
    assert len(sent) == count // 3200 + 1
    joined = Joined(IN)
    *before, last = [joined.take(datagram) for datagram in sent]
    assert before == [None] * (len(sent) - 1)
    assert last is not None
    assert last[0] == 2.5
    np.testing.assert_array_equal(last[1], rows)


def test_what_is_lost_on_the_way_costs_its_own_frame_alone() -> None:
    rows, joined = np.ones((3201, 5), np.float32), Joined(IN)
    first, second = framing.datagrams(1.0, rows), framing.datagrams(2.0, rows[:3])
    assert [joined.take(datagram) for datagram in (first[0], b"", second[0][:-1])] == [None] * 3
    found = joined.take(second[0])
    assert found is not None
    assert (found[0], len(found[1])) == (2.0, 3)
    assert joined.damaged == 3


@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"\0" * 5, "expected 12 bytes of a frame, got 5"), (framing.HEADER.pack(0.0, 1 << 30), "at most 1048576 points")],
)
def test_a_stream_that_is_none_of_frames_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(framing.messages(BytesIO(raw), IN))


def test_latencies_are_told_within_one_percent_and_take_no_more_room_for_more_of_them() -> None:
    seconds = np.random.default_rng(0).uniform(0.01, 0.2, 1001)
    latencies = Latencies()
    size = latencies._counts.nbytes
    for value in seconds:
        latencies.add(value)
    for level in (0.5, 0.99):
        assert latencies.quantile(level) == pytest.approx(np.sort(seconds)[int(level * 1001)], rel=0.01)
    assert (latencies.count, latencies._counts.nbytes) == (1001, size)
    assert Latencies().quantile(0.5) == 0


def test_relative_doppler_loses_the_ego_velocity_that_it_tells_itself() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform([5, -20, -1], [50, 20, 1], (60, 3)), np.zeros(60), np.full(60, 60.0)])
    points, velocity = points.astype(np.float32), np.array([8.0, 0.5, 0.0])
    seen = ego_motion.relative(points, velocity, None)
    found, told = live.reference("recorded", "relative", SENSOR)(seen)
    np.testing.assert_allclose(told, velocity, atol=0.05)
    np.testing.assert_allclose(found[:, 3], 0, atol=0.05)
    assert len(live.reference("recorded", "relative", SENSOR)(seen[:2])[0]) == 0
    assert live.reference("none", None, SENSOR)(seen)[0] is seen
    for trained, given in (("recorded", None), ("none", "over_ground")):
        with pytest.raises(InputError, match=r"^--doppler: expected "):
            live.reference(trained, given, SENSOR)
