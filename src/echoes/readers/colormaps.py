"""A picture drawn with a known colormap of matplotlib -> the values it was drawn from."""

import matplotlib
import numpy as np
from scipy.spatial import cKDTree

from echoes.errors import InputError

SAME = 0.02  # two colours closer than this cannot be told apart in a JPEG
NEAR = 0.15  # of the scale: colours as close as SAME must mean values as close as this


def table(name: str) -> np.ndarray:
    """(K, 3) float64 0..1, the colours from low to high, 256 of them for most colormaps."""
    if name not in matplotlib.colormaps:
        note = "; parula is MATLAB's own" if name == "parula" else ""
        raise InputError(f"colormap: expected a colormap of matplotlib such as viridis, got {name!r}{note}")
    colormap = matplotlib.colormaps[name]
    colours = np.asarray(colormap(np.arange(colormap.N)))[:, :3]
    values = np.linspace(0, 1, len(colours))
    same = np.linalg.norm(colours[:, None] - colours, axis=2) < SAME
    if len(colours) < 64 or (same & (np.abs(values[:, None] - values) > NEAR)).any():
        raise InputError(f"colormap: expected one whose colours occur once and change gradually, got {name!r}")
    return colours


def invert(rgb: np.ndarray, colours: np.ndarray) -> tuple[np.ndarray, float]:
    """The value of the nearest colour, and how far the picture lies from the colours.

    rgb      (H, W, 3) 0..1.
    colours  (K, 3), from `table`.
    returns  (H, W) float32 0..1, and the mean Euclidean distance in RGB.
    """
    distance, nearest = cKDTree(colours).query(rgb.reshape(-1, 3))
    values = np.asarray(nearest, dtype=np.float32).reshape(rgb.shape[:2]) / np.float32(len(colours) - 1)
    return values, float(np.mean(distance))
