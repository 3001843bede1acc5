"""A reader of waves: how many there are of each shape stands in a file."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Source:
    reader: Literal["waves"]
    seed: int
