"""Random generators named by their purpose.

Step k draws the same numbers after a resume, sample i in any batch size: a generator is a pure
function of its name and never advances another one.
"""

import json
from hashlib import blake2b

import numpy as np


def number(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for `purpose`, such as (7, "train_ldm", "step", 12)."""
    digest = blake2b(json.dumps([seed, *purpose]).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") & (2**63 - 1)


def rng(seed: int, *purpose: str | int) -> np.random.Generator:
    """A NumPy generator for `purpose`."""
    return np.random.default_rng(number(seed, *purpose))
