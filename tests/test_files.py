"""What is written appears whole or not at all, and a digest tells content apart."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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

WAITING = """
import sys
from pathlib import Path
from echoes import files
with files.replacing(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
    (temporary / "y").write_text("second")
    print("half", flush=True)
    sys.stdin.readline()
"""
SWAPPING = """
import sys
from pathlib import Path
from echoes import files
for _ in range(100):
    with files.replacing(Path(sys.argv[1])) as temporary:
        temporary.mkdir()
        (temporary / "x").write_text(sys.argv[2])
"""
KILLED_BETWEEN = """
import os, signal, sys
from pathlib import Path
from echoes import files
Path.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
with files.replacing(Path(sys.argv[1])) as temporary:
    temporary.mkdir()
"""
ROOT = Path(__file__).resolve().parents[1]


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


def ended(code, *arguments):
    """How a process ends that runs `code`."""
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=False).returncode


def holders(path):
    return sorted(path.parent.glob(f".{path.name}.*.partial"))


def test_a_writer_leaves_the_folder_of_a_living_one_alone_and_the_last_one_wins(tmp_path):
    path = tmp_path / "a"
    waiting = subprocess.Popen([sys.executable, "-c", WAITING, str(path)], stdin=-1, stdout=-1)
    assert waiting.stdout.readline() == b"half\n"
    (living,) = holders(path)
    write_folder(path, x="first")
    assert holders(path) == [living]
    waiting.communicate(b"go on\n")
    assert waiting.returncode == 0
    assert names(tmp_path) == ["a", "y"]
    assert (path / "y").read_text() == "second"


def test_writers_that_swap_folders_at_the_same_time_all_succeed(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", SWAPPING, str(tmp_path / "a"), text]) for text in "123"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["a", "x"]
    assert (tmp_path / "a" / "x").read_text() in "123"


def test_two_writers_in_one_process_do_not_meet(tmp_path):
    with files.replacing(tmp_path / "a") as outer:
        outer.write_text("outer")
        write_file(tmp_path / "a", "inner")
        assert (tmp_path / "a").read_text() == "inner"
    assert (tmp_path / "a").read_text() == "outer"
    assert names(tmp_path) == ["a"]


def test_only_leftovers_of_the_same_path_are_swept(tmp_path):
    for name in ("a", "a.b"):
        assert ended(KILLED, tmp_path / name) == -signal.SIGKILL
    write_file(tmp_path / "a", "whole")
    assert holders(tmp_path / "a.b") != []
    write_file(tmp_path / "a.b", "whole")
    assert names(tmp_path) == ["a", "a.b"]


def test_what_a_killed_writer_had_moved_aside_comes_back(tmp_path):
    write_folder(tmp_path / "a", x="old")
    assert ended(KILLED_BETWEEN, tmp_path / "a") == -signal.SIGKILL
    assert not (tmp_path / "a").exists()

    def fail():
        with files.replacing(tmp_path / "a"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path) == ["a", "x"]
    assert (tmp_path / "a" / "x").read_text() == "old"


def test_leftovers_are_seen_by_neither_git_nor_dvc():
    for name in (".gitignore", ".dvcignore"):
        assert ".*.partial" in (ROOT / name).read_text().splitlines()


@pytest.mark.parametrize(
    "text",
    ["..", ".", "", "/etc/passwd", "../../walk", "a/../b", "-rf", ".hidden", "a\0b", "a\nb", "$(reboot)", "\\..", "~"],
)
def test_a_label_becomes_a_name_that_stays_in_its_folder(tmp_path, text):
    name = files.safe_name(text)
    (tmp_path / name).write_text("kept")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert name[0] not in ".-"
    assert not set(name) & set("/\\\0\n$();~")


@pytest.mark.parametrize("text", ["3-walk", "drone-fly", "Zürich 2", "行走", "a.b_c=1@24+"])
def test_a_plain_label_is_its_own_name(text):
    assert files.safe_name(text) == text


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
