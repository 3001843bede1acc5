"""Tracks side by side, and params.yaml beside what was committed: rows that differ, and no others."""

import subprocess
from pathlib import Path

import pytest

from echoes.choices.rules import leaves
from echoes.commands.differences import committed, differences
from echoes.errors import InputError

TEXT = """tracks: [a]
a:
  source: {reader: vod, workers: 0}
  grid: {size: [1, 2], deep: {mirror: true, quiet: null}}
  seed: 0
b:
  source: {reader: mars, workers: 0, address: ""}
  grid: {size: [1, 3], deep: {mirror: false, quiet: null}}
  seed: 0.0
"""


def git(folder: Path, *command: str) -> None:
    named = ["-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run(["git", *named, *command], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Committed as TEXT in a folder of a repository, with another seed of `a` and one track more since."""
    git(tmp_path, "init")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "params.yaml").write_text(TEXT)
    git(folder, "add", "params.yaml")
    git(folder, "commit", "-m", "first")
    (folder / "params.yaml").write_text(TEXT.replace("  seed: 0\n", "  seed: 7\n") + "c: {source: {reader: vod}}\n")
    return folder / "params.yaml"


def rows(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines()]


def test_tracks_differ_in_values_and_in_keys_that_stand_where_they_have_them(path):
    assert differences(["a", "b"], "", path) == (
        "                       a       b\n"
        "source.reader        vod    mars\n"
        'source.address         -      ""\n'
        "grid.size         [1, 2]  [1, 3]\n"
        "grid.deep.mirror    true   false\n"
        "seed                   7     0.0\n"
    )


def test_a_number_is_the_same_with_and_without_its_point_and_a_truth_is_no_number(path):
    path.write_text("a: {source: {}, n: 1, m: 1}\nb: {source: {}, n: 1.0, m: true}\n")
    assert rows(differences([], "", path)) == [["a", "b"], ["m", "1", "true"]]


def test_without_names_all_tracks_are_compared(path):
    assert rows(differences([], "", path))[0] == ["a", "b", "c"]


def test_a_single_track_is_compared_with_what_is_committed(path):
    assert rows(differences(["a"], "", path)) == [["HEAD", "today"], ["a.seed", "0", "7"]]
    assert differences(["b"], "", path) == "no differences\n"


def test_with_a_commit_the_whole_file_or_some_tracks_are_compared_with_it(path):
    git(path.parent, "commit", "-am", "second")
    assert differences([], "HEAD", path) == "no differences\n"
    added = ["c.source.reader", "-", "vod"]
    assert rows(differences([], "HEAD~1", path)) == [["HEAD~1", "today"], ["a.seed", "0", "7"], added]
    assert rows(differences(["b", "c"], "HEAD~1", path)) == [["HEAD~1", "today"], added]
    path.write_text(TEXT.replace("tracks: [a]", "tracks: [b]"))
    assert rows(differences([], "HEAD~1", path)) == [["HEAD~1", "today"], ["tracks", "[a]", "[b]"]]


def test_what_is_not_there_is_told_in_one_line(path):
    with pytest.raises(InputError, match=r"^x: no such track in .*params\.yaml; expected one of a, b, c$"):
        differences(["a", "x"], "", path)
    with pytest.raises(InputError, match=r"^x: no such track in .* and in HEAD; expected one of a, b, c$"):
        differences(["x"], "", path)
    for name in ("nothing", "--output=x"):
        with pytest.raises(InputError, match=rf"params\.yaml: expected a commit that has it, got '{name}': fatal: "):
            differences([], name, path)
    assert not (path.parent / "x").exists()


def test_a_committed_file_that_is_no_yaml_is_told_with_its_commit(path):
    path.write_text("a: [1")
    git(path.parent, "commit", "-am", "broken")
    with pytest.raises(InputError, match=rf"^HEAD:{path}: expected YAML"):
        committed("HEAD", path)


def test_only_mappings_are_unfolded():
    assert leaves({"a": {"b": [{"c": 1}], "d": {}}, "e": None}) == {"a.b": [{"c": 1}], "a.d": {}, "e": None}


def test_a_value_without_effect_stands_in_brackets(path):
    section = "source: {{}}, ldm: {{architecture: {{parameterization: {}, edm: {{sigma_data: {}}}}}}}"
    first, second = section.format("edm", 0.5), section.format("flow", 1.0)
    path.write_text(f"a: {{{first}}}\nb: {{{second}}}\n")
    assert differences([], "", path) == (
        "                                     a      b\n"
        "ldm.architecture.parameterization  edm   flow\n"
        "ldm.architecture.edm.sigma_data    0.5  (1.0)\n"
        "(in brackets: without effect, as it belongs to what is not chosen)\n"
    )
    git(path.parent, "commit", "-am", "second")
    path.write_text(f"a: {{{first}}}\nb: {{{section.format('flow', 2.0)}}}\n")
    assert rows(differences([], "HEAD", path))[1] == ["b.ldm.architecture.edm.sigma_data", "(1.0)", "(2.0)"]
