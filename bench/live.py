"""A radar at 10 Hz into `echoes live`: latency, drops, and whether its memory grows.

python bench/live.py TRACK [SECONDS]

The test frames of a trained track, over and over, as they would come: one each tenth of a second, whether the last one
is done or not. The model is packed anew.
"""

import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import BinaryIO

import machine
import numpy as np

from echoes.dataset.grids import Grids

PERIOD_S = 0.1
WARM_S = 10.0  # until a process has what it needs
ECHOES = str(Path(sys.executable).with_name("echoes"))


def send(into: BinaryIO, points: np.ndarray) -> None:
    """A frame (N, 5) as `echoes live` reads it."""
    head = np.float64(time.time()).tobytes() + np.uint32(len(points)).tobytes()
    into.write(head + points.astype("<f4").tobytes())
    into.flush()


def receive(out: BinaryIO) -> np.ndarray:
    """A cloud (N, 6) as it writes it."""
    count = np.frombuffer(out.read(12)[8:], "<u4")[0]
    return np.frombuffer(out.read(int(count) * 6 * 4), "<f4").reshape(-1, 6)


def stream(into: BinaryIO, frames: list[np.ndarray], count: int) -> None:
    """Sends frames at the times at which they are due."""
    begun = time.perf_counter()
    for i, points in zip(range(count), cycle(frames), strict=False):
        time.sleep(max(0.0, begun + i * PERIOD_S - time.perf_counter()))
        send(into, points)
    into.close()


def resident_mb(pid: int) -> float:
    """What a process holds in memory."""
    status = Path("/proc", str(pid), "status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main(track: str, seconds: str = "300") -> None:
    machine.tell()
    data = Path("data", track)
    grids, count = Grids(data / "grids.zarr"), int(float(seconds) / PERIOD_S)
    frames = [np.asarray(grids.points("input", frame)) for frame in grids.frames("test")]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([ECHOES, "pack", "--track", track, f"{folder}/model"], check=True, stdout=subprocess.DEVNULL)
        command = [ECHOES, "live", "--model", f"{folder}/model", "--source", "stdin", "--doppler", "over_ground"]
        live = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert live.stdin is not None
        assert live.stdout is not None
        send(live.stdin, frames[0])
        receive(live.stdout)  # once the model is loaded: a radar that is there before is not a late answer
        radar = Thread(target=stream, args=(live.stdin, frames, count))
        clouds = Thread(target=live.stdout.read)
        clouds.start()
        radar.start()
        time.sleep(WARM_S)
        held = [resident_mb(live.pid)]
        while radar.is_alive():
            held.append(resident_mb(live.pid))
            time.sleep(1.0)
        live.wait()
    points = np.mean([len(one) for one in frames])
    print(f"{count} frames of {points:.0f} points in the mean")
    print(f"memory after {WARM_S:.0f} s {held[0]:.0f} MB, most {max(held):.0f} MB, at the end {held[-1]:.0f} MB")


if __name__ == "__main__":
    main(*sys.argv[1:])
