"""Rows of float32 that tell no columns: another width than was said shows in the numbers."""

import numpy as np
import pytest

from echoes.readers import float_rows
from echoes.seeds import rng


def rows(columns, count=400):
    """Points of a sensor, and what else it may tell of each."""
    draw = rng(0, "rows", columns)
    xyz = draw.uniform([2, -20, -1], [60, 20, 3], (count, 3))
    others = [draw.uniform(0, 255, count), draw.normal(-5, 3, count), np.zeros(count), np.arange(count) % 32 + 40.0]
    others += [np.linalg.norm(xyz, axis=1), np.arctan2(xyz[:, 1], xyz[:, 0]), np.arange(count) * 1e-3]
    return np.column_stack([xyz, *others]).astype(np.float32)[:, :columns]


@pytest.mark.parametrize("columns", range(4, 10))
def test_rows_are_as_wide_as_they_are(columns):
    found = rows(columns)
    assert float_rows.told_width(found) is None
    assert float_rows.told_width(rng(1, "order").permutation(found)) is None
    flat = found.ravel()
    for other in (4, 5, 7):
        if np.gcd(other, columns) == 1:
            assert float_rows.told_width(flat[: len(flat) // other * other].reshape(-1, other)) == columns


def test_what_does_not_tell_is_taken_as_was_said(tmp_path):
    assert float_rows.told_width(np.zeros((400, 4), np.float32)) is None
    assert float_rows.told_width(rows(5, 19).ravel()[:92].reshape(-1, 4)) is None  # too few
    assert float_rows.told_width(rng(0, "noise").normal(size=(400, 4)).astype(np.float32)) is None  # all alike
    broken = rows(5)
    broken[::7] = np.nan
    broken[::11] = np.inf
    assert float_rows.told_width(broken) is None
    (tmp_path / "a.bin").write_bytes(b"")
    assert float_rows.load(tmp_path / "a.bin", 4).shape == (0, 4)
