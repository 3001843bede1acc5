"""What is written appears whole or not at all, and a digest tells content apart."""

import os
import signal
import subprocess
import sys

import pytest

from echoes import files

KILLED = """
import os, signal, sys
from pathlib import Path
from echoes import files
with files.replacing(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
    (temporary / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write_file(path, text):
    with files.replacing(path) as temporary:
        temporary.write_text(text)


def write_folder(path, **content):
    with files.replacing(path) as temporary:
        temporary.mkdir()
        for name, text in content.items():
            (temporary / name).write_text(text)


def names(folder):
    return sorted(p.name for p in folder.rglob("*"))


def test_a_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt", "deep"]


def test_a_block_that_fails_leaves_what_stood_there(tmp_path):
    write_file(tmp_path / "a", "old")
    write_folder(tmp_path / "b", x="old")

    def fail(path):
        with files.replacing(path) as temporary:
            temporary.mkdir()
            (temporary / "half").write_text("half")
            raise KeyboardInterrupt

    for path in (tmp_path / "a", tmp_path / "b", tmp_path / "c"):
        with pytest.raises(KeyboardInterrupt):
            fail(path)
    assert names(tmp_path) == ["a", "b", "x"]
    assert ((tmp_path / "a").read_text(), (tmp_path / "b" / "x").read_text()) == ("old", "old")


def test_a_folder_is_replaced_whole_and_nothing_of_the_old_one_stays(tmp_path):
    write_folder(tmp_path / "a", x="1", y="2")
    write_folder(tmp_path / "a", y="3")
    assert names(tmp_path) == ["a", "y"]


def test_a_file_and_a_folder_replace_each_other(tmp_path):
    write_file(tmp_path / "a", "1")
    write_folder(tmp_path / "a", x="2")
    assert (tmp_path / "a" / "x").read_text() == "2"
    write_file(tmp_path / "a", "3")
    assert (tmp_path / "a").read_text() == "3"


def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path):
    write_folder(tmp_path / "cache", x="cached")
    (tmp_path / "a").symlink_to(tmp_path / "cache")
    write_folder(tmp_path / "a", x="new")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "cache" / "x").read_text() == "cached"


def test_a_killed_writer_leaves_no_artifact_and_the_next_one_succeeds(tmp_path):
    path = tmp_path / "grids.zarr"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    write_folder(path, x="whole")
    assert names(tmp_path) == ["grids.zarr", "x"]


def test_a_digest_tells_names_and_bytes_apart_and_nothing_else(tmp_path):
    write_folder(tmp_path / "a", x="1", y="2")
    digest = files.digest(tmp_path / "a")
    os.utime(tmp_path / "a" / "x", (0, 0))
    assert files.digest(tmp_path / "a") == digest
    for content in ({"x": "1", "y": "3"}, {"x": "1", "z": "2"}, {"x": "1"}, {"x": "2", "y": "1"}, {"x": "12"}):
        write_folder(tmp_path / "a", **content)
        assert files.digest(tmp_path / "a") != digest
    write_folder(tmp_path / "b", y="2", x="1")
    assert files.digest(tmp_path / "b") == digest


def test_the_digest_of_a_file_is_the_one_of_sha256sum(tmp_path):
    write_file(tmp_path / "a", "abc")
    assert files.digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
