"""The reader of raw FMCW samples: arrays and captures written here, damaged files, and axes in another order."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from scipy.constants import speed_of_light

from echoes import params, seeds
from echoes.errors import InputError
from echoes.readers import adc
from echoes.readers.chirps import FrameParams

FRAME = FrameParams(8, 2, 16, 1, 1e-3, None, 1e6, 60e9)
SOURCE = adc.Source("adc", ("chirps", "antennas", "samples"), "normal", False, "chirps", FRAME)
TWO_LANES = ("frames", "chirps", "antennas", "samples", "iq", "lanes")  # as xWR16xx, 18xx and 68xx write
FOUR_LANES = ("frames", "chirps", "samples", "iq", "antennas")  # as xWR12xx and 14xx do
SPEED_MPS, BEAT = 0.5, 3  # of the target, and the range cell that it is in


def changed(source=SOURCE, frame=None, **values):
    return replace(source, frame=replace(source.frame, **(frame or {})), **values)


def frame(*shape):
    rng = seeds.rng(0, "frame", *shape)
    return rng.integers(-32768, 32768, shape) + 1j * rng.integers(-32768, 32768, shape)


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)
    return path


def only(root, source=SOURCE):
    (recorded,) = adc.index(root, source)
    return recorded, adc.read(root, source, recorded)


def cubes(path, source=SOURCE):
    return np.stack(list(adc.Recording(path, source)))


def target(source, frames):
    """(frames, chirps, antennas, samples) beats of one that recedes in range cell BEAT.

    It is to the side, so that antennas and transmitters see it with phases of their own.
    """
    held = source.frame
    start_s, chirp = np.arange(frames)[:, None] * held.period_s, np.arange(held.chirps)
    path_m = 2 * SPEED_MPS * (start_s + chirp * held.chirp_s)
    slow = 2 * np.pi * path_m * held.frequency_hz / speed_of_light + 2.0 * (chirp % held.transmitters)
    steering = 0.7 * np.arange(held.antennas)[:, None]
    fast = 2 * np.pi * BEAT * np.arange(held.samples) / held.samples
    return np.round(9000 * np.exp(1j * (slow[:, :, None, None] + steering + fast)))


def captured(cube, axes):
    """The words of a capture, written out one by one as SWRA581B shows them."""
    words = []
    for chirp in cube.reshape(-1, *cube.shape[2:]):  # (antennas, samples)
        if axes == TWO_LANES:
            for antenna in chirp:
                for first, second in antenna.reshape(-1, 2):
                    words += [first.real, second.real, first.imag, second.imag]
        elif axes == FOUR_LANES:
            for sample in chirp.T:
                words += [*sample.real, *sample.imag]
        else:
            words += list(chirp.real.reshape(-1))
    return np.array(words).astype("<i2")


def velocity_mps(signal):
    """From the turn of the phase between two samples."""
    turn = np.angle(np.vdot(signal.samples[:-1], signal.samples[1:]))
    return -turn / (2 * np.pi) * signal.rate_hz * signal.wavelength_m / 2


def test_a_frame_is_a_recording_of_one_sample_per_chirp(tmp_path):
    write(tmp_path / "7/walk/1.npy", frame(8, 2, 16))
    recorded, signal = only(tmp_path)
    assert recorded.labels == {"user": "7", "activity": "walk"}
    assert recorded.duration_s == pytest.approx(0.008)
    assert (signal.samples.shape, signal.samples.dtype, signal.rate_hz) == ((8,), np.complex64, 1000)
    assert signal.wavelength_m == pytest.approx(4.9965e-3, rel=1e-4)


def test_axes_in_any_order_and_storage_give_the_same_frames(tmp_path):
    plain, names = frame(3, 8, 2, 16), ("frames", "chirps", "antennas", "samples")
    for number, axes in enumerate((names, names[::-1], ("samples", "frames", "antennas", "chirps"))):
        source = changed(axes=axes, frame={"period_s": 0.008})
        stored = plain.transpose([names.index(name) for name in axes])
        for storage in (np.ascontiguousarray, np.asfortranarray):
            path = write(tmp_path / f"{number}.npy", storage(stored))
            np.testing.assert_array_equal(cubes(path, source), plain)
    pairs = np.stack([plain[0, :, 0].imag, plain[0, :, 0].real], axis=1)
    source = changed(axes=("chirps", "iq", "samples"), iq="swapped", frame={"antennas": 1})
    np.testing.assert_array_equal(cubes(write(tmp_path / "a.npy", pairs), source)[0, :, 0], plain[0, :, 0])


@pytest.mark.parametrize("axes", [TWO_LANES, FOUR_LANES, ("frames", "chirps", "antennas", "samples")])
def test_a_capture_has_its_samples_where_the_board_writes_them(tmp_path, axes):
    source = changed(axes=axes, frame={"period_s": 0.008})
    plain = frame(3, 8, 2, 16)
    (tmp_path / "a.bin").write_bytes(captured(plain, axes).tobytes())
    np.testing.assert_array_equal(cubes(tmp_path / "a.bin", source), plain if "iq" in axes else plain.real)


@pytest.mark.parametrize("axes", [TWO_LANES, FOUR_LANES])
@pytest.mark.parametrize("transmitters", [1, 2])
@pytest.mark.parametrize("iq", ["normal", "swapped"])
def test_a_receding_target_in_a_capture_has_its_velocity_and_duration(tmp_path, axes, transmitters, iq):
    source = changed(axes=axes, iq=iq, frame={"transmitters": transmitters, "chirp_s": 5e-4, "period_s": 4e-3})
    cube = target(source, 20)
    cube = cube if iq == "normal" else cube.imag + 1j * cube.real
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk/a.bin").write_bytes(captured(cube, axes).tobytes())
    recorded, signal = only(tmp_path, source)
    assert recorded.duration_s == pytest.approx(20 * 4e-3)
    assert len(signal.samples) / signal.rate_hz == pytest.approx(20 * 4e-3)
    assert velocity_mps(signal) == pytest.approx(SPEED_MPS, rel=1e-2)


def test_samples_beyond_the_converter_are_counted_over_all_channels(tmp_path):
    wide = changed(frame={"chirps": 64})
    cube = 900 * seeds.rng(0, "loud").standard_normal((64, 2, 16))
    write(tmp_path / "whole.npy", np.round(cube) + 0j)
    write(tmp_path / "cut.npy", np.round(cube).clip(-1000, 1000) + 0j)
    cut, whole = (adc.read(tmp_path, wide, one).clipped for one in adc.index(tmp_path, wide))
    assert cut == np.mean(np.abs(np.round(cube)) >= 1000)
    assert whole == 0


def test_one_sample_per_frame_is_taken_where_there_are_pauses_between_frames(tmp_path):
    source = changed(axes=TWO_LANES, slow_time="frames", frame={"chirp_s": 2e-5, "period_s": 2e-3})
    (tmp_path / "a.bin").write_bytes(captured(target(source, 40), TWO_LANES).tobytes())
    recorded, signal = only(tmp_path, source)
    assert (recorded.duration_s, signal.rate_hz) == (pytest.approx(0.08), pytest.approx(500))
    assert velocity_mps(signal) == pytest.approx(SPEED_MPS, rel=1e-2)
    told = r"^slow_time: expected padded or frames for frames of 8 chirps with pauses of 0\.00184 s"
    with pytest.raises(InputError, match=told):
        changed(source, slow_time="chirps")


def test_pauses_between_frames_are_zeros_and_chirps_stay_at_their_times(tmp_path):
    source = changed(axes=TWO_LANES, slow_time="padded", frame={"transmitters": 2, "chirp_s": 5e-4, "period_s": 6.2e-3})
    wall = 20000 * np.exp(2j * np.pi * BEAT * np.arange(16) / 16)
    cube = np.round(target(source, 100) + wall)
    (tmp_path / "a.bin").write_bytes(captured(cube, TWO_LANES).tobytes())
    recorded, signal = only(tmp_path, source)
    first = np.round(np.arange(100) * 6.2).astype(int)
    expected = np.zeros(round(99 * 6.2) + 4, bool)
    expected[(first[:, None] + np.arange(4)).reshape(-1)] = True
    assert ((np.abs(signal.samples) > 0) == expected).all()
    assert recorded.duration_s == pytest.approx(len(expected) * 1e-3)
    spectrum = np.abs(np.fft.fft(signal.samples))
    frequency_hz = np.fft.fftfreq(len(expected), 1e-3)[np.argmax(spectrum)]
    assert -frequency_hz * signal.wavelength_m / 2 == pytest.approx(SPEED_MPS, abs=signal.wavelength_m / 2 / 0.617)


@pytest.mark.parametrize("real", [False, True])
def test_wrapped_samples_get_their_sign_back(tmp_path, real):
    cube = frame(8, 2, 16).real if real else frame(8, 2, 16)
    wrapped = cube.real % 65536 if real else cube.real % 65536 + 1j * (cube.imag % 65536)
    path = write(tmp_path / "a.npy", np.asfortranarray(wrapped))
    np.testing.assert_array_equal(cubes(path, changed(wrapped=True))[0], cube)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (frame(8), r"expected 8 chirps, 2 antennas, 16 samples, as axes and frame say, got \(8,\)$"),
        (frame(16, 2, 8), r"got \(16, 2, 8\), which fits axes: \[samples, antennas, chirps\]$"),
        (frame(8, 2, 8), r"got \(8, 2, 8\)$"),
        (frame(8, 0, 16), r"got \(8, 0, 16\)$"),
        (np.zeros((8, 2, 16), dtype=bool), "expected numbers, got bool"),
        (np.full((8, 2, 16), np.nan), "expected finite samples, got nan"),
        (np.full((8, 2, 16), "a"), "expected numbers, got <U1"),
        (np.full((8, 2, 16), None), "expected a whole .npy file, got: "),
    ],
)
def test_what_is_no_frame_of_chirps_is_refused(tmp_path, values, message):
    write(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=f"a.npy: .*{message}") as error:
        only(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 300])
def test_a_file_cut_off_is_refused(tmp_path, keep):
    path = write(tmp_path / "a.npy", frame(8, 2, 16))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a\.npy: expected a whole \.npy file"):
        only(tmp_path)


def test_a_capture_that_is_not_whole_frames_is_refused(tmp_path):
    source = changed(axes=TWO_LANES, frame={"period_s": 0.008})
    for size, got in ((0, "0 bytes, 0 frames and 0 bytes"), (1500, "1500 bytes, 1 frames and 476 bytes")):
        (tmp_path / "a.bin").write_bytes(bytes(size))
        told = r"whole frames of 1024 bytes \(8 chirps x 2 antennas x 8 samples x 2 iq x 2 lanes\)"
        with pytest.raises(InputError, match=rf"a\.bin: expected {told}, got {got}$"):
            only(tmp_path, source)
    (tmp_path / "a.bin").write_bytes(bytes(2048))
    with pytest.raises(InputError, match=r"a\.bin: expected one frame of 1024 bytes .*, got 2048 bytes, 2 frames"):
        only(tmp_path, changed(axes=TWO_LANES[1:]))


def test_samples_that_cannot_be_wrapped_or_swapped_are_refused(tmp_path):
    write(tmp_path / "a.npy", frame(8, 2, 16))
    with pytest.raises(InputError, match=r"a\.npy: expected 0 to 65535 as samples are wrapped, got -"):
        only(tmp_path, changed(wrapped=True))
    write(tmp_path / "a.npy", frame(8, 2, 16).real)
    with pytest.raises(InputError, match=r"a\.npy: expected complex samples for iq: swapped, got real ones"):
        only(tmp_path, changed(iq="swapped"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frame": {"frequency_hz": 0.0}}, "frequency_hz: expected more than 0"),
        ({"frame": {"antennas": 0}}, "antennas: expected at least 1, got 0"),
        ({"frame": {"transmitters": 3}}, "chirps: expected as many of each of 3 transmitters, got 8"),
        ({"frame": {"chirp_s": 1e-5}}, "chirp_s: expected no less .* 16 samples at 1e.06 Hz take 1.6e-05 s, got"),
        ({"frame": {"period_s": 7e-3}}, "period_s: expected no less than 8 chirps, 0.008 s, got 0.007"),
        ({"frame": {"period_s": 8e-3}}, "frame.period_s: expected a time where axes has frames, else null, got 0.008"),
        ({"axes": ("chirps", "samples")}, "frame.antennas: expected 1 where axes has none, got 2"),
        ({"axes": ("chirps", "chirps", "samples")}, "axes: expected chirps and samples, and each axis once"),
        ({"axes": ("chirps", "samples", "lanes")}, "axes: expected iq beside lanes, and even samples"),
        ({"slow_time": "frames"}, "slow_time: expected chirps where axes has no frames, got frames"),
    ],
)
def test_impossible_parameters_are_refused_by_name(values, message):
    with pytest.raises(InputError, match=f"^{message}"):
        changed(**values)


def test_keys_that_moved_are_told_by_their_place():
    held = yaml.safe_load(adc.EXAMPLE)["source"]
    assert params.build(adc.Source, held, "x.source").frame.turn_s == pytest.approx(1e-4)
    with pytest.raises(InputError, match=r"^x\.source\.chirp_s: unknown; it is x\.source\.frame\.chirp_s"):
        params.build(adc.Source, {**held, "chirp_s": 1e-3}, "x.source")
