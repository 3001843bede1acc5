"""The reader of Acconeer's A121: on files written here in its format, on damaged ones, and on the real ones."""

import json

import h5py
import numpy as np
import pytest
from scipy.constants import speed_of_light

from echoes.errors import InputError
from echoes.readers import acconeer

SWEEPS = acconeer.Source("acconeer", "sweeps")
FRAMES = acconeer.Source("acconeer", "frames")
PAIR = np.dtype([("real", "<i2"), ("imag", "<i2")])
COUNT, PER_FRAME, RANGES = 20, 16, 3
SWEEP_HZ = 800.0
VELOCITY_MPS = 0.3  # receding


def samples():
    """(320, 3) a still wall in range 0, a target that recedes in range 1, and its weak shadow in range 2."""
    time_s = np.arange(COUNT * PER_FRAME) / SWEEP_HZ
    moving = np.exp(2j * np.pi * 2 * VELOCITY_MPS * time_s / (speed_of_light / 60.5e9))  # phase grows with distance
    return np.stack([np.full(len(time_s), 9000.0), 700 + 500 * moving, 50 * moving], axis=1)


def stored(values):
    frames = np.zeros((COUNT, PER_FRAME, RANGES), PAIR)
    frames["real"], frames["imag"] = np.round([values.real, values.imag]).reshape(2, *frames.shape)
    return frames


def settings(**changed):
    known = {"sweep_rate": SWEEP_HZ, "frame_rate": None, "continuous_sweep_mode": True, "sweeps_per_frame": PER_FRAME}
    return known | changed


def write(path, sessions=1, ticks_per_second=1000, **changed):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["server_info"] = json.dumps({"ticks_per_second": ticks_per_second})
        for k in range(sessions):
            session = file.create_group(f"sessions/session_{k}")
            session["session_config"] = json.dumps({"groups": [{"2": settings(**changed)}]})
            session["group_0/entry_0/sensor_id"] = 2
            session["group_0/entry_0/result/frame"] = stored(samples())
            session["group_0/entry_0/result/tick"] = 25 * np.arange(COUNT)
    return path


BURSTS = {"continuous_sweep_mode": False, "frame_rate": 20.0}


def test_sweeps_without_pauses_are_one_signal_that_turns_backward_when_receding(tmp_path):
    write(tmp_path / "hand.h5")
    (recorded,) = acconeer.index(tmp_path, SWEEPS)
    assert (recorded.labels, recorded.duration_s) == ({"activity": "hand"}, pytest.approx(0.4))
    signal = acconeer.read(tmp_path, SWEEPS, recorded)
    assert (signal.rate_hz, len(signal.samples), signal.samples.dtype) == (SWEEP_HZ, 320, np.complex64)
    np.testing.assert_allclose(signal.samples, np.conj(samples()[:, 1]), atol=1)  # of the range that moves
    moving = signal.samples - 700
    frequency_hz = np.angle(np.vdot(moving[:-1], moving[1:])) / 2 / np.pi * SWEEP_HZ
    assert -frequency_hz * signal.wavelength_m / 2 == pytest.approx(VELOCITY_MPS, abs=0.01)


def test_frames_that_fill_their_time_have_no_pauses_even_if_not_called_continuous(tmp_path):
    write(tmp_path / "hand.h5", continuous_sweep_mode=False, frame_rate=SWEEP_HZ / PER_FRAME)
    assert acconeer.index(tmp_path, SWEEPS)[0].duration_s == pytest.approx(0.4)


def test_bursts_are_refused_as_sweeps_and_read_as_the_mean_of_each_frame(tmp_path):
    write(tmp_path / "hand.h5", **BURSTS)
    with pytest.raises(InputError, match=r"hand\.h5#session_0/group_0/entry_0: .* got bursts of 16 \(slow_time: fra"):
        acconeer.index(tmp_path, SWEEPS)
    (recorded,) = acconeer.index(tmp_path, FRAMES)
    signal = acconeer.read(tmp_path, FRAMES, recorded)
    assert (signal.rate_hz, recorded.duration_s) == (20, 1)
    np.testing.assert_allclose(signal.samples, np.conj(samples()[:, 1]).reshape(COUNT, -1).mean(axis=1), atol=1)


@pytest.mark.parametrize(
    ("changed", "rate_hz"),
    [({}, 50), ({"continuous_sweep_mode": False}, 40), (BURSTS | {"sweep_rate": None}, 20)],
    ids=["from the sweeps", "by the clock", "as configured"],
)
def test_the_frame_rate_is_known_even_where_it_was_left_open(tmp_path, changed, rate_hz):
    write(tmp_path / "hand.h5", **changed)
    (recorded,) = acconeer.index(tmp_path, FRAMES)
    assert acconeer.read(tmp_path, FRAMES, recorded).rate_hz == pytest.approx(rate_hz)


def test_every_session_of_a_file_is_a_recording(tmp_path):
    write(tmp_path / "7/wave/a.h5", sessions=11)
    recorded = acconeer.index(tmp_path, FRAMES)
    assert [r.key for r in recorded] == [f"7/wave/a.h5#session_{k}/group_0/entry_0" for k in range(11)]
    assert recorded[10].labels == {"user": "7", "activity": "wave"}
    assert len(acconeer.read(tmp_path, FRAMES, recorded[10]).samples) == COUNT


def test_a_session_numbered_with_another_sign_is_none_of_the_sessions(tmp_path):
    """int() does not take every character that isdigit() does."""
    edit(write(tmp_path / "hand.h5"), "sessions/session_²/group_0/entry_0/sensor_id", 2)
    assert len(acconeer.index(tmp_path, FRAMES)) == 1


def edit(path, name, value):
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value


ENTRY = "sessions/session_0/group_0/entry_0"
CONFIG = "sessions/session_0/session_config"
DAMAGES = {
    "no HDF5": (lambda p: p.write_bytes(b"x" * 999), "hand.h5: expected a whole HDF5 file"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:3000]), "hand.h5: expected a whole HDF5 file"),
    "no sessions": (lambda p: edit(p, "sessions", None), "expected a group sessions, got only server_info"),
    "sessions is data": (lambda p: edit(p, "sessions", 1), "expected a group sessions"),
    "no entry": (lambda p: edit(p, ENTRY, None), "expected sessions/session_K/group_G/entry_E, got none"),
    "no frame": (lambda p: edit(p, f"{ENTRY}/result/frame", None), "entry_0: expected a dataset result/frame, got"),
    "plain frame": (
        lambda p: edit(p, f"{ENTRY}/result/frame", np.ones((4, 16, 3))),
        "of real and imag, got .* float64",
    ),
    "flat frame": (lambda p: edit(p, f"{ENTRY}/result/frame", stored(samples())[0]), r"got \(16, 3\) of"),
    "no sweeps": (lambda p: edit(p, f"{ENTRY}/result/frame", stored(samples())[:0]), r"got \(0, 16, 3\) of"),
    "no config": (lambda p: edit(p, CONFIG, None), "expected a dataset session_config, got only group_0"),
    "broken config": (lambda p: edit(p, CONFIG, "{"), "expected session_config as JSON, got b'{'"),
    "list config": (lambda p: edit(p, CONFIG, "[]"), "expected session_config as a JSON object, got a list"),
    "other sensor": (lambda p: edit(p, f"{ENTRY}/sensor_id", 3), "expected the rates of sensor 3 in session_config"),
    "no sensor": (lambda p: edit(p, f"{ENTRY}/sensor_id", None), "expected a dataset sensor_id"),
    "other sweeps": (lambda p: write(p, sweeps_per_frame=8), "expected 16 sweeps per frame and rates above 0"),
    "rate of a word": (lambda p: write(p, sweep_rate="fast"), "expected the rates of sensor 2"),
    "rate of 0": (lambda p: write(p, sweep_rate=0), "rates above 0 in session_config, got 16"),
    "list of sensors": (lambda p: edit(p, f"{ENTRY}/sensor_id", [2, 2]), "expected sensor_id as a whole number"),
    "list of configs": (lambda p: edit(p, CONFIG, ["{}", "{}"]), "expected session_config as one text"),
    "number as config": (lambda p: edit(p, CONFIG, 7), "expected session_config as one text"),
    "brackets without end": (lambda p: edit(p, CONFIG, "[" * 100_000), "expected session_config as JSON"),
    "text as samples": (
        lambda p: edit(p, f"{ENTRY}/result/frame", np.zeros((20, 16, 3), [("real", "S2"), ("imag", "S2")])),
        "of real and imag, got",
    ),
    "infinite samples": (
        lambda p: edit(p, f"{ENTRY}/result/frame", np.full((20, 16, 3), np.inf, [("real", "f4"), ("imag", "f4")])),
        "expected finite samples, got inf",
    ),
    "rate in quotes": (lambda p: write(p, sweep_rate="800"), "expected rates as numbers"),
    "mode in quotes": (lambda p: write(p, continuous_sweep_mode="no"), "continuous_sweep_mode as true or false"),
    "a tick too few": (
        lambda p: edit(write(p, continuous_sweep_mode=False), f"{ENTRY}/result/tick", 25 * np.arange(COUNT - 1)),
        "expected a tick for each of 20 frames, got 19",
    ),
    "a clock that stands still": (
        lambda p: edit(write(p, continuous_sweep_mode=False), f"{ENTRY}/result/tick", 1e30 * np.arange(COUNT)),
        "expected ticks of 1e-12 to 1e\\+12 frames/s, got 1e-27",
    ),
    "no clock": (
        lambda p: write(p, ticks_per_second=None, continuous_sweep_mode=False),
        "expected a frame_rate, or ticks_per_second and ticks that increase",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(tmp_path, damage):
    DAMAGES[damage][0](write(tmp_path / "hand.h5"))
    with pytest.raises(InputError, match=DAMAGES[damage][1]) as error:
        [acconeer.read(tmp_path, FRAMES, r) for r in acconeer.index(tmp_path, FRAMES)]
    assert "\n" not in str(error.value)
    assert str(tmp_path / "hand.h5") in str(error.value)


def test_all_real_recordings_read_as_frames(recordings):
    root = recordings / "acconeer-a121-iq"
    recorded = acconeer.index(root, FRAMES)
    assert len(recorded) == 10
    assert len({r.labels["activity"] for r in recorded}) == 7
    rates = [acconeer.read(root, FRAMES, r).rate_hz for r in recorded]
    assert rates == pytest.approx([20, 2, 10, 2, 10, 10, 12, 10, 23.4375, 9.466], abs=1e-3)
    lengths = [len(acconeer.read(root, FRAMES, r).samples) for r in recorded]
    assert lengths == [773, 11, 104, 5, 33, 130, 137, 106, 44, 15]


def test_the_real_water_has_no_pauses_between_its_sweeps(recordings, tmp_path):
    (tmp_path / "water.h5").write_bytes((recordings / "acconeer-a121-iq/surface_velocity_default.h5").read_bytes())
    (recorded,) = acconeer.index(tmp_path, SWEEPS)
    signal = acconeer.read(tmp_path, SWEEPS, recorded)
    assert (signal.rate_hz, len(signal.samples)) == (3000, 44 * 128)
    assert recorded.duration_s == pytest.approx(1.877, abs=1e-3)
