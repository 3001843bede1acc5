"""Numbers survive the disk rounded, and what is no finite number is refused by its key."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import metrics
from echoes.errors import InputError


@given(st.dictionaries(st.text(max_size=5), st.floats(-1e12, 1e12), max_size=4))
def test_numbers_come_back_to_six_digits(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("metrics") / "ldm.json"
    metrics.write(path, {"block": values})
    found = metrics.read(path)["block"]
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name] == pytest.approx(value, rel=5.1e-6)


def test_noise_beyond_six_digits_does_not_show_in_a_diff(tmp_path):
    for name, third in (("a", 1 / 3), ("b", 1 / 3 + 1e-9)):
        metrics.write(tmp_path / name, {"third": third})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b'{\n  "third": 0.333333\n}\n'


def test_counts_names_and_absence_stay_what_they_are(tmp_path):
    path = tmp_path / "deep" / "er" / "a.json"
    metrics.write(path, {"frames": 1234567, "solver": "heun", "mirror": True, "doppler_mae_mps": None})
    assert metrics.read(path) == {"frames": 1234567, "solver": "heun", "mirror": True, "doppler_mae_mps": None}


def test_numbers_of_numpy_are_numbers(tmp_path):
    metrics.write(tmp_path / "a.json", {"loss": np.float32(0.5), "frames": np.int64(3)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": 0.5, "frames": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_number_that_is_not_finite_is_refused_and_the_file_stays(tmp_path, value):
    path = tmp_path / "a.json"
    metrics.write(path, {"loss": 1.0})
    with pytest.raises(ValueError, match=r"^ldm\.chamfer_m: expected a finite number"):
        metrics.write(path, {"ldm": {"chamfer_m": value}})
    assert metrics.read(path) == {"loss": 1.0}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_without_metrics_is_refused_by_name(tmp_path, content):
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: expected metrics in JSON"):
        metrics.read(path)
