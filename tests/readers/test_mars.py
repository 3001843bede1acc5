"""The MARS reader: on files written here in its format, on damaged files, and on the real ones."""

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from echoes.errors import InputError
from echoes.readers import mars

SOURCE = mars.Source("mars")


def rows():
    """(8, 6): frame number, object, x, y, z, Doppler, intensity, time; frame 5 is missing."""
    table = np.zeros((8, 6))
    table[mars.FRAME] = [3, 3, 4, 6, 6, 6]
    table[mars.DOPPLER] = [0.356, -0.712, 0, 1.068, 0, -1.424]
    table[mars.INTENSITY] = [6, 10, 7, 5, 400, 8]
    table[mars.TIME] = 1.6e9 + np.array([0.5, 0.5, 0.625, 0.875, 0.875, 0.875])
    return table


def write(path, table, name=mars.TABLE):
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:  # MATLAB keeps a text in front of the HDF5
        file[name] = table
    return path


@pytest.fixture
def recording(tmp_path):
    for user, movement in ((1, 1), (1, 6), (12, 10)):
        write(tmp_path / f"subject{user}" / f"radar_data{movement}.mat", rows())
    return tmp_path


def first(root):
    return mars.read(root, SOURCE, mars.index(root, SOURCE)[0])


def test_user_and_movement_are_the_numbers_in_the_path(recording):
    recorded = mars.index(recording, SOURCE)
    assert [(r.labels["user"], r.labels["activity"]) for r in recorded] == [
        ("1", "left_upper_limb_extension"),
        ("1", "squat"),
        ("12", "right_limb_extension"),
    ]
    assert [r.duration_s for r in recorded] == pytest.approx([0.375] * 3)


def test_returns_know_their_scan_and_scans_their_time_from_the_start(recording):
    returns = first(recording)
    np.testing.assert_allclose(returns.stamps, [0, 0.125, 0.375])
    np.testing.assert_array_equal(returns.scan, [0, 0, 1, 2, 2, 2])
    np.testing.assert_allclose(returns.doppler, rows()[mars.DOPPLER], rtol=1e-6)
    np.testing.assert_allclose(returns.power, rows()[mars.INTENSITY])
    assert (returns.doppler.dtype, returns.power.dtype) == (np.float32, np.float32)


def put(path, row, column, value):
    with h5py.File(path, "r+") as file:
        file[mars.TABLE][row, column] = value


DAMAGES = {
    "no HDF5": (lambda p: p.write_bytes(b"MATLAB 5.0 MAT-file" * 100), "expected a whole HDF5 file"),
    "empty": (lambda p: p.write_bytes(b""), "expected a whole HDF5 file"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:1500]), "expected a whole HDF5 file"),
    "another table": (lambda p: write(p, rows(), "radar_data"), "dataset radar_data_cropped, got only radar_data"),
    "a group": (lambda p: write(p, rows(), f"{mars.TABLE}/inner"), "dataset radar_data_cropped, got a group"),
    "not turned": (lambda p: write(p, rows().T), r"as \(8, N\) numbers, got \(6, 8\)"),
    "no returns": (lambda p: write(p, rows()[:, :0]), r"as \(8, N\) numbers, got \(8, 0\)"),
    "NaN": (lambda p: put(p, 5, 2, np.nan), "expected finite numbers, got nan in row 5"),
    "negative power": (lambda p: put(p, 6, 2, -1), "expected intensities of 0 and more, got -1"),
    "frames backwards": (lambda p: put(p, 0, 2, 2), "numbers and times increase"),
    "time backwards": (lambda p: put(p, 7, 2, 1.6e9), "numbers and times increase"),
    "foreign name": (lambda p: p.rename(p.with_name("radar_data11.mat")), "radar_data11.mat: expected subject"),
}


def test_files_that_macos_left_are_no_recordings(tmp_path):
    write(tmp_path / "subject1/radar_data1.mat", rows())
    (tmp_path / "subject1/._radar_data1.mat").write_bytes(b"Mac OS X")
    assert len(mars.index(tmp_path, SOURCE)) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(recording, damage):
    spoil, message = DAMAGES[damage]
    spoil(recording / "subject1/radar_data1.mat")
    with pytest.raises(InputError, match=message) as error:
        first(recording)
    assert "\n" not in str(error.value)
    assert str(recording) in str(error.value)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected subject\{S\}/radar_data\{M\}\.mat in it, got none"):
        mars.index(tmp_path, SOURCE)


def test_the_real_recordings_are_nine_movements_of_three_users(recordings):
    root = recordings / "mars"
    recorded = mars.index(root, SOURCE)
    assert len(recorded) == 27
    assert {r.labels["user"] for r in recorded} == {"1", "2", "3"}
    assert {r.labels["activity"] for r in recorded} == set(mars.MOVEMENTS[:9])
    for r in recorded:
        returns = mars.read(root, SOURCE, r)
        assert 88 < r.duration_s == returns.stamps[-1] < 133
        assert 880 < len(returns.stamps) == returns.scan[-1] + 1 < 1330
        assert np.diff(returns.stamps).max() < 1.1
        assert np.median(np.diff(returns.stamps)) == pytest.approx(0.104, abs=0.005)
        assert np.abs(returns.doppler).max() < 2.5


def test_positive_doppler_is_receding_in_the_real_front_lunges(recordings):
    """Whoever lunges moves as a whole: mean Doppler and the change of mean range go together."""
    root = recordings / "mars"
    for recorded in mars.index(root, SOURCE):
        if "front_lunge" not in recorded.labels["activity"]:
            continue
        returns = mars.read(root, SOURCE, recorded)
        with h5py.File(root / recorded.key) as file:
            range_m = np.linalg.norm(file[mars.TABLE][2:5], axis=0)
        count = np.bincount(returns.scan)
        time_s = np.arange(0, recorded.duration_s, 0.1)
        mean_range, mean_doppler = (
            gaussian_filter1d(np.interp(time_s, returns.stamps, np.bincount(returns.scan, values) / count), 2)
            for values in (range_m, returns.doppler)
        )
        assert np.corrcoef(np.gradient(mean_range), mean_doppler)[0, 1] > 0.44


def unwritten(path, shape, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset(mars.TABLE, shape, "f8", **options)


def virtual(path):
    layout = h5py.VirtualLayout((8, 6), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (8, 6))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset(mars.TABLE, layout)


def linked(path):
    write(path.with_name("other.h5"), rows())
    with h5py.File(path, "w") as file:
        file[mars.TABLE] = h5py.ExternalLink("other.h5", mars.TABLE)


STRANGE = {
    "ten terabytes": (lambda p: unwritten(p, (8, 10**12), chunks=(8, 16)), "to fit the file, got"),
    "never written": (lambda p: unwritten(p, (8, 6)), "to be whole, got 0 of 384 bytes"),
    "chunks never written": (lambda p: unwritten(p, (8, 6), chunks=(8, 2)), "to be whole, got 0 of 3 chunks"),
    "virtual": (virtual, "in this file, got one that lies in others"),
    "external link": (linked, "in this file, got a link to another one"),
    "raw data elsewhere": (
        lambda p: unwritten(p, (8, 6), external=[("/dev/zero", 0, 384)]),
        "in this file, got one that lies in others",
    ),
    "no name": (lambda p: write(p, rows(), b"\xff"), "a dataset radar_data_cropped, got only"),
    "infinite in float32": (lambda p: put(p, 5, 2, 1e300), "finite numbers, got 1e\\+300 in row 5"),
}


@pytest.mark.parametrize("damage", STRANGE)
def test_what_does_not_lie_in_the_file_is_neither_read_nor_taken_for_zeros(recording, damage):
    spoil, message = STRANGE[damage]
    spoil(recording / "subject1/radar_data1.mat")
    with pytest.raises(InputError, match=f"radar_data1.mat: expected .*{message}"):
        first(recording)
