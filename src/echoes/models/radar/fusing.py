"""The clouds that the gate reads out of what the networks say: `decide`, `overlap`, `count`, `blend` and `fused`."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from echoes.dataset.grids import Grids
from echoes.evaluation.reliability import Reliability
from echoes.models import sampler
from echoes.models.conditions import Conditions
from echoes.models.radar import cell_choice, readout
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
        self._say_both = of_frames(call, grids, conditions, True)
        self._grids = grids
        self._judged: list[Reliability] = []

    def decided(self, frames: np.ndarray) -> Produced:
        """The cells of the best overlap."""
        probability, measured, seconds = self._weighed(frames)
        self._judge(frames, probability)
        level, placement = self._fusion.readout.decide, self._fusion.placement
        return [placement.at_least(level, p, m) for p, m in zip(probability, measured, strict=True)], seconds

    def overlapping(self, frames: np.ndarray) -> Produced:
        """The cells of the best expected overlap, frame by frame."""
        probability, measured, seconds = self._weighed(frames)
        cells = [cell_choice.best_overlap(p) for p in probability]
        return self._placed(cells, probability, measured), seconds

    def counted(self, frames: np.ndarray) -> Produced:
        """The most probable cells, as many as a LiDAR would show."""
        probability, measured, seconds = self._weighed(frames)
        cells = [cell_choice.as_many(p, p) for p in probability]
        return self._placed(cells, probability, measured), seconds

    def blended(self, frames: np.ndarray) -> Produced:
        """As many cells, the most probable ones of the gate and one sample of the latent model together."""
        said = self._say_both(frames)
        start = sampler.clock(self._device)
        gated, sampled = (p.cpu().numpy() for p in (self._fusion.probability(said.weighed), said.latent.sigmoid()))
        seconds = said.seconds + sampler.clock(self._device) - start
        share = self._fusion.readout.blend
        cells = [cell_choice.blended_cells(*pair, share) for pair in zip(gated, sampled, strict=True)]
        return self._placed(cells, gated, said.measured.cpu().numpy()), seconds

    def fused(self, frames: np.ndarray) -> Produced:
        """The returns that went in and the cells that are added."""
        probability, measured, seconds = self._weighed(frames)
        made = []
        for frame, p, m in zip(frames, probability, measured, strict=True):
            cells, points = self._grids.cells("input", int(frame)), self._grids.points("input", int(frame))
            made.append(self._fusion.fused(p, m, cells, points))
        return made, seconds

    def judged(self) -> list[Reliability]:
        """How right the probability was in each frame that was decided since this was asked last."""
        found, self._judged = self._judged, []
        return found

    def _placed(self, cells: Sequence[np.ndarray], probability: np.ndarray, measured: np.ndarray) -> list[Made]:
        return [self._fusion.placement.at(*frame) for frame in zip(cells, probability, measured, strict=True)]

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
            self._judged.append(Reliability())
            self._judged[-1].add(p.ravel(), occupied.ravel(), band.ravel())


def believed(judged: Iterable[Reliability]) -> dict[str, float]:
    """How far the probability of all these frames can be believed."""
    found = Reliability()
    for frame in judged:
        found.join(frame)
    return {key: value for key, value in found.numbers().items() if not math.isnan(value)}
