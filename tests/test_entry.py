"""A user's error is one line and a status of 2; anything else is a traceback."""

import pytest

from echoes import entry
from echoes.errors import InputError


def test_a_stage_gets_the_track(monkeypatch):
    monkeypatch.setattr("sys.argv", ["stages/voxelize.py", "radar"])
    seen = []
    entry.run(seen.append)
    assert seen == ["radar"]


def test_a_wrong_input_is_one_line_and_status_2(monkeypatch, capsys):
    def main(track):
        raise InputError(f"{track}.ldm.lr: expected a number, got 'fast'")

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(SystemExit) as raised:
        entry.run(main)
    assert raised.value.code == 2
    assert capsys.readouterr().err == "train_ldm: radar.ldm.lr: expected a number, got 'fast'\n"


def test_a_loss_that_is_not_finite_is_one_line_too(monkeypatch, capsys):
    def main(track):
        raise FloatingPointError("the loss is nan at step 7")

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(SystemExit):
        entry.run(main)
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def main(track):
        raise ZeroDivisionError

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(ZeroDivisionError):
        entry.run(main)


@pytest.mark.parametrize("words", [[], ["radar", "astyx"]])
def test_anything_but_one_track_is_answered_with_the_usage(monkeypatch, words):
    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", *words])
    with pytest.raises(SystemExit, match=r"usage: python stages/train_ldm\.py TRACK"):
        entry.run(print)
