"""The project of a fold is that around it, but for one number."""

import pytest
import yaml

import echoes.params
from echoes.errors import InputError
from echoes.folds import projects
from echoes.readers.splits import BySequence, ByStretch

SPLIT = {"by": "stretch", "gap_s": 2.0, "folds": 3, "fold": 0, "val": 0.1, "seed": 0}
NUMBERS = {
    "tracks": ["a", "b"],
    "init_from": {"a": "scratch", "b": "scratch"},
    "folds": ["a"],
    "runtime": {"x": 5e-05},
    "a": {"split": SPLIT, "vae": 1},
    "b": {},
}


@pytest.fixture
def root(tmp_path):
    for path in ("dvc.yaml", ".dvcignore", "src/one.py", "stages/two.py", "data/raw/a/1.txt", "data/raw/b/2.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    return tmp_path


def test_a_project_has_one_track_and_its_own_fold(root):
    folder = projects.write(root, NUMBERS, "a", 2, root / "cache")
    assert folder == root / ".dvc" / "tmp" / "folds" / "a-2"
    found = echoes.params.document(folder / "params.yaml")
    assert found == {
        "tracks": ["a"],
        "init_from": {"a": "scratch"},
        "folds": [],
        "augment": [],
        "runtime": {"x": 5e-05},
        "a": {"split": {**SPLIT, "fold": 2}, "vae": 1},
    }
    assert NUMBERS["a"]["split"]["fold"] == 0
    assert (folder / "dvc.yaml").read_text() == "dvc.yaml"
    assert f"dir = {root}/cache\n" in (folder / ".dvc" / "config").read_text()


def test_a_project_follows_the_code_and_the_recordings_and_keeps_what_was_built(root):
    folder = projects.write(root, NUMBERS, "a", 0, root / "cache")
    (folder / "data" / "a").mkdir()
    (folder / "dvc.lock").write_text("built")
    (root / "src" / "one.py").write_text("edited")
    (root / "dvc.yaml").write_text("edited too")
    assert projects.write(root, {**NUMBERS, "runtime": {}}, "a", 0, root / "cache") == folder
    assert (folder / "src" / "one.py").read_text() == "edited"
    assert (folder / "dvc.yaml").read_text() == "edited too"
    assert (folder / "data" / "raw" / "a" / "1.txt").read_text() == "data/raw/a/1.txt"
    assert not (folder / "data" / "raw" / "b").exists()
    assert yaml.safe_load((folder / "params.yaml").read_text())["runtime"] == {}
    assert (folder / "dvc.lock").exists()
    assert (folder / "data" / "a").is_dir()


def test_a_project_has_the_tracks_that_its_own_starts_from_as_they_are(root):
    numbers = {**NUMBERS, "init_from": {"a": "b", "b": "c", "c": "scratch"}, "c": {"vae": 2}}
    folder = projects.write(root, numbers, "a", 1, root / "cache")
    found = echoes.params.document(folder / "params.yaml")
    assert found["tracks"] == ["a", "b", "c"]
    assert found["init_from"] == numbers["init_from"]
    assert (found["a"]["split"]["fold"], found["c"]) == (1, {"vae": 2})
    assert (folder / "data" / "raw" / "b" / "2.txt").read_text() == "data/raw/b/2.txt"


def test_tracks_that_start_from_one_another_are_left_to_dvc_to_refuse(root):
    numbers = {**NUMBERS, "init_from": {"a": "b", "b": "a"}}
    folder = projects.write(root, numbers, "a", 1, root / "cache")
    assert echoes.params.document(folder / "params.yaml")["tracks"] == ["a", "b"]


def test_a_split_without_folds_is_refused_with_the_path_of_the_key():
    split = ByStretch(**SPLIT)
    assert projects.require_stretches("a", split) is split
    with pytest.raises(InputError, match=r"^a\.split\.by: expected stretch, of which folds are made, got sequence$"):
        projects.require_stretches("a", BySequence("sequence", 0.1, 0.2, 0))


def test_a_track_without_a_start_is_refused_by_the_key(root):
    with pytest.raises(InputError, match=r"^init_from\.b: missing; scratch, or the track that it starts from$"):
        projects.write(root, {**NUMBERS, "init_from": {"a": "b"}}, "a", 1, root / "cache")
    with pytest.raises(InputError, match=r"^init_from: expected a mapping, got None$"):
        projects.write(root, {**NUMBERS, "init_from": None}, "a", 1, root / "cache")
