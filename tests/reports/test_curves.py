"""Curves survive the disk, stay short, and a failed run leaves none."""

import numpy as np
import pytest

from echoes.errors import InputError
from echoes.reports import curves


def test_a_curve_holds_the_means_of_equal_intervals(tmp_path):
    with curves.Curve(tmp_path / "plots" / "ldm.csv", steps=400) as curve:
        for step in range(400):
            curve.add(step, loss=float(step), rate=0.5)
    found = curves.read(tmp_path / "plots" / "ldm.csv")
    np.testing.assert_allclose(found["step"], np.arange(2, 401, 2))
    np.testing.assert_allclose(found["loss"], np.arange(0.5, 400, 2))
    assert set(found["rate"]) == {0.5}


def test_the_last_value_is_the_mean_of_the_last_tenth(tmp_path):
    with curves.Curve(tmp_path / "ldm.csv", steps=100) as curve:
        for step in range(100):
            curve.add(step, loss=float(step))
        assert curve.last("loss") == pytest.approx(np.mean(range(90, 100)))


def test_lines_end_alike_on_every_machine(tmp_path):
    with curves.Curve(tmp_path / "ldm.csv", steps=2) as curve:
        for step in range(2):
            curve.add(step, loss=1 / 3)
    assert (tmp_path / "ldm.csv").read_bytes() == b"step,loss\n1,0.333333\n2,0.333333\n"


def test_a_run_that_fails_leaves_the_curve_of_the_one_before(tmp_path):
    path = tmp_path / "ldm.csv"
    path.write_text("step,loss\n1,2\n")
    with pytest.raises(ZeroDivisionError), curves.Curve(path, steps=2) as curve:
        curve.add(0, loss=1 / 0)
    assert path.read_text() == "step,loss\n1,2\n"
    assert [p.name for p in tmp_path.iterdir()] == ["ldm.csv"]


@pytest.mark.parametrize("text", ["", "step,loss\n1\n", "step,loss\n1,much\n"])
def test_a_file_that_is_no_curve_is_named(tmp_path, text):
    (tmp_path / "odd.csv").write_text(text)
    with pytest.raises(InputError, match=r"odd\.csv: expected a row of names"):
        curves.read(tmp_path / "odd.csv")
