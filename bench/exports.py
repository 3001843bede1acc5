"""A trained track of clouds as ONNX in float32 and in int8: size, latency, and how near its clouds are to the LiDAR.

    python bench/exports.py [TRACK]

Each test frame goes in alone. What comes out is fused with the radar as `echoes enhance` does it, and compared as
evaluate compares points. Printed are megabytes, median milliseconds, mean Chamfer distance and F1 within 1 m.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import torch

from echoes import params
from echoes.commands import export
from echoes.dataset.frames import evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation.points import Region, evaluate_points, restrict
from echoes.inference import Enhancer
from echoes.models.radar.comparison import CloudEvaluation
from echoes.models.trained import SampleParams

PRECISIONS = ("float32", "int8")
KEYS = ("chamfer_m", "f1@1.0m")


def main(track: str = "radar") -> None:
    data = Path("data", track)
    grids, enhancer = Grids(data / "grids.zarr"), Enhancer.load(data, device=torch.device("cpu"))
    count: SampleParams = params.load(SampleParams, f"{track}.sample")
    of: CloudEvaluation = params.load(CloudEvaluation, f"{track}.evaluate")
    frames = evenly_spaced(grids.frames("test"), count.frames)
    rows = ["| precision | MB | ms per frame | Chamfer m | F1 @1m |", "|---|---:|---:|---:|---:|"]
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder, precision)
            print(export.portable(track, "onnx", precision, output, False), flush=True)
            path = output / "network.onnx"
            milliseconds, numbers = measured(path, grids, enhancer, frames, of.range_m)
            told = " | ".join(f"{number:.3f}" for number in numbers)
            rows.append(f"| {precision} | {path.stat().st_size / 1e6:.2f} | {milliseconds:.1f} | {told} |")
    print("\n".join(rows))


def measured(
    path: Path, grids: Grids, enhancer: Enhancer, frames: np.ndarray, range_m: float
) -> tuple[float, tuple[float, ...]]:
    """Median milliseconds of a frame, and the mean of each of KEYS over the fused points of the frames."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    times, found = [], []
    for frame in frames.tolist():
        noise = enhancer.call.sampler.noise([frame], "sample").numpy()
        given = {"cells": grids.input_batch([frame]), "noise": noise}
        if not times:
            session.run(["probability", "measured"], given)  # the first call pays for its set-up
        start = time.perf_counter()
        probability, said = session.run(["probability", "measured"], given)
        times.append(1000 * (time.perf_counter() - start))
        points = grids.points("input", frame)
        made = enhancer.fusion.fused(probability[0], said[0], grids.cells("input", frame), points).points
        region = Region(range_m, grids.grid, grids.ground(frame), grids.ground_m)
        truth = restrict(grids.points("target", frame), region)
        scores = evaluate_points(restrict(made, region), truth, grids.grid.diagonal_m)
        found.append([scores[key] for key in KEYS])
    return median(times), tuple(np.nanmean(found, axis=0).tolist())


if __name__ == "__main__":
    main(*sys.argv[1:])
