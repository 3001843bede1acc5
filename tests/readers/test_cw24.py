"""The reader of 24 GHz Doppler modules: on tones written here, on damaged files, and on the real recordings."""

import struct

import numpy as np
import pytest
from scipy.constants import speed_of_light
from scipy.io import wavfile

from echoes import seeds
from echoes.errors import InputError
from echoes.readers import cw24, wav

CARRIER_HZ = 24.125e9
SOURCE = cw24.Source("cw24", CARRIER_HZ, 8.0)
SPEED_MPS, AMPLITUDE, SECONDS = 7.9, 0.25, 2.0
TONE_HZ = 2 * SPEED_MPS * CARRIER_HZ / speed_of_light


def tone(rate_hz, frequency_hz=TONE_HZ, seconds=SECONDS):
    return AMPLITUDE * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def riff(*chunks):
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def layout(rate_hz=44100, bits=16, encoding=wav.PCM, channels=1):
    block = channels * bits // 8
    return struct.pack("<HHIIHH", encoding, channels, rate_hz, rate_hz * block, block, bits)


def write_24_bits(path, rate_hz, samples):
    """Three bytes a sample, under the extensible header that audio programs write, with a text chunk before."""
    whole = np.round(samples * 2**23).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    extension = struct.pack("<HHI", 22, 24, 4) + struct.pack("<H", wav.PCM) + wav.GUID_END
    path.write_bytes(
        riff((b"LIST", b"INFOISF"), (b"fmt ", layout(rate_hz, 24, wav.EXTENSIBLE) + extension), (b"data", whole))
    )


def write(path, rate_hz, samples, bits=16):
    path.parent.mkdir(exist_ok=True)
    if bits == 24:
        write_24_bits(path, rate_hz, samples)
    elif bits == 8:
        wavfile.write(path, rate_hz, np.round(samples * 128 + 128).astype(np.uint8))
    elif bits == "float":
        wavfile.write(path, rate_hz, samples.astype(np.float32))
    else:
        wavfile.write(path, rate_hz, np.round(samples * 2 ** (bits - 1)).astype(f"int{bits}"))
    return path


def only(root, source=SOURCE):
    (recorded,) = cw24.index(root, source)
    return recorded, cw24.read(root, source, recorded)


@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000, 96000])
@pytest.mark.parametrize("bits", [8, 16, 24, 32, "float"])
def test_a_tone_keeps_its_frequency_and_amplitude_whatever_the_encoding(tmp_path, rate_hz, bits):
    write(tmp_path / "walk/1.wav", rate_hz, tone(rate_hz), bits)
    recorded, signal = only(tmp_path)
    assert (recorded.labels, recorded.duration_s) == ({"activity": "walk"}, SECONDS)
    assert (signal.samples.dtype, signal.rate_hz, len(signal.samples)) == (np.float32, 3300, SECONDS * 3300)
    assert signal.wavelength_m == pytest.approx(speed_of_light / CARRIER_HZ)
    middle = slice(300, -300)  # away from the ends of the filter
    expected = tone(signal.rate_hz)[middle]
    np.testing.assert_allclose(signal.samples[middle], expected, atol=AMPLITUDE * (0.05 if bits == 8 else 0.02))
    assert signal.samples.mean() == pytest.approx(0, abs=1e-3)


def test_what_is_faster_than_the_rate_holds_does_not_fold_onto_slower_speeds(tmp_path):
    folded_hz = SOURCE.max_speed_mps * 2 * CARRIER_HZ / speed_of_light
    write(tmp_path / "walk/1.wav", 44100, tone(44100, cw24.rate(SOURCE) - folded_hz))
    assert np.abs(only(tmp_path)[1].samples[300:-300]).max() < AMPLITUDE * 0.01


def test_noise_up_to_the_highest_speed_passes_unchanged_at_both_audio_rates(tmp_path):
    for rate_hz in (44100, 48000):
        noise = 0.1 * seeds.rng(0, "noise").standard_normal(10 * rate_hz)
        path = write(tmp_path / str(rate_hz) / "1.wav", rate_hz, noise, 24)
        (recorded,) = [r for r in cw24.index(tmp_path, SOURCE) if r.key.startswith(str(rate_hz))]
        signal = cw24.read(tmp_path, SOURCE, recorded)
        density = np.abs(np.fft.rfft(signal.samples)) ** 2 / len(signal.samples) / signal.rate_hz
        slow = np.fft.rfftfreq(len(signal.samples), 1 / signal.rate_hz) < TONE_HZ
        assert density[slow].mean() == pytest.approx(0.1**2 / rate_hz, rel=0.03), path
        assert density[slow][-2000:].mean() == pytest.approx(0.1**2 / rate_hz, rel=0.1), path


def test_the_rate_is_the_lowest_multiple_of_300_hz_with_room_for_the_filter():
    assert cw24.rate(SOURCE) == 3300  # 4 * 8 m/s / 12.43 mm * 1.25 = 3219 Hz


TABLE = """file,class,direction,t_cpa_s_approx
b.wav,car,towards,1.5
a.wav,bus,away,0.8
b.wav,motorcycle,towards,0.5
b.wav,car,away,1.7
spectra.bin,car,away,
"""


@pytest.fixture
def table(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, 48000, np.arange(96000) / 96000)  # a ramp tells the time
    (tmp_path / cw24.LABELS).write_text(TABLE)
    return tmp_path


def test_a_file_with_passes_of_two_classes_is_cut_halfway_between_them(table):
    recorded = cw24.index(table, SOURCE)
    assert [(r.labels["activity"], r.duration_s) for r in recorded] == [("bus", 2), ("motorcycle", 1), ("car", 1)]
    signals = [cw24.read(table, SOURCE, r).samples for r in recorded]
    assert [len(s) for s in signals] == [6600, 3300, 3300]
    np.testing.assert_allclose([s[1650] for s in signals], [0.25, 0.25, 0.75], atol=1e-3)
    assert len({r.key for r in recorded}) == 3


def test_files_beside_the_table_that_macos_left_are_no_recordings(table):
    (table / "._a.wav").write_bytes(b"Mac OS X")
    assert len(cw24.index(table, SOURCE)) == 3


def test_a_class_in_two_forms_of_unicode_is_one_label(table):
    text = TABLE.replace("motorcycle", "ge\u00fcbt").replace("car", "geu\u0308bt")
    (table / cw24.LABELS).write_text(text, encoding="utf-8")
    assert {r.labels["activity"] for r in cw24.index(table, SOURCE)} == {"bus", "ge\u00fcbt"}


TABLE_DAMAGES = {
    "no column": (TABLE.replace("class", "kind"), "labels.csv: expected a column class, got file, kind"),
    "no class": (TABLE.replace(",bus,", ",,"), "labels.csv: expected file and class in line 3"),
    "no time": (TABLE.replace("towards,0.5", "towards,"), "b.wav: expected t_cpa_s_approx of 0 to 2.0 for each pass"),
    "time outside": (TABLE.replace("away,1.7", "away,17"), "b.wav: expected t_cpa_s_approx of 0 to 2.0"),
    "time NaN": (TABLE.replace("away,1.7", "away,nan"), "labels.csv: expected t_cpa_s_approx as a number in line"),
    "time a word": (TABLE.replace("away,1.7", "away,late"), "labels.csv: expected t_cpa_s_approx as a number in line"),
    "no row": (TABLE.replace("a.wav", "c.wav"), "a.wav: expected a row of labels.csv for it, got none"),
    "no file": (TABLE + "c.wav,car,away,1\n", "c.wav: no such file"),
    "no WAV": ("file,class\nx.bin,car\n", "labels.csv: expected rows of .wav files, got none"),
    "empty": ("", "labels.csv: expected a column file, got "),
    "another folder": (
        TABLE.replace("a.wav", "../a.wav"),
        "expected the name of a file beside it in line 3",
    ),
    "endless name": (TABLE.replace("a.wav", "a" * 5000 + ".wav"), "expected the name of a file beside it in line 3"),
}


@pytest.mark.parametrize("damage", TABLE_DAMAGES)
def test_a_damaged_table_is_refused_in_one_line(table, damage):
    content, message = TABLE_DAMAGES[damage]
    (table / cw24.LABELS).write_text(content)
    with pytest.raises(InputError, match=message) as error:
        cw24.index(table, SOURCE)
    assert "\n" not in str(error.value)


def floats(values):
    return riff((b"fmt ", layout(bits=32, encoding=wav.FLOAT)), (b"data", np.array(values, "<f4").tobytes()))


FILES = {
    "empty": (b"", "expected a RIFF WAVE file, got one that starts with b''"),
    "foreign": (b"OggS" + bytes(100), "expected a RIFF WAVE file, got one that starts with b'OggS'"),
    "no samples": (riff((b"fmt ", layout()), (b"data", b"")), "expected samples, got none"),
    "no data": (riff((b"fmt ", layout())), r"expected a WAV file with chunks 'fmt ' and 'data', got \['fmt '\]"),
    "short fmt": (riff((b"fmt ", b"\1\0"), (b"data", bytes(8))), "expected a 'fmt ' chunk of 16 bytes or more, got 2"),
    "ADPCM": (riff((b"fmt ", layout(bits=4, encoding=2)), (b"data", bytes(8))), "got encoding 2 of 4 bits"),
    "foreign extension": (
        riff((b"fmt ", layout(encoding=wav.EXTENSIBLE) + bytes(24)), (b"data", bytes(8))),
        "got encoding 65534 of 16 bits",
    ),
    "12 bits": (riff((b"fmt ", layout(bits=12)), (b"data", bytes(8))), "got encoding 1 of 12 bits"),
    "stereo": (riff((b"fmt ", layout(channels=2)), (b"data", bytes(8))), "expected one channel, got 2"),
    "no rate": (riff((b"fmt ", layout(rate_hz=0)), (b"data", bytes(8))), "expected a rate and whole samples, got 0 Hz"),
    "cut off": (riff((b"fmt ", layout()), (b"data", bytes(900)))[:-100], "expected 900 bytes in 'data', got 800"),
    "NaN": (floats([0, np.nan] * 4410), "expected finite samples, got nan"),
    "half a sample": (riff((b"fmt ", layout()), (b"data", bytes(901))), "got 901 bytes for samples of 2"),
    "loud": (floats([0, 2.0**100] * 4410), "expected finite samples, got 1.26"),
    "rate without a common factor": (
        riff((b"fmt ", layout(rate_hz=1_000_003)), (b"data", bytes(8))),
        "expected a rate with a common factor with 3300 Hz, got 1000003 Hz",
    ),
    "slow": (riff((b"fmt ", layout(rate_hz=2000)), (b"data", bytes(8))), "expected 3300 Hz or more for 8.0 m/s, got"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(tmp_path, name):
    content, message = FILES[name]
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk/1.wav").write_bytes(content)
    with pytest.raises(InputError, match=f"walk/1.wav: .*{message}") as error:
        only(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["frequency_hz", "max_speed_mps"])
def test_impossible_parameters_are_refused_by_name(name):
    with pytest.raises(InputError, match=f"^{name}: expected more than 0"):
        cw24.Source(**{**vars(SOURCE), name: 0.0})


def test_the_real_recordings_of_people_have_one_folder_per_class(recordings):
    root = recordings / "cw24-human-gpl3"
    recorded = cw24.index(root, SOURCE)
    activities = [r.labels["activity"] for r in recorded]
    assert {a: activities.count(a) for a in activities} == {"car": 2, "handwave": 1, "run": 1, "walk": 7}
    for r in recorded:
        signal = cw24.read(root, SOURCE, r)
        assert signal.rate_hz == 3300
        assert len(signal.samples) / signal.rate_hz == pytest.approx(r.duration_s, abs=1e-3)
        assert 0.01 < np.abs(signal.samples).max() < 1


def test_the_real_recordings_of_vehicles_of_16_and_24_bits_have_one_rate(recordings):
    root = recordings / "cw24-vehicles"
    source = cw24.Source("cw24", 24.0e9, 25.0)
    recorded = cw24.index(root, source)
    assert [r.labels["activity"] for r in recorded] == ["car", "motorcycle", "car", "car", "motorcycle", "bus", "car"]
    assert sum(r.duration_s for r in recorded) == pytest.approx(95.58, abs=0.01)
    for r in recorded:
        signal = cw24.read(root, source, r)
        assert signal.rate_hz == 10200
        assert len(signal.samples) / signal.rate_hz == pytest.approx(r.duration_s, abs=1e-3)
