"""Command du: bytes and files of a track, what DVC's cache has of them, and what can be made anew."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from echoes import imports
from echoes.commands import disk
from echoes.errors import InputError

LOCK = {
    "schema": "2.0",
    "stages": {
        "voxelize@radar": {"cmd": "x", "outs": [{"path": "data/radar/grids.zarr", "md5": "aa00.dir", "size": 30}]},
        "train_vae@radar": {"cmd": "x", "outs": [{"path": "data/radar/vae.safetensors", "md5": "bb11", "size": 7}]},
        "train_vae@mars": {"cmd": "x", "outs": [{"path": "data/mars/vae.safetensors", "md5": "cc22", "size": 9}]},
    },
}
OBJECTS = {"aa00.dir": json.dumps([{"md5": "dd33", "relpath": "a"}, {"md5": "ee44", "relpath": "b"}])}
OBJECTS |= {"dd33": "x" * 10, "bb11": "x" * 7, "ff55": "x" * 100}  # one that is gone, and one that nothing names


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(imports.ROOT / name, tmp_path / name)
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(LOCK))
    sizes = {
        "data/raw/radar/street.yaml": 50,
        "data/radar/grids.zarr/a": 10,
        "data/radar/grids.zarr/c/b": 20,
        "data/radar/vae.safetensors": 7,
        "metrics/radar/train_vae.json": 3,
        "metrics/radar/evaluate.json": 4,
        ".dvc/tmp/scratch/train_vae@radar/0123/state.safetensors": 28,
    }
    contents = {name: "x" * size for name, size in sizes.items()}
    contents["metrics/radar/live/train_vae/plots/metrics/seconds.tsv"] = "step\tseconds\n1\t2.5\n2\t1234.4\n"
    contents |= {f"cache/files/md5/{digest[:2]}/{digest[2:]}": content for digest, content in OBJECTS.items()}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def table(text: str) -> dict[str, list[str]]:
    lines = (line.split("  ") for line in text.splitlines())
    return {cells[0]: [cell.strip() for cell in cells[1:] if cell.strip()] for cells in lines}


def test_each_row_tells_bytes_files_what_is_cached_and_what_makes_it_anew(project: Path) -> None:
    found = disk.du(["radar"], project, project / "cache")
    rows, listing = table(found), len(OBJECTS["aa00.dir"])
    assert rows["data/raw/radar"] == ["50", "1", "-", "no", "-"]
    assert rows["data/radar/grids.zarr"] == ["30", "2", str(listing + 10), "by voxelize", "-"]
    assert rows["data/radar/vae.safetensors"] == ["7", "1", "7", "by train_vae", "1,234"]
    assert rows["metrics/radar"] == [str(7 + 28), "3", "-", "by its stages", "-"]
    assert rows[".dvc/tmp/scratch/train_vae@radar/0123"] == ["28", "1", "-", "by train_vae", "1,234"]
    assert rows["radar, all of it"] == [str(50 + 30 + 7 + 35 + 28), "8", str(listing + 17)]
    assert f"{project}/cache: 100 more bytes in 1 files" in found


def test_without_a_cache_and_for_all_tracks_it_tells_what_lies_there(project: Path) -> None:
    (project / "dvc.lock").unlink()
    found = disk.du([], project, None)
    assert table(found)["data/radar/grids.zarr"] == ["30", "2", "-", "by voxelize", "-"]
    assert "more bytes" not in found
    shutil.rmtree(project / "data")
    shutil.rmtree(project / "metrics")
    shutil.rmtree(project / ".dvc")
    assert disk.du([], project, None) == "nothing on disk yet\n"


def test_a_track_that_is_unknown_is_refused(project: Path) -> None:
    with pytest.raises(InputError, match=r"^nobody: no such track in .*params\.yaml; expected one of radar, "):
        disk.du(["nobody"], project, None)
