"""A curve over the steps of a training -> inline SVG, in the colours of the page that it stands on."""

from collections.abc import Callable, Sequence
from html import escape
from math import isfinite, log10

from echoes.reports.page import element

WIDE, HIGH, TOP, BOTTOM, LEFT = 300, 130, 22, 18, 4  # pixels of a drawing, and of what is written around the curve
RATIO = 20  # of the highest to the lowest value from which on an axis counts in powers of ten


def chart(name: str, points: Sequence[tuple[float, float]]) -> str:
    """A chart of (step, value): its ends are written, its values told to who does not see it.

    Values that are not finite leave a gap. Empty for a curve without any value.
    """
    known = [(step, value) for step, value in points if isfinite(value)]
    if not known:
        return ""
    values = [value for _, value in known]
    lo, hi = min(values), max(values)
    powers = lo > 0 and hi / lo > RATIO
    x = _scale(points[0][0], points[-1][0], LEFT, WIDE - LEFT)
    y = _scale(_height(lo, powers), _height(hi, powers), HIGH - BOTTOM, TOP)
    told = f"{name}: {_text(known[0][1])} to {_text(known[-1][1])} after {known[-1][0]:g} steps"
    marks = [
        element("text", escape(name), x=str(LEFT), y="14", class_="name"),
        element("text", _text(known[-1][1]), x=str(WIDE - LEFT), y="14", class_="end"),
        element("text", f"{_text(lo)} to {_text(hi)}{', log' * powers}", x=str(LEFT), y=str(HIGH - 4)),
        element("text", f"{points[-1][0]:g} steps", x=str(WIDE - LEFT), y=str(HIGH - 4), class_="end"),
    ]
    lines = [
        element("polyline", "", points=" ".join(f"{x(step):.1f},{y(_height(v, powers)):.1f}" for step, v in piece))
        for piece in _pieces(points)
    ]
    box = f"0 0 {WIDE} {HIGH}"
    return element("svg", "".join(lines + marks), viewBox=box, role="img", aria_label=told)


def _height(value: float, powers: bool) -> float:
    return log10(value) if powers else value


def _scale(lo: float, hi: float, start: float, stop: float) -> Callable[[float], float]:
    """From values between lo and hi to pixels; those that are all the same lie at the start."""
    slope = (stop - start) / (hi - lo) if hi > lo else 0.0
    return lambda value: start + slope * (value - lo)


def _pieces(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Between values that are not finite."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for step, value in points:
        if isfinite(value):
            pieces[-1].append((step, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _text(value: float) -> str:
    return f"{value:.4g}"
