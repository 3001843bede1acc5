"""The clouds that keep the returns which go in: the methods `decide` and `fused` of the stage sample."""

import math

import numpy as np

from echoes.dataset.grids import Grids
from echoes.evaluation.reliability import Reliability
from echoes.models import sampler
from echoes.models.conditions import Conditions
from echoes.models.radar import readout
from echoes.models.radar.clouds import Made
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.readout import Fusion, Placement, Readout

Produced = tuple[list[Made], float]  # of a batch of frames (B,), and the seconds it took


class Fusing:
    """Weighs by the gate what the networks say, and compares its probability with what was there as it goes."""

    def __init__(self, call: OneCall, settled: Readout, grids: Grids, conditions: Conditions) -> None:
        self._device = call.sampler.device
        self._fusion = Fusion(settled, Placement.of(grids), self._device)
        self._say = of_frames(call, grids, conditions, settled.uses_latent)
        self._grids, self._reliability = grids, Reliability()

    def decided(self, frames: np.ndarray) -> Produced:
        """The cells of the best overlap."""
        probability, measured, seconds = self._weighed(frames)
        self._judge(frames, probability)
        level, placement = self._fusion.readout.decide, self._fusion.placement
        return [placement.at_least(level, p, m) for p, m in zip(probability, measured, strict=True)], seconds

    def fused(self, frames: np.ndarray) -> Produced:
        """The returns that went in and the cells that are added."""
        probability, measured, seconds = self._weighed(frames)
        made = []
        for frame, p, m in zip(frames, probability, measured, strict=True):
            cells, points = self._grids.cells("input", int(frame)), self._grids.points("input", int(frame))
            made.append(self._fusion.fused(p, m, cells, points))
        return made, seconds

    def believed(self) -> dict[str, float]:
        """How far the probability of the frames that were decided can be believed."""
        return {key: value for key, value in self._reliability.numbers().items() if not math.isnan(value)}

    def _weighed(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """(B, D, H, W) probability by the gate, (B, C + 3, D, H, W) measurements, and the seconds in the networks."""
        said = self._say(frames)
        start = sampler.clock(self._device)
        probability = self._fusion.probability(said.weighed)
        seconds = said.seconds + sampler.clock(self._device) - start
        return probability.cpu().numpy(), said.measured.cpu().numpy(), seconds

    def _judge(self, frames: np.ndarray, probability: np.ndarray) -> None:
        """Compare the gate's probability (B, D, H, W) with what was there, cell by cell."""
        band = np.broadcast_to(readout.bands(self._grids.grid), self._grids.shape)
        for frame, p in zip(frames, probability, strict=True):
            occupied = np.zeros(self._grids.shape, bool)
            occupied[tuple(self._grids.cells("target", int(frame)).indices.T)] = True
            self._reliability.add(p.ravel(), occupied.ravel(), band.ravel())
