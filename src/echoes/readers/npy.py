"""NumPy files of one array, read strictly: any fault names the file, and nothing is unpickled."""

import tokenize
from pathlib import Path

import numpy as np

from echoes.errors import InputError, one_line

# What NumPy's parser of a header, a Python literal, and mapping a file of fewer bytes than it says raise.
BROKEN = (ValueError, OSError, EOFError, TypeError, ArithmeticError, MemoryError, RecursionError, tokenize.TokenError)


def opened(path: Path) -> np.ndarray:
    """The array, not yet in memory."""
    try:
        with np.errstate(over="raise"):  # a size beyond 64 bits
            return np.lib.format.open_memmap(path, mode="r")  # of .npy only: np.load takes .npz and pickles too
    except BROKEN as error:
        raise InputError(f"{path}: expected a whole .npy file, got: {one_line(error)}") from error
