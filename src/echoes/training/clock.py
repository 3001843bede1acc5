"""What a training takes of this machine: time and memory."""

import time
from typing import Any

import torch

from echoes.compute.device import best_device, peak_memory_mb


class Clock:
    """Seconds, samples per second and memory, lap by lap; goes on after a stop where it was."""

    def __init__(self, batch: int) -> None:
        """batch: samples of a step."""
        self._batch, self._device = batch, best_device()
        self._before_s, self._began_s, self._lap_s = 0.0, time.monotonic(), time.monotonic()
        self._idle_mb, self._peak_mb = 0.0, 0.0

    def start(self) -> None:
        """Time and memory of what comes from now on."""
        self._began_s = self._lap_s = time.monotonic()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._idle_mb = peak_memory_mb(self._device)

    @property
    def peak_mb(self) -> float:
        """Most memory so far [MB]: what tensors took of a GPU, what the process grew by on a processor."""
        self._peak_mb = max(self._peak_mb, peak_memory_mb(self._device) - self._idle_mb)
        return self._peak_mb

    @property
    def seconds(self) -> float:
        """So far, those before a stop included."""
        return self._before_s + time.monotonic() - self._began_s

    def lap(self, steps: int) -> dict[str, float]:
        """Of the steps since the last lap, pictures and measurements between them included."""
        now_s = time.monotonic()
        took_s, self._lap_s = now_s - self._lap_s, now_s
        return {
            "seconds": self._before_s + now_s - self._began_s,
            "samples_per_s": self._batch * steps / took_s,
            "peak_memory_mb": self.peak_mb,
        }

    def state(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "peak_mb": self.peak_mb}

    def restore(self, state: dict[str, Any]) -> None:
        self.start()
        self._before_s, self._peak_mb = state["seconds"], state["peak_mb"]
