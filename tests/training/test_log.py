"""What a training tells: rows of means for plots, a log file, trackers; all of it once more after a stop."""

import re
from pathlib import Path

import pandas as pd
import pytest

from echoes.training.clock import Clock
from echoes.training.log import Log


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def curve(name):
    return pd.read_csv(f"metrics/toys/live/train_toy/plots/metrics/{name}.tsv", sep="\t")


MACHINE = ("seconds", "samples_per_s", "peak_memory_mb")  # what is told of the machine with each row


def log_of(steps, previews=0, trackers=()):
    return Log("train_toy", "toys", steps, previews, trackers, Clock(batch=4))


def told(log, steps, start=0):
    with log:
        for step in range(start, steps):
            log.add(step, loss=float(step))
            log.note(step, {"val_error": 0.5} if step % 4 == 3 else {})
    return log


def test_a_short_training_has_a_row_for_each_step_and_a_number_now_and_then_a_curve_of_its_own():
    told(log_of(8), 8)
    assert curve("loss").to_numpy().tolist() == [[step + 1, step] for step in range(8)]
    assert curve("val_error")["step"].tolist() == [4, 8]


def test_a_long_training_has_means_over_intervals_and_few_rows():
    log = told(log_of(1000), 1000)
    rows = curve("loss")
    assert len(rows) == 200
    assert rows.iloc[0].tolist() == [5, 2.0]
    assert log.last("loss") == pytest.approx(sum(range(900, 1000)) / 100)


def test_the_rows_so_far_are_told_once_more_after_a_stop():
    first = told(log_of(600), 301)  # within an interval of 3 steps
    state = first.state()
    again = log_of(600)
    with again:
        again.restore({}, state)
        for step in range(301, 600):
            again.add(step, loss=float(step))
            again.note(step, {"val_error": 0.5} if step % 4 == 3 else {})
    interrupted = curve("loss"), curve("val_error")
    told(log_of(600), 600)
    for found, whole in zip(interrupted, (curve("loss"), curve("val_error")), strict=True):
        pd.testing.assert_frame_equal(found, whole)


def test_only_the_curves_are_left_for_git():
    told(log_of(8), 8)
    left = {path.relative_to("metrics/toys").as_posix() for path in Path("metrics/toys").rglob("*") if path.is_file()}
    assert left == {f"live/train_toy/plots/metrics/{name}.tsv" for name in ("loss", *MACHINE, "val_error")}


def test_the_log_file_has_the_numbers_and_how_it_ended():
    def half():
        with log_of(8) as log:
            log.add(0, loss=0.25)
            raise ZeroDivisionError("half way")

    with pytest.raises(ZeroDivisionError):
        half()
    text = Path("logs/toys/train_toy.log").read_text()
    told = r"train_toy: step 1 of 8: loss 0\.25, seconds \S+, samples_per_s \S+, peak_memory_mb \S+$"
    assert re.search(told, text, re.MULTILINE)
    assert "train_toy: ended by ZeroDivisionError: half way" in text


def test_pictures_come_every_so_many_steps():
    log = log_of(9, previews=3)
    assert [step for step in range(9) if log.pictured(step)] == [2, 5]  # the last one is of the selected weights
    assert not any(log_of(9).pictured(step) for step in range(9))
    assert log.picture(2).as_posix() == "metrics/toys/live/train_toy/plots/images/samples/3.png"


def test_the_pictures_so_far_are_there_once_more_after_a_stop():
    first = log_of(8, previews=2)
    with first:
        first.picture(3).parent.mkdir(parents=True)
        first.picture(3).write_bytes(b"a picture")
        kept = first.tensors()
    again = log_of(8, previews=2)
    with again:
        assert not again.picture(3).exists()
        again.restore(kept, first.state())
    assert again.picture(3).read_bytes() == b"a picture"


def test_a_number_that_not_every_step_has_is_the_mean_over_those_that_have_it():
    with log_of(400) as log:
        for step in range(400):
            log.add(step, loss=1.0, **({"loss_rare": float(step)} if step % 2 == 0 else {}))
    assert curve("loss_rare").to_numpy()[:3].tolist() == [[2, 0.0], [4, 2.0], [6, 4.0]]


class Recording:
    """A tracker that remembers what it is told."""

    def __init__(self):
        self.told, self.closed = [], False

    def numbers(self, step, values):
        self.told.append((step, {name: value for name, value in values.items() if name not in MACHINE}))
        assert set(values) >= set(MACHINE) or not set(values) & set(MACHINE)

    def picture(self, step, path):
        self.told.append((step, path.read_bytes()))

    def close(self):
        self.closed = True


def pictured(log, steps):
    for step in steps:
        log.add(step, loss=float(step))
        log.note(step, {"val_error": 0.5} if step % 4 == 3 else {})
        if log.pictured(step):
            log.draw(step, lambda path, step=step: write(path, b"of %d" % (step + 1)))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def merged(told):
    """(step, numbers) with all that is told of a step, and (step, picture)."""
    numbers, pictures = {}, []
    for step, one in told:
        if isinstance(one, bytes):
            pictures.append((step, one))
        else:
            numbers.setdefault(step, {}).update(one)
    return numbers, pictures


def test_every_tracker_is_told_each_row_and_shown_each_picture():
    trackers = [Recording(), Recording()]
    with log_of(6, previews=2, trackers=trackers) as log:
        pictured(log, range(6))
    assert trackers[0].told == [
        (1, {"loss": 0.0}),
        (2, {"loss": 1.0}),
        (2, b"of 2"),
        (3, {"loss": 2.0}),
        (4, {"loss": 3.0}),
        (4, {"val_error": 0.5}),
        (4, b"of 4"),
        (5, {"loss": 4.0}),
        (6, {"loss": 5.0}),
    ]
    assert trackers[1].told == trackers[0].told
    assert all(tracker.closed for tracker in trackers)


def test_a_tracker_is_told_all_once_more_after_a_stop_in_the_order_of_the_steps():
    whole, second = Recording(), Recording()
    with log_of(8, previews=2, trackers=[whole]) as log:
        pictured(log, range(8))
    with log_of(8, previews=2) as log:
        pictured(log, range(5))
        kept = log.tensors(), log.state()
    with log_of(8, previews=2, trackers=[second]) as log:
        log.restore(*kept)
        pictured(log, range(5, 8))
    assert merged(second.told) == merged(whole.told)
    assert [step for step, _ in second.told] == sorted(step for step, _ in second.told)


def test_the_curves_of_time_and_memory_go_on_after_a_stop():
    stopped = told(log_of(8), 5)
    again = log_of(8)
    with again:
        again.restore({}, stopped.state())
        for step in range(5, 8):
            again.add(step, loss=float(step))
    assert curve("seconds")["step"].tolist() == list(range(1, 9))
    assert curve("seconds")["seconds"].is_monotonic_increasing
    assert curve("peak_memory_mb")["peak_memory_mb"].is_monotonic_increasing
    assert (curve("samples_per_s")["samples_per_s"] > 0).all()
    assert set(again.costs) == {"seconds", "peak_memory_mb"}
    assert again.costs["seconds"] >= curve("seconds")["seconds"].iloc[-1]
