"""The reader of anyone's slow-time signals: one target through every format, and files that are not what is told."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from scipy.constants import speed_of_light
from scipy.io import savemat, wavfile
from tests.readers.test_cw24 import riff

from echoes.errors import InputError
from echoes.grids import Range
from echoes.rasters.spectrograms import StftParams, stft_power
from echoes.readers import iq

CARRIER_HZ, RATE_HZ, COUNT = 24e9, 1000, 200
SOURCE = iq.Source("iq", "rec/iq", "normal", float(RATE_HZ), CARRIER_HZ)
LAYOUT = StftParams(
    velocity=Range(-2.875, 1.125, 16),
    time=Range(0.0, 0.16, 8),
    floor_db=-40.0,
    ceiling_db=0.0,
    hop_s=0.16,
    notch_mps=0.2,
    quiet_db=None,
    raster="stft",
    window="hann",
    window_s=0.06,
    overlap=0.5,
)
PART = np.dtype([("real", "<f8"), ("imag", "<f8")])  # of a complex number in MATLAB's HDF5
VELOCITY_MPS = 0.75  # receding: 120 Hz backward


def target():
    """Of half of full scale, on the offset that mixers leave."""
    turns = -2 * VELOCITY_MPS * CARRIER_HZ / speed_of_light * np.arange(COUNT) / RATE_HZ
    return 0.2 + 0.5 * np.exp(2j * np.pi * turns)


def columns(values):
    return np.stack([values.real, values.imag], axis=1)


def to_npy(change):
    return lambda path, values: np.save(path.with_suffix(".npy"), change(values))


def to_wav(path, values):
    wavfile.write(path.with_suffix(".wav"), RATE_HZ, np.round(columns(values) * 2**15).astype(np.int16))


def to_matlab(compressed):
    def write(path, values):
        held = {"rec/iq": values, "other": np.zeros(9), "I": values.real, "Q": values.imag}
        savemat(path.with_suffix(".mat"), held, do_compression=compressed)

    return write


def to_hdf5(change, suffix):
    def write(path, values):
        with h5py.File(path.with_suffix(suffix), "w", userblock_size=512) as file:
            file["rec/iq"] = change(values)
            file["I"], file["Q"] = values.real, values.imag

    return write


def parts(values):
    found = np.zeros((len(values), 1), PART)
    found["real"][:, 0], found["imag"][:, 0] = values.real, values.imag
    return found


FILES = {
    "npy": to_npy(lambda values: values),
    "npy of columns": to_npy(columns),
    "npy of rows": to_npy(lambda values: columns(values).T.astype(">f4")),
    "npy of one column": to_npy(lambda values: values[:, None].astype(np.complex64)),
    "wav": to_wav,
    "mat": to_matlab(False),
    "mat v7": to_matlab(True),
    "mat v7.3": to_hdf5(parts, ".mat"),
    "h5": to_hdf5(lambda values: values, ".h5"),
    "h5 of rows": to_hdf5(lambda values: columns(values).T, ".hdf5"),
}


def only(root, source=SOURCE):
    (recorded,) = iq.index(root, source)
    return recorded, iq.read(root, source, recorded)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "7/walk").mkdir(parents=True)
    return tmp_path / "7/walk/1"


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("piece", [1 << 20, 64])
def test_a_receding_target_turns_backward_at_its_velocity_from_every_format(tmp_path, monkeypatch, file, form, piece):
    monkeypatch.setattr(iq, "PIECE", piece)
    FILES[form](file, target())
    recorded, signal = only(tmp_path)
    assert (recorded.labels, recorded.duration_s) == ({"user": "7", "activity": "walk"}, COUNT / RATE_HZ)
    assert (signal.samples.dtype, signal.rate_hz) == (np.complex64, RATE_HZ)
    np.testing.assert_allclose(signal.samples, target(), atol=1e-4)
    power = stft_power(signal.samples, signal.rate_hz, signal.wavelength_m, LAYOUT)
    assert (np.argmax(power, axis=0) == LAYOUT.axes()[0].cells(np.array([VELOCITY_MPS]))).all()
    swapped = only(tmp_path, replace(SOURCE, iq="swapped"))[1].samples
    np.testing.assert_allclose(swapped, target().imag + 1j * target().real, atol=1e-4)


@pytest.mark.parametrize("form", ["mat", "mat v7.3", "h5"])
def test_i_and_q_may_be_two_variables(tmp_path, file, form):
    FILES[form](file, target())
    np.testing.assert_allclose(only(tmp_path, replace(SOURCE, variable=("I", "Q")))[1].samples, target(), atol=1e-6)


def unended(path, length):
    """What a recorder leaves that was killed: the samples, a part of one, and a length that is none."""
    FILES["wav"](path, target())
    whole = path.with_suffix(".wav").read_bytes()
    at = whole.index(b"data") + 4
    path.with_suffix(".wav").write_bytes(whole[:4] + bytes(4) + whole[8:at] + length + whole[at + 4 :] + b"\1\2\3")


@pytest.mark.parametrize("length", [bytes(4), b"\xff\xff\xff\xff"])
def test_a_wav_that_does_not_tell_its_length_is_read_to_its_end_and_that_is_said(tmp_path, caplog, file, length):
    unended(file, length)
    with caplog.at_level("INFO"):
        recorded, signal = only(tmp_path)
    assert recorded.duration_s == COUNT / RATE_HZ
    np.testing.assert_allclose(signal.samples, target(), atol=1e-4)
    (said,) = caplog.messages
    assert said.endswith("1.wav: its header tells no length, 200 whole samples are read")


def test_a_wav_that_says_it_holds_nothing_and_ends_there_holds_nothing(tmp_path, file):
    FILES["wav"](file, target())
    content = file.with_suffix(".wav").read_bytes()
    form = content[content.index(b"fmt ") + 8 :][:16]
    file.with_suffix(".wav").write_bytes(riff((b"fmt ", form), (b"data", b""), (b"LIST", b"INFOISF")))
    with pytest.raises(InputError, match=r"1\.wav: expected samples, got none"):
        only(tmp_path)


def edited(path, change):
    path.write_bytes(change(path.read_bytes()))


NPY, WAV, MAT, H5 = ("npy", ".npy"), ("wav", ".wav"), ("mat v7", ".mat"), ("h5", ".h5")
REFUSED = {
    "real": (NPY, lambda p: np.save(p, target().real), {}, r"expected complex samples, .*, got \(200,\) of float64"),
    "three columns": (NPY, lambda p: np.save(p, np.zeros((200, 3))), {}, r"got \(200, 3\) of float64"),
    "which way": (NPY, lambda p: np.save(p, np.zeros((2, 2))), {}, r"got \(2, 2\) of float64"),
    "complex columns": (NPY, lambda p: np.save(p, columns(target()) + 0j), {}, r"got \(200, 2\) of complex128"),
    "truth": (NPY, lambda p: np.save(p, np.zeros((200, 2), bool)), {}, r"got \(200, 2\) of bool"),
    "infinite": (NPY, lambda p: np.save(p, np.full(200, np.inf + 0j)), {}, "expected finite samples, got "),
    "cut npy": (NPY, lambda p: edited(p, lambda data: data[:300]), {}, "expected a whole .npy file"),
    "other rate": (WAV, lambda p: None, {"rate_hz": 500.0}, "expected 500 Hz, as rate_hz says, got 1000 Hz"),
    "one channel": (
        WAV,
        lambda p: wavfile.write(p, RATE_HZ, np.zeros(9, np.int16)),
        {},
        "expected two channels, I and Q, got 1",
    ),
    "cut mat": (MAT, lambda p: edited(p, lambda data: data[:300]), {}, "expected a whole file of MATLAB, got: "),
    "no mat": (MAT, lambda p: p.write_bytes(b"x" * 999), {}, "expected a whole file of MATLAB, got: "),
    "other variable": (MAT, lambda p: None, {"variable": "x"}, "expected a variable x, got only rec/iq, other, I, Q"),
    "text": (MAT, lambda p: savemat(p, {"rec/iq": "walk"}), {}, "expected numbers .* in rec/iq, got .* of char"),
    "no name": (MAT, lambda p: None, {"variable": None}, "expected the name of what it holds in source.variable"),
    "real mat": (MAT, lambda p: None, {"variable": "I"}, r"expected complex samples, .*, got \(1, 200\) of float64"),
    "cut h5": (H5, lambda p: edited(p, lambda data: data[:1500]), {}, "expected a whole HDF5 file, got: "),
    "other dataset": (H5, lambda p: None, {"variable": "rec/x"}, "expected a dataset rec/x, got only I, Q, rec"),
    "unlike": (H5, lambda p: None, {"variable": ("I", "rec/iq")}, r"got \(200,\) of float64 and \(200,\) of complex"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_slow_time_signal_is_refused_in_one_line_that_names_the_file(tmp_path, file, name):
    (form, suffix), damage, values, message = REFUSED[name]
    FILES[form](file, target())
    damage(file.with_suffix(suffix))
    with pytest.raises(InputError, match=f"walk/1{suffix}: .*{message}") as error:
        only(tmp_path, replace(SOURCE, **values))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["rate_hz", "frequency_hz"])
def test_impossible_parameters_are_refused_by_name(name):
    with pytest.raises(InputError, match=f"^{name}: expected more than 0"):
        replace(SOURCE, **{name: 0.0})


def test_samples_at_the_limits_of_a_file_are_counted(tmp_path):
    loud = 3 * np.exp(2j * np.pi * 0.0371 * np.arange(5000))
    for name, values in (("a.npy", loud), ("b.npy", loud.real.clip(-2, 2) + 1j * loud.imag)):
        np.save(tmp_path / name, values)
    whole, cut = (iq.read(tmp_path, SOURCE, one).clipped for one in iq.index(tmp_path, SOURCE))
    assert whole == 0
    assert cut == pytest.approx(np.mean(np.abs(loud.real) >= 2))
