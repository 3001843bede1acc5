"""The cache stays as it was written, whatever a stage does to a linked file; what changed in it is found."""

import os
import re
from pathlib import Path

import pytest

import test_end_to_end
from repository import Repository, documented

LINKS = ["hardlink", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("symlink", "reflink,copy", "copy"))]
CD = "data/radar/cd.safetensors"


@pytest.fixture
def linked(checkout: Repository, request: pytest.FixtureRequest) -> Repository:
    """The checkout, its outputs linked to the cache in the way that the test names."""
    checkout.dvc("config", "cache.type", request.param)
    checkout.dvc("checkout", "--relink", "--quiet")
    path, cached = checkout.root / CD, checkout.cached(CD)
    assert path.is_symlink() == (request.param == "symlink")
    assert path.samefile(cached) == (request.param in ("hardlink", "symlink"))
    return checkout


def corrupt(path: Path) -> None:
    """Change the last byte, and leave the mode as it is: a protected object stays protected."""
    mode, content = path.stat().st_mode, bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(mode)


@pytest.mark.parametrize("linked", LINKS, indirect=True)
def test_stages_replace_linked_files_and_never_write_into_the_cache(linked: Repository) -> None:
    before = linked.digests()
    linked.change("ldm.schedule", seed=1)
    linked.change("evaluate", resamples=60, panels=2)
    linked.stages("train_ldm", "evaluate")
    assert linked.digests()["ldm.safetensors"] != before["ldm.safetensors"]
    assert linked.wrong_objects() == []
    linked.run("git", "checkout", "--quiet", ".")
    linked.dvc("checkout", "--force")
    assert linked.digests() == before
    assert "up to date" in linked.dvc("status")


@pytest.mark.slow
@pytest.mark.parametrize("linked", ["hardlink", "symlink"], indirect=True)
def test_a_changed_stage_runs_again_beside_a_linked_cache(linked: Repository) -> None:
    linked.change("ldm.schedule", seed=1)
    linked.dvc("repro")
    assert linked.wrong_objects() == []
    assert "up to date" in linked.dvc("status")


@pytest.mark.parametrize("linked", LINKS, indirect=True)
def test_a_changed_cache_object_is_refused_by_the_stage_that_reads_it(linked: Repository) -> None:
    """DVC itself trusts an object that is read-only, so that it gets as far as the stage."""
    corrupt(linked.cached(CD))
    (linked.root / CD).unlink()
    linked.dvc("checkout")
    assert "up to date" in linked.dvc("status")
    linked.change("sample", seed=1)
    said = linked.dvc("repro", status=255)
    assert f"{CD}: expected" in said


def test_the_command_of_the_docs_names_each_changed_object_and_pull_brings_it_back(
    checkout: Repository, tmp_path: Path
) -> None:
    before = checkout.digests()
    checkout.dvc("remote", "add", "--default", "team", str(tmp_path / "team"))
    checkout.dvc("push")
    assert checkout.run("bash", "-c", documented("md5sum"), status=None) == ""
    cached = checkout.cached(CD)
    corrupt(cached)
    said = checkout.run("bash", "-c", documented("md5sum"), status=None)
    assert re.findall(r"^(\S+): FAILED", said, flags=re.MULTILINE) == [f"{cached.parent.name}/{cached.name}"]
    (checkout.root / CD).unlink()
    cached.unlink()
    checkout.dvc("pull")
    assert checkout.digests() == before
    assert checkout.wrong_objects() == []


@pytest.mark.slow
def test_the_number_of_files_does_not_grow_with_the_frames(checkout: Repository) -> None:
    def counts() -> dict[str, int]:
        """Folder -> its files."""
        return {folder: len(files) for folder, _, files in os.walk(checkout.root / "data" / "radar")}

    before = counts()
    checkout.change("source", frames=8)
    checkout.change("sample", frames=8)
    checkout.stages(*test_end_to_end.MADE)
    after = counts()
    assert {folder: after[folder] for folder in before.keys() & after.keys()} == {
        folder: before[folder] for folder in before.keys() & after.keys()
    }
    # Where a method found no cell at all, its arrays have no file yet; with cells they have one.
    others = before.keys() ^ after.keys()
    assert all("samples.zarr" in folder and (before | after)[folder] <= 1 for folder in others)
