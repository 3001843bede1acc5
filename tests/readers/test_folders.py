"""Labels from where a file lies."""

import pytest

from echoes.errors import InputError
from echoes.readers import folders


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def labels(root, *depths):
    return {p.relative_to(root).as_posix(): found for p, found in folders.labelled(root, [".png"], depths).items()}


def test_a_folder_is_an_activity_and_a_folder_above_it_a_user(tmp_path):
    touch(tmp_path, "a/walk/2.png", "a/walk/1.PNG", "b/run/1.png", "b/run/notes.txt")
    assert labels(tmp_path, 1, 2) == {
        "a/walk/1.PNG": {"user": "a", "activity": "walk"},
        "a/walk/2.png": {"user": "a", "activity": "walk"},
        "b/run/1.png": {"user": "b", "activity": "run"},
    }


def test_one_folder_is_an_activity(tmp_path):
    touch(tmp_path, "walk/1.png")
    assert labels(tmp_path, 1, 2) == {"walk/1.png": {"activity": "walk"}}


def test_without_folders_the_name_is_the_activity_where_a_reader_allows_it(tmp_path):
    touch(tmp_path, "walk.png")
    assert labels(tmp_path, 0, 1) == {"walk.png": {"activity": "walk"}}
    with pytest.raises(InputError, match=r"walk\.png: expected ACTIVITY/\*\.png below .*, got a file 0 folders deep"):
        labels(tmp_path, 1)


def test_files_of_different_depth_are_refused(tmp_path):
    touch(tmp_path, "a/walk/1.png", "walk/1.png")
    with pytest.raises(InputError, match=r"walk/1\.png: expected a file 2 folders deep like .*, got 1 folders"):
        labels(tmp_path, 1, 2)


def test_hidden_files_and_folders_of_other_programs_are_left_out_and_that_is_said(tmp_path, caplog):
    foreign = [".ipynb_checkpoints/1.png", ".Trash-1000/files/walk/1.png", "__MACOSX/walk/._1.png", "walk/._1.png"]
    touch(tmp_path, "walk/1.png", "walk/.hidden.txt", *foreign)
    with caplog.at_level("INFO"):
        assert labels(tmp_path, 1) == {"walk/1.png": {"activity": "walk"}}
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "4 hidden files left out, the first: .Trash-1000/files/walk/1.png"
    ]
    with pytest.raises(InputError, match=r"got no \.png file"):
        labels(tmp_path / "__MACOSX", 1)


def test_a_name_in_two_forms_of_unicode_is_one_label(tmp_path):
    composed, apart = "Bj\u00f6rn/\u00dcbung", "Bjo\u0308rn/U\u0308bung"
    touch(tmp_path, f"{composed}/1.png", f"{apart}/2.png")
    assert list(labels(tmp_path, 2).values()) == [{"user": "Bj\u00f6rn", "activity": "\u00dcbung"}] * 2


def test_an_empty_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"expected ACTIVITY/\*\.png or USER/ACTIVITY/\*\.png in it, got no \.png file"
    ):
        labels(tmp_path, 1, 2)
    with pytest.raises(InputError, match="nowhere: no such folder"):
        labels(tmp_path / "nowhere", 1)
