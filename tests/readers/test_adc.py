"""The reader of raw FMCW samples: on frames written here, on damaged files, and on the real ones."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from echoes import seeds
from echoes.errors import InputError
from echoes.readers import adc

SOURCE = adc.Source("adc", False, 1e-3, 60e9)


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


def test_a_frame_is_a_recording_of_one_sample_per_chirp(tmp_path):
    write(tmp_path / "7/walk/1.npy", frame(32, 4, 16))
    recorded, signal = only(tmp_path)
    assert recorded.labels == {"user": "7", "activity": "walk"}
    assert recorded.duration_s == pytest.approx(0.032)
    assert (signal.samples.shape, signal.samples.dtype, signal.rate_hz) == ((32,), np.complex64, 1000)
    assert signal.wavelength_m == pytest.approx(4.9965e-3, rel=1e-4)


def test_antennas_may_be_missing_and_the_order_in_the_file_does_not_matter(tmp_path):
    cube = frame(32, 1, 16)
    plain = adc.cube(write(tmp_path / "a.npy", cube), False)
    np.testing.assert_array_equal(adc.cube(write(tmp_path / "b.npy", cube[:, 0]), False), plain)
    several = frame(32, 4, 16)
    np.testing.assert_array_equal(adc.cube(write(tmp_path / "c.npy", np.asfortranarray(several)), False), several)


@pytest.mark.parametrize("real", [False, True])
def test_wrapped_samples_get_their_sign_back(tmp_path, real):
    cube = frame(8, 2, 16).real if real else frame(8, 2, 16)
    wrapped = cube.real % 65536 if real else cube.real % 65536 + 1j * (cube.imag % 65536)
    np.testing.assert_array_equal(adc.cube(write(tmp_path / "a.npy", np.asfortranarray(wrapped)), True), cube)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (frame(8), r"expected numbers .* got \(8,\) of complex128"),
        (frame(2, 2, 2, 2), r"got \(2, 2, 2, 2\)"),
        (frame(1, 16), r"got \(1, 16\)"),
        (frame(8, 0), r"got \(8, 0\)"),
        (np.zeros((8, 8), dtype=bool), "of bool"),
        (np.full((8, 8), np.nan), "expected finite samples, got nan"),
        (np.full((8, 8), "a"), "got .* of <U1"),
        (np.full((8, 8), None), "expected a whole .npy file, got: "),
    ],
)
def test_what_is_no_frame_of_chirps_is_refused(tmp_path, values, message):
    write(tmp_path / "a.npy", values)
    with pytest.raises(InputError, match=f"a.npy: .*{message}") as error:
        only(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 300])
def test_a_file_cut_off_is_refused(tmp_path, keep):
    path = write(tmp_path / "a.npy", frame(32, 16))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a\.npy: expected a whole \.npy file"):
        only(tmp_path)


def test_samples_that_cannot_be_wrapped_are_refused(tmp_path):
    write(tmp_path / "a.npy", frame(8, 16))
    with pytest.raises(InputError, match=r"a\.npy: expected 0 to 65535 as samples are wrapped, got -"):
        only(tmp_path, replace(SOURCE, wrapped=True))


@pytest.mark.parametrize("name", ["chirp_s", "frequency_hz"])
def test_impossible_parameters_are_refused_by_name(name):
    with pytest.raises(InputError, match=f"^{name}: expected more than 0"):
        replace(SOURCE, **{name: 0.0})


def test_the_real_frames_are_small_numbers_once_their_sign_is_back(recordings):
    root = recordings / "openradar-adc"
    source = replace(SOURCE, wrapped=True)
    recorded = adc.index(root, source)
    assert [r.labels["activity"] for r in recorded] == ["doppler_example_1", "simple_frame_1"]
    assert [adc.cube(root / r.key, True).shape for r in recorded] == [(128, 8, 128), (128, 1, 128)]
    for r in recorded:
        assert np.abs(adc.cube(root / r.key, True).view(np.float64)).max() < 300
        assert adc.read(root, source, r).samples.shape == (128,)


def with_header(text):
    header = text.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + bytes(512)


HEADERS = {
    "ten terabytes": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 1)}"),
    "more than 64 bits": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 8)}"),
    "no literal": with_header("{'descr': '<f8', 'shape': ("),
    "brackets without end": with_header("(" * 110),
    "another format": b"PK\3\4" + bytes(512),
    "a pickle": with_header("{'descr': '|O', 'fortran_order': False, 'shape': (4, 4)}"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_lies_is_refused_in_one_line(tmp_path, header):
    (tmp_path / "a.npy").write_bytes(HEADERS[header])
    with pytest.raises(InputError, match=r"a\.npy: expected (a whole \.npy file|numbers)"):
        adc.index(tmp_path, SOURCE)


def test_samples_whose_square_is_infinite_are_refused(tmp_path):
    write(tmp_path / "a.npy", np.full((4, 4), 1e200))
    with pytest.raises(InputError, match=r"a\.npy: expected finite samples, got 1e\+200"):
        only(tmp_path)
