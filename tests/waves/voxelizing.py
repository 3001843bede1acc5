"""Waves of two shapes, as grids of rank 1."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from echoes import files, seeds
from echoes.dataset.frames import SPLITS
from echoes.provenance import Header

FINDINGS: dict[str, str] = {}
SHAPES = ("sine", "square")
OF_TEN = ("train",) * 6 + ("val",) * 2 + ("test",) * 2


@dataclass(frozen=True)
class Layout:
    raster: Literal["waves"]
    size: int


@dataclass(frozen=True)
class Split:
    by: Literal["tens"]


def require(track, reader, layout, split):
    """All waves go together."""


def write(root, source, layout, split, workers, writer, table):
    count = int((root / "count").read_text())
    for i in range(count):
        shape = i % len(SHAPES)
        phase = seeds.rng(source.seed, "wave", i).uniform(0, 2 * np.pi)
        wave = np.sin(np.linspace(0, 4 * np.pi, layout.size) + phase)
        wave = np.sign(wave) if shape else wave
        writer.append("wave", wave[None, None].astype(np.float32))
        writer.append("shape", np.array([shape], np.int32))
        writer.append("split", np.array([SPLITS.index(OF_TEN[i // 2 % 10])], np.uint8))
    content = {
        "family": "waves",
        "axes": [{"name": "time", "unit": "s", "start": 0.0, "stop": 1.0, "size": layout.size}],
        "kinds": ["shape"],
        "labels": {"shape": list(SHAPES)},
    }
    made_by = {"source": asdict(source), "grid": asdict(layout), "split": asdict(split)}
    writer.seal(Header("grids", made_by, {"raw": files.digest(root)}, content))
    Path(table).parent.mkdir(parents=True, exist_ok=True)
    Path(table).write_text("wave\n")
    return {"waves": count}
