from dataclasses import dataclass
from typing import Literal

from echoes.arrays import Reader


@dataclass(frozen=True)
class Section:
    of: Literal["waves"]


def evaluate(data, samples, timings, p, folder, frame_map):
    made = Reader(samples, "samples")
    return {name: {"mean_abs": float(abs(made.all(name)).mean()), **timings[name]} for name in timings}
