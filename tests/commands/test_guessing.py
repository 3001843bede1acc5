"""The reader of a recording is guessed by its files, and asked for where several or none have such."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import wavfile

from echoes.commands import guessing
from echoes.errors import InputError

FILES = {
    "simulated": ("street.yaml", b"", "street.yaml"),
    "astyx": ("radar_6455/000012.txt.gz", b"", "radar_6455/000012.txt.gz"),
    "raflow": ("train/radar_seqs-0_samples-3.json", b"", "train/radar_seqs-0_samples-3.json"),
    "ros": ("drives/loop.bag", b"#ROSBAG V2.0\n", "drives/loop.bag"),
    "vod": ("radar/training/velodyne/00012.bin", b"", "radar/training/velodyne/00012.bin"),
    "generated": ("generated.json", b"", "generated.json"),
    "simulated_people": ("people.yaml", b"", "people.yaml"),
    "mars": ("subject1/radar_data3.mat", b"", "subject1/radar_data3.mat"),
    "images": ("walk/1.png", b"", "walk/1.png"),
    "clouds": ("radar/000012.ply", b"", "radar/000012.ply"),
}


def write(root: Path, *readers: str) -> Path:
    for name, content, _ in (FILES[reader] for reader in readers):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


@pytest.mark.parametrize("reader", FILES)
def test_a_reader_is_known_by_a_file_that_it_reads(tmp_path: Path, reader: str) -> None:
    found, told = guessing.guess(write(tmp_path, reader))
    assert found == reader
    also = "; clouds may read it, too" if reader == "vod" else ""
    assert told == f"reader {reader}, as there is {FILES[reader][2]}{also}; --reader takes another one"


@pytest.mark.parametrize(("channels", "reader"), [(1, "cw24"), (2, "iq")])
def test_a_sound_file_is_known_by_its_channels(tmp_path: Path, channels: int, reader: str) -> None:
    (tmp_path / "walk").mkdir()
    wavfile.write(tmp_path / "walk" / "a.wav", 8000, np.zeros((100, channels), np.int16))
    assert guessing.guess(tmp_path)[0] == reader


def test_hdf5_is_known_by_what_it_holds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_group("rec")
    with pytest.raises(InputError, match="none that has such files"):
        guessing.guess(tmp_path)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_group("sessions")
    assert guessing.guess(tmp_path)[0] == "acconeer"


def test_pictures_of_a_camera_beside_clouds_are_no_spectrograms(tmp_path: Path) -> None:
    assert guessing.guess(write(tmp_path, "clouds", "images"))[0] == "clouds"


def test_files_that_only_have_the_names_and_hidden_ones_tell_nothing(tmp_path: Path) -> None:
    for name in (
        "loop.bag",
        ".cache/000001.ply",
        "__MACOSX/a.pcd",
        "lidar/training/velodyne/1.txt",
        "radar_6455/a.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("nothing")
    with pytest.raises(InputError, match=r"got none that has such files; --reader says which$"):
        guessing.guess(tmp_path)


def test_where_two_are_as_good_the_reader_is_asked_for(tmp_path: Path) -> None:
    message = r"got astyx \(radar_6455/000012\.txt\.gz\) or vod \(radar/.*\.bin\); --reader says which$"
    with pytest.raises(InputError, match=message):
        guessing.guess(write(tmp_path, "astyx", "vod", "clouds"))
