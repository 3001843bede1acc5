"""Whatever stops a writer, a kill or a full disk: what loads afterwards is the artifact before or the new one."""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import numbered
from echoes import arrays, entry, latentstore
from echoes.errors import InputError

KINDS = list(numbered.ARTIFACTS)
LONGEST_S = 0.15  # between the start of a writer and its end: a few writes


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several shards, so that there is a moment between them."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(arrays, "SHARD_CHUNKS", 4)
    monkeypatch.setattr(latentstore, "SHARD_BYTES", 1 << 14)


def write_on(write: Callable[[Path, int], None], path: Path, first: int) -> None:
    for number in count(first):
        write(path, number)


def leftovers(path: Path) -> list[Path]:
    return sorted(path.parent.glob(".*.partial"))


def killed(kind: str, folder: Path, times: int) -> int:
    """Kill writers of `kind` at random moments and check what is there after each; gives how many left something."""
    name, write, read = numbered.ARTIFACTS[kind]
    path, latest, interrupted = folder / name, 0, 0
    moments = np.random.default_rng(times).uniform(0, LONGEST_S, times)
    write(path, latest)
    for moment in moments:
        writer = multiprocessing.get_context("fork").Process(target=write_on, args=(write, path, latest + 1))
        writer.start()
        time.sleep(moment)
        writer.kill()
        writer.join()
        interrupted += bool(leftovers(path))
        if path.exists():
            (number,) = read(path)
            assert number >= latest
            latest = number
        else:  # between the two renames of a folder
            assert [holder for holder in leftovers(path) if (holder / ".old").exists()]
    write(path, latest + 1)
    assert read(path) == {latest + 1}
    assert list(folder.iterdir()) == [path]
    return interrupted


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_writer_leaves_the_old_artifact_or_the_new_one(tmp_path: Path, kind: str) -> None:
    killed(kind, tmp_path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_killed_writers_leave_the_old_artifact_or_the_new_one(tmp_path: Path, kind: str) -> None:
    assert killed(kind, tmp_path, 20) > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs to mount a small file system: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Write until nothing more fits."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 12)):
                pass
        except OSError:
            return


@pytest.mark.parametrize("room", [0, 1, 8])  # pages of 4 kB that are left
@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_told_in_one_line_and_the_artifact_before_stays(small_disk: Path, kind: str, room: int) -> None:
    name, write, read = numbered.ARTIFACTS[kind]
    write(small_disk / name, 7)
    fill(small_disk)
    os.truncate(small_disk / "filler", (small_disk / "filler").stat().st_size - room * (1 << 12))
    with pytest.raises(InputError, match=rf"{name}: expected room on its disk, got .*No space left") as raised:
        write(small_disk / name, 8)
    assert "\n" not in str(raised.value)
    assert read(small_disk / name) == {7}
    assert {entry.name for entry in small_disk.iterdir()} == {"filler", name}


def test_a_stage_on_a_full_disk_ends_with_one_line_and_status_2(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(small_disk)
    monkeypatch.chdir(small_disk.parent)
    monkeypatch.setattr("sys.argv", ["stages/train_vae.py", "radar"])
    with pytest.raises(SystemExit) as raised:
        entry.run(lambda track: numbered.write_weights(small_disk / track / "vae.safetensors", 1))
    assert raised.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"train_vae: {small_disk}/radar/vae.safetensors: expected room on its disk, got ")
    assert told.count("\n") == 1
