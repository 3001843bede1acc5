"""One built repository for all tests of a run, and a copy of it for each."""

from pathlib import Path

import pytest
from filelock import FileLock

import repository
from repository import Repository


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Built once, however many processes run the tests; not to be changed."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / "built"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            repository.build(unfinished)
            unfinished.rename(folder)
    return Repository(folder / "repository", folder / "home")


@pytest.fixture
def checkout(built: Repository, tmp_path: Path) -> Repository:
    return built.copy(tmp_path)
