"""All methods of a track of clouds on its test split: their clouds frame by frame, their latency and calls."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cached_property, lru_cache, partial
from statistics import median
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from echoes import seeds
from echoes.arrays import Writer
from echoes.choices.rules import in_force
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation import ensembles
from echoes.evaluation.reliability import Reliability
from echoes.models import mapping, sampler, students
from echoes.models.conditions import unmirrored
from echoes.models.mapping import FrameMap, WorkerSettings
from echoes.models.radar import baselines, clouds, encoded, fusing, reconstruction, returns
from echoes.models.radar.clouds import Cloud, Made, from_decoded
from echoes.models.radar.drawing import drawn_cells
from echoes.models.radar.fusing import Fusing, Produced
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.readout import Placement
from echoes.models.radar.returns import Returns
from echoes.models.radar.thresholds import THRESHOLDS, Validation
from echoes.models.sampler import UNGUIDED, Sampler, seed_of
from echoes.models.trained import SampleParams, Trained, load
from echoes.provenance import Header
from echoes.rasters import voxels
from echoes.tasks import OCCUPANCY, RADAR

THRESHOLD_FRAMES = 32  # of the validation split, for the threshold of each method
FUSED = ("decide", "overlap", "count", "blend", "fused")  # methods that the gate reads out
THINNED = "thinned"  # of a LiDAR, to as many points as the radar has
TRAINING = 256  # frames, evenly spread, whose cells tell what a radar measures at a range
MEMBERS, MEMBERS_FRAMES = 8, 24  # samples of the consistency model for each of so many test frames, evenly spread


class Sampling:
    """Runs each method over the same frames, each with the threshold that is best for it on validation frames."""

    def __init__(
        self,
        trained: Trained,
        grids: Grids,
        p: SampleParams,
        frame_map: FrameMap = mapping.in_process,
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        """thresholds: those of another one of the same track; None where they are to be found."""
        self._trained, self._grids, self._p, self._frame_map = trained, grids, p, frame_map
        trained.tile(p.tiles)
        drawn = trained.samplers(p)
        mean = replace(drawn["ldm"], steps=sampler.regressing(p.sigmas.high), guidance=UNGUIDED)
        both_ends = trained.of.student == "trajectory"
        of_student = {"cd_mean": students.mean(drawn["cd_1"], trained.model, trained.of.sigmas)} if both_ends else {}
        self._samplers: dict[str, Sampler] = {"posterior_mean": mean, **drawn, **of_student}
        call = OneCall(replace(drawn["cd_1"], seed=trained.of.seed))  # as `echoes enhance` draws it
        self._regression, self._say = call.regression, of_frames(call, grids, trained.conditions, False)
        enhances = grids.task.enhances
        self._fusing = Fusing(call, trained.readout, grids, trained.conditions) if enhances else None
        self._returns: Returns | None = None
        if grids.task.makes_radar:
            self._returns = returns.stored(trained.header, students.calibrated(trained.header, "threshold"))
        self._placement = Placement.of(grids)
        self.thresholds = self._chosen_thresholds() if thresholds is None else dict(thresholds)
        self.frames = evenly_spaced(grids.frames("test"), p.frames)
        self._batches = batches_of(self.frames, p.batch)
        self._milliseconds: dict[str, list[float]] = {}
        self._judged: list[Reliability] = []
        self._set_up: set[str] = set()  # methods whose networks were called before

    @property
    def methods(self) -> list[str]:
        direct = [] if self._regression is None else ["regression"]
        fused = [] if self._fusing is None else [*FUSED]
        thinned = [] if self._returns is None else [THINNED]
        return [self._grids.task.given, "nearest_train", *thinned, *direct, *self._samplers, *fused, "vae_bound"]

    def write(self, writer: Writer) -> None:
        """The clouds of every method, the frames they belong to, and features of these clouds and of the real ones."""
        cells = {"real": [self._grids.cells("target", int(frame)).indices for frame in self.frames]}
        for method in self.methods:
            cells[method] = []
            for made in self.clouds(method):
                cells[method].append(made.cells.indices)
                writer.append_ragged(f"{method}_indices", made.cells.indices)
                writer.append_ragged(f"{method}_features", made.cells.features)
                writer.append_ragged(f"{method}_points", made.points)
        for name, indices in cells.items():
            found = encoded.features(self._trained.vae, self._grids, indices, self._p.batch)
            writer.append(f"{name}_encoded", found)
        writer.append("frame", self.frames)
        parents = {**self._trained.header.parents, "cd": self._trained.header.identity}
        content: dict[str, Any] = {
            "methods": self.methods,
            "columns": list(clouds.columns(self._grids.task.target)),
            "point_columns": list(clouds.POINT_COLUMNS),
            "thresholds": self.thresholds,
        }
        if self._fusing is not None:
            content["readout"] = asdict(self._trained.readout)
        writer.seal(Header("samples", in_force(self._p), parents, content))

    def clouds(self, method: str) -> Iterator[Made]:
        """The clouds of `frames` in order; takes the milliseconds per frame down as it goes."""
        settled = tuple(self.thresholds.items())
        remote = partial(_produced, self._trained.header.identity, self._p, settled, method)
        produced = self._frame_map(partial(self.produced, method), remote, self._batches)
        times = self._milliseconds[method] = []
        batches = tqdm(self._batches, f"sample {method}", mininterval=1.0)
        for frames, (made, seconds, judged) in zip(batches, produced, strict=True):
            times += [1000 * seconds / len(frames)] * len(frames)
            self._judged += judged
            yield from (self._as_points(method, int(f), one) for f, one in zip(frames, made, strict=True))

    def produced(self, method: str, frames: np.ndarray) -> tuple[list[Made], float, list[Reliability]]:
        """What a method makes of frames (B,), the seconds it took, and of each that was decided how right it was."""
        produce = self._producer(method)
        if method not in self._set_up and (method in self._samplers or method == "regression"):
            produce(self._batches[0])  # the first call of a network pays for its set-up
        self._set_up.add(method)
        made, seconds = produce(frames)
        return made, seconds, [] if self._fusing is None else self._fusing.judged()

    def _as_points(self, method: str, frame: int, made: Made) -> Made:
        """As it is, or where a radar is made of cells, with the returns that `echoes generate` draws from them."""
        if self._returns is None or method in (self._grids.task.given, THINNED):
            return made
        cloud, grid = made.cells, self._grids.grid
        points = returns.drawn(cloud, self._returns, grid, seeds.rng(self._p.seed, "returns", frame, 0))
        probability = np.zeros(grid.shape)
        probability[tuple(cloud.indices.T)] = cloud.features[:, cloud.columns.index("probability")]
        of_point = probability[tuple(grid.cells(points)[0].T)]
        return Made(cloud, clouds.of_returns(points, "radar", of_point))

    def timings(self) -> dict[str, dict[str, float | None]]:
        """Median milliseconds per frame, decoding included, network calls of each method, how far the probability of
        the gate can be believed, and what several samples of one call are worth.
        """
        cond = self._cond(self._batches[0])
        calls = {name: sampler.calls(one, cond) for name, one in self._samplers.items()}
        calls |= {**dict.fromkeys(("regression", *FUSED), 1), "blend": 1 + (self._regression is not None)}
        numbers: dict[str, dict[str, float | None]] = {
            method: {"latency_ms": median(self._milliseconds[method]), "calls": calls.get(method, 0)}
            for method in self.methods
        }
        if self._fusing is not None:
            numbers["decide"] |= fusing.believed(self._judged)
        numbers["cd_1"] |= ensembles.summarise(self._members())
        return numbers

    def _members(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Shares of occupied cells of blocks of test frames: (MEMBERS, N) of draws of one call, (N,) of the target."""
        once, level, found = self._samplers["cd_1"], self.thresholds["cd_1"], []
        for frames in batches_of(evenly_spaced(self.frames, MEMBERS_FRAMES), self._p.batch):
            drawn = [replace(once, seed=seed_of(once.seed, k)) for k in range(MEMBERS)]
            cond, ids = self._cond(frames), frames.tolist()
            made = [(one.seed, one(cond, ids)[:, 0].sigmoid().cpu().numpy()) for one in drawn]
            for i, frame in enumerate(ids):
                observed = self._grids.observed(frame)
                truth = self._occupied(self._grids.cells("target", frame).indices)
                cells = [drawn_cells(probable[i], level, self._grids.grid, seed, frame) for seed, probable in made]
                members = np.stack([self._occupied(indices) for indices in cells])
                found.append((ensembles.shares(members, observed), ensembles.shares(truth, observed)))
        return found

    def _occupied(self, indices: np.ndarray) -> np.ndarray:
        """Cells (M, 3) -> (D, H, W) bool."""
        occupied = np.zeros(self._grids.shape, bool)
        occupied[tuple(indices.T)] = True
        return occupied

    def _producer(self, method: str) -> Callable[[np.ndarray], Produced]:
        others: dict[str, Callable[[np.ndarray], Produced]] = {
            self._grids.task.given: self._given,
            "nearest_train": self._nearest_train,
            THINNED: self._thinned,
            "vae_bound": self._vae_bound,
            "regression": self._regressed,
        }
        if (gate := self._fusing) is not None:
            ways = (gate.decided, gate.overlapping, gate.counted, gate.blended, gate.fused)
            others |= dict(zip(FUSED, ways, strict=True))
        return others.get(method) or (lambda frames: self._generate(method, frames))

    def _chosen_thresholds(self) -> dict[str, float]:
        """Method -> the occupancy threshold with the best mean IoU of cells on validation frames.

        Of a radar, the one with as many cells as there are; for the consistency model that which travels with it.
        """
        validation = Validation(self._trained.vae, self._grids, self._trained.conditions, THRESHOLD_FRAMES)
        best = validation.best if self._returns is None else validation.as_many
        settled = {} if self._returns is None else dict.fromkeys(("cd_1", "cd_2"), self._returns.threshold)
        drawn = {name: validation.sampled(one) for name, one in self._samplers.items() if name not in settled}
        found = {name: best(produce) for name, produce in drawn.items()} | settled
        found["vae_bound"] = best(validation.repeated)
        if self._regression is not None:
            found["regression"] = best(lambda frames: [made.cells for made in self._regress(frames, THRESHOLDS[0])[0]])
        return found

    def _generate(self, method: str, frames: np.ndarray) -> Produced:
        decoded, seconds = sampler.timed(self._samplers[method], self._cond(frames), frames.tolist())
        return self._centred(from_decoded(decoded, self.thresholds[method], self._grids)), seconds

    def _regressed(self, frames: np.ndarray) -> Produced:
        return self._regress(frames, self.thresholds["regression"])

    def _regress(self, frames: np.ndarray, threshold: float) -> Produced:
        """The cells that the regression alone gives `threshold`, each a point at its offset."""
        said = self._say(frames)
        measured = said.measured.cpu().numpy()
        probability = said.measured[:, self._grids.task.target.index(OCCUPANCY)].sigmoid().cpu().numpy()
        placed = [self._placement.at_least(threshold, p, m) for p, m in zip(probability, measured, strict=True)]
        return placed, said.seconds

    def _cond(self, frames: np.ndarray) -> Tensor:
        cond: Tensor = self._trained.conditions(frames, unmirrored(frames)).to(self._trained.device)
        return cond

    def _centred(self, found: list[Cloud]) -> list[Made]:
        return [Made.centred(cloud, self._grids.grid) for cloud in found]

    def _given(self, frames: np.ndarray) -> Produced:
        made = []
        for frame in frames:
            points = self._grids.points("input", int(frame))
            returns = clouds.of_returns(points, self._grids.task.given, np.ones(len(points)))
            made.append(Made(clouds.given(self._grids, int(frame)), returns))
        return made, 0.0

    def _nearest_train(self, frames: np.ndarray) -> Produced:
        nearest, seconds = self._nearest
        return self._centred([clouds.wanted(self._grids, nearest[f]) for f in frames.tolist()]), seconds * len(frames)

    @cached_property
    def _nearest(self) -> tuple[dict[int, int], float]:
        """Frame -> the training frame that is most like it, of all `frames` in one walk; the seconds that each took."""
        start = time.perf_counter()
        train = ((int(f), self._descriptor(int(f))) for f in self._grids.frames("train"))
        found = baselines.nearest_train(train, np.stack([self._descriptor(int(f)) for f in self.frames]))
        seconds = time.perf_counter() - start
        return dict(zip(self.frames.tolist(), found.tolist(), strict=True)), seconds / len(self.frames)

    def _thinned(self, frames: np.ndarray) -> Produced:
        """Points of the LiDAR at random, as many as the radar has, with what training cells of that range have."""
        start, made = time.perf_counter(), []
        range_m, measured = self._of_training
        for frame in frames.tolist():
            points, count = self._grids.points("input", frame), len(self._grids.points("target", frame))
            rng = seeds.rng(self._p.seed, THINNED, frame)
            found = baselines.thinned(points, count, range_m, measured, rng)
            cells = clouds.from_cells(voxels.radar_cells(found, self._grids.grid), RADAR, self._grids.task.target)
            made.append(Made(cells, clouds.of_returns(found, "radar", np.ones(len(found)))))
        return made, time.perf_counter() - start

    @cached_property
    def _of_training(self) -> tuple[np.ndarray, np.ndarray]:
        """(K,) horizontal range [m] of the radar's cells in training frames, ascending; (K, 2) their Doppler, power."""
        train = evenly_spaced(self._grids.frames("train"), TRAINING).tolist()
        cells = [clouds.wanted(self._grids, frame) for frame in train]
        centres = self._grids.grid.centres(np.concatenate([cloud.indices for cloud in cells]))
        columns = [cells[0].columns.index(name) for name in ("doppler", "power")]
        measured = np.concatenate([cloud.features[:, columns] for cloud in cells])
        range_m = np.hypot(centres[:, 0], centres[:, 1])
        order = np.argsort(range_m, kind="stable")
        return range_m[order], measured[order]

    def _descriptor(self, frame: int) -> np.ndarray:
        return baselines.descriptor(self._grids.cells("input", frame).indices, self._grids.grid.shape)

    def _vae_bound(self, frames: np.ndarray) -> Produced:
        start = time.perf_counter()
        threshold = self.thresholds["vae_bound"]
        made = reconstruction.reconstruct(self._trained.vae, self._grids, frames, threshold)
        return self._centred(made), time.perf_counter() - start


def _produced(
    identity: str,
    p: SampleParams,
    thresholds: tuple[tuple[str, float], ...],
    method: str,
    worker: WorkerSettings,
    frames: np.ndarray,
) -> tuple[list[Made], float, list[Reliability]]:
    """`Sampling.produced` on a worker. identity: of the consistency model."""
    with worker.computing():
        return _opened(identity, p, thresholds, worker).produced(method, frames)


@lru_cache(maxsize=1)
def _opened(
    identity: str, p: SampleParams, thresholds: tuple[tuple[str, float], ...], worker: WorkerSettings
) -> Sampling:
    grids = Grids(worker.data / "grids.zarr")
    trained = load(worker.data, grids, mapping.CPU)
    worker.require(worker.data / "cd.safetensors", trained.header, identity)
    return Sampling(trained, grids, p, thresholds=dict(thresholds))
