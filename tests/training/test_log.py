"""What a training tells: rows of means for plots, a log file, TensorBoard; all of it once more after a stop."""

from pathlib import Path

import pandas as pd
import pytest

from echoes.training.log import Log
from trainings import runtime


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def curve(name):
    return pd.read_csv(f"metrics/toys/live/train_toy/plots/metrics/{name}.tsv", sep="\t")


def told(log, steps, start=0):
    with log:
        for step in range(start, steps):
            log.add(step, loss=float(step))
            log.note(step, {"val_error": 0.5} if step % 4 == 3 else {})
    return log


def test_a_short_training_has_a_row_for_each_step_and_a_number_now_and_then_a_curve_of_its_own():
    told(Log("train_toy", "toys", 8, runtime()), 8)
    assert curve("loss").to_numpy().tolist() == [[step + 1, step] for step in range(8)]
    assert curve("val_error")["step"].tolist() == [4, 8]


def test_a_long_training_has_means_over_intervals_and_few_rows():
    log = told(Log("train_toy", "toys", 1000, runtime()), 1000)
    rows = curve("loss")
    assert len(rows) == 200
    assert rows.iloc[0].tolist() == [5, 2.0]
    assert log.last("loss") == pytest.approx(sum(range(900, 1000)) / 100)


def test_the_rows_so_far_are_told_once_more_after_a_stop():
    first = told(Log("train_toy", "toys", 600, runtime()), 301)  # within an interval of 3 steps
    facts = first.facts()
    again = Log("train_toy", "toys", 600, runtime())
    with again:
        again.restore({}, facts)
        for step in range(301, 600):
            again.add(step, loss=float(step))
            again.note(step, {"val_error": 0.5} if step % 4 == 3 else {})
    interrupted = curve("loss"), curve("val_error")
    told(Log("train_toy", "toys", 600, runtime()), 600)
    for found, whole in zip(interrupted, (curve("loss"), curve("val_error")), strict=True):
        pd.testing.assert_frame_equal(found, whole)


def test_only_the_curves_are_left_for_git():
    told(Log("train_toy", "toys", 8, runtime()), 8)
    left = {path.relative_to("metrics/toys").as_posix() for path in Path("metrics/toys").rglob("*") if path.is_file()}
    assert left == {f"live/train_toy/plots/metrics/{name}.tsv" for name in ("loss", "val_error")}


def test_the_log_file_has_the_numbers_and_how_it_ended():
    def half():
        with Log("train_toy", "toys", 8, runtime()) as log:
            log.add(0, loss=0.25)
            raise ZeroDivisionError("half way")

    with pytest.raises(ZeroDivisionError):
        half()
    text = Path("logs/toys/train_toy.log").read_text()
    assert "train_toy: step 1 of 8: loss 0.25" in text
    assert "train_toy: ended by ZeroDivisionError: half way" in text


def test_pictures_come_every_so_many_steps():
    log = Log("train_toy", "toys", 9, runtime(previews=3))
    assert [step for step in range(9) if log.pictured(step)] == [2, 5]  # the last one is of the selected weights
    assert not any(Log("train_toy", "toys", 9, runtime()).pictured(step) for step in range(9))
    assert log.picture(2).as_posix() == "metrics/toys/live/train_toy/plots/images/samples/3.png"


def test_tensorboard_has_the_same_curve_where_it_is_asked_for():
    told(Log("train_toy", "toys", 8, runtime(tensorboard=True)), 8)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator("logs/toys/train_toy").Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(step + 1, step) for step in range(8)]


def test_the_pictures_so_far_are_there_once_more_after_a_stop():
    first = Log("train_toy", "toys", 8, runtime(previews=2))
    with first:
        first.picture(3).parent.mkdir(parents=True)
        first.picture(3).write_bytes(b"a picture")
        kept = first.tensors()
    again = Log("train_toy", "toys", 8, runtime(previews=2))
    with again:
        assert not again.picture(3).exists()
        again.restore(kept, first.facts())
    assert again.picture(3).read_bytes() == b"a picture"
