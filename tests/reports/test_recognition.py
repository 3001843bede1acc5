"""Confusion matrices and envelopes: the same bytes again, and what is seen follows what is given."""

from pathlib import Path

import matplotlib.image
import numpy as np

from echoes import seeds
from echoes.reports import recognition

TIME_S = np.linspace(0, 2, 16)


def pixels(path: Path) -> np.ndarray:
    return matplotlib.image.imread(path)[..., :3]


def envelope(shift: float) -> tuple[np.ndarray, np.ndarray]:
    noise = seeds.rng(0, "envelope").normal(scale=0.1, size=(2, 20, 16))
    return noise[0] - 1 + shift, noise[1] + 1 + shift


def test_pictures_repeat_byte_for_byte(tmp_path):
    found = {label: {"real": envelope(0), "ldm": envelope(0.2)} for label in ("walk", "run", "sit", "fall", "wave")}
    counts = {"real": np.diag([5, 4, 9]), "ldm": np.ones((3, 3), dtype=np.int64)}
    for run in ("first", "second"):
        recognition.envelopes(found, TIME_S, tmp_path / run / "envelopes.png")
        recognition.confusion(counts, ("a", "b", "c"), tmp_path / run / "confusion.png")
    for name in ("envelopes", "confusion"):
        first, second = (tmp_path / run / f"{name}.png" for run in ("first", "second"))
        assert first.read_bytes() == second.read_bytes(), name
        assert min(pixels(first).shape[:2]) >= 300, name


def test_what_is_recognised_is_dark_on_the_diagonal_and_elsewhere_light(tmp_path):
    for name, counts in (("right", np.eye(6, dtype=np.int64)), ("wrong", np.roll(np.eye(6, dtype=np.int64), 1, 1))):
        recognition.confusion({name: counts}, list("abcdef"), tmp_path / f"{name}.png")
    blue = {name: pixels(tmp_path / f"{name}.png") for name in ("right", "wrong")}
    dark = {name: np.argwhere((p[..., 2] - p[..., 0] > 0.2) & (p[..., 0] < 0.2)) for name, p in blue.items()}
    lines = {name: np.corrcoef(where.T)[0, 1] for name, where in dark.items()}
    assert lines["right"] > 0.9 > lines["wrong"]


def test_labels_are_rows(tmp_path):
    counts = np.zeros((6, 6), dtype=np.int64)
    counts[:, 0] = 1  # whatever was asked for, the first class was recognised
    recognition.confusion({"ldm": counts}, list("abcdef"), tmp_path / "confusion.png")
    image = pixels(tmp_path / "confusion.png")
    rows, columns = np.nonzero((image[..., 2] - image[..., 0] > 0.2) & (image[..., 0] < 0.2))
    assert np.ptp(rows) > 3 * np.ptp(columns)


def test_a_label_that_was_never_asked_for_has_an_empty_row(tmp_path):
    recognition.confusion({"ldm": np.diag([3, 0])}, ("walk", "run"), tmp_path / "confusion.png")
    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_envelopes_that_lie_higher_are_drawn_higher(tmp_path):
    recognition.envelopes({"walk": {"real": envelope(0), "ldm": envelope(1.0)}}, TIME_S, tmp_path / "envelopes.png")
    image = pixels(tmp_path / "envelopes.png")
    panel = image[:, : round(0.7 * image.shape[1])]  # without the legend
    orange = np.argwhere((panel[..., 0] > 0.9) & (panel[..., 2] < 0.2))[:, 0].mean()
    blue = np.argwhere((panel[..., 0] < 0.25) & (panel[..., 2] > 0.6))[:, 0].mean()
    assert orange < blue  # rows count downwards
