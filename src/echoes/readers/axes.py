"""Where the axes of a sensor point to: forward or back, left or right, up or down, a letter for each."""

import numpy as np

from echoes.errors import InputError

WAYS = {"F": (1, 0, 0), "B": (-1, 0, 0), "L": (0, 1, 0), "R": (0, -1, 0), "U": (0, 0, 1), "D": (0, 0, -1)}
PAIRS = ("FB", "LR", "UD")
LEFT_HANDED = "left-handed"


def rotation(axes: str) -> np.ndarray:
    """(3, 3) coordinates along such axes -> x forward, y left, z up; raises InputError for none, or the other hand."""
    letters, _, hand = axes.partition(" ")
    chosen = [i for letter in letters for i, pair in enumerate(PAIRS) if letter in pair]
    if len(letters) != 3 or sorted(chosen) != [0, 1, 2] or hand not in ("", LEFT_HANDED):
        raise InputError(f"axes: expected one of F B, one of L R and one of U D, such as FLU, got {axes!r}")
    matrix = np.array([WAYS[letter] for letter in letters], np.float64).T
    mirrored = np.linalg.det(matrix) < 0
    if mirrored and not hand:
        told = f"{letters}, which mirrors the world; `{letters} {LEFT_HANDED}` is for files that are"
        raise InputError(f"axes: expected right-handed ones, such as FLU or RFU, got {told}")
    if hand and not mirrored:
        raise InputError(f"axes: expected {letters}, which is right-handed, got {axes}")
    return matrix
