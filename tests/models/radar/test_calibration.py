"""What validation settles, where what is said of each cell is the truth and noise of known size."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from echoes import arrays, seeds
from echoes.dataset.grids import Grids
from echoes.evaluation.points import evaluate_points, restrict
from echoes.evaluation.reliability import Reliability
from echoes.grids import Grid, Range
from echoes.models.radar import calibration, cell_choice, readout
from echoes.models.radar.calibration import DECIDE, GHOST, KEEP, LEVELS, SHARES, Validated
from echoes.models.radar.onecall import Said
from echoes.models.radar.readout import Fusion, Placement
from echoes.rasters.cells import Cells, pack
from echoes.rasters.scaling import Scaling
from echoes.tasks import ENHANCE
from echoes.voxelization.cloud_grids import FrameCells, GridsWriter

CPU = torch.device("cpu")
GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-32.0, 32.0, 32), x=Range(0.0, 64.0, 32))  # all three bands
SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=10.0)
SPLITS = ("train",) + ("val",) * 16 + ("test",) * 16
CELLS = np.argwhere(np.ones(GRID.shape, bool))
BAND = np.broadcast_to(readout.bands(GRID), GRID.shape)
NAMES = readout.names(True)
RATE, SEEN, CLUTTER = 0.08, 0.3, 0.01  # of cells that are occupied; of these and of the others, with a return


def occupied(frame: int) -> np.ndarray:
    """(D, H, W) bool; beyond 40 m nothing is on the left."""
    there = seeds.rng(0, "occupied", frame).random(GRID.shape) < RATE
    there[:, 16:][BAND[:, 16:] == 2] = False
    return there


def returns(frame: int) -> np.ndarray:
    """(D, H, W) bool: the radar has a return in the cell."""
    share = np.where(occupied(frame), SEEN, CLUTTER)
    return seeds.rng(0, "returns", frame).random(GRID.shape) < share


def frame_cells(frame: int) -> FrameCells:
    """Points lie in the middle of their cells, and all was observed."""
    target, radar = (np.argwhere(where).astype(np.uint8) for where in (occupied(frame), returns(frame)))
    measured = np.tile(np.float32([70.0, 1.0, 0.0]), (len(radar), 1))
    reflected = np.tile(np.float32([0.5, 1.0, 1.0, 70.0]), (len(target), 1))
    points = np.column_stack([GRID.centres(radar), measured[:, 1::-1]]).astype(np.float32)
    return FrameCells(
        "street",
        float(frame),
        Cells(radar, measured),
        Cells(target, reflected),
        np.zeros((len(target), 3), np.float32),
        pack(np.ones(GRID.shape, bool)),
        points,
        GRID.centres(target).astype(np.float32),
        np.array([0.0, 0.0, -9.0]),
    )


class OfValidation(Grids):
    """Grids of which nothing but the validation split may be looked at."""

    def _allow(self, frame: int) -> None:
        assert frame in self.frames("val"), f"frame {frame} is not of the validation split"

    def cells(self, name, frame):
        self._allow(frame)
        return super().cells(name, frame)

    def points(self, name, frame):
        self._allow(frame)
        return super().points(name, frame)

    def observed(self, frame):
        self._allow(frame)
        return super().observed(frame)


def write(path) -> OfValidation:
    with arrays.writing(path) as writer:
        grids = GridsWriter(writer, GRID, ENHANCE)
        for i, split in enumerate(SPLITS):
            grids.append(frame_cells(i), split, i // 4)
        grids.seal({}, SCALING, "none", 0.3, None, {})
    return OfValidation(path)


def say(frames: np.ndarray) -> Said:
    """The regression is half as sure as it may be, of all but what lies beyond 40 m; the latent model knows nothing."""
    regressed, latent, radar = [], [], []
    for frame in frames.tolist():
        rng = seeds.rng(0, "said", frame)
        sign = np.where(BAND == 2, 0, 2 * occupied(frame) - 1)
        evidence = sign + rng.normal(0, 1, GRID.shape)  # whose log-likelihood ratio is twice as large
        regressed.append(np.concatenate([evidence[None], np.zeros((7, *GRID.shape))]))
        latent.append(rng.normal(0, 2, GRID.shape))
        radar.append(returns(frame)[None])
    said, sampled, there = (torch.from_numpy(np.stack(of)).float() for of in (regressed, latent, radar))
    return Said(readout.inputs(said, sampled, there), said, sampled, said, torch.zeros_like(sampled), 0.0)


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "grids.zarr")


@pytest.fixture(scope="module")
def settled(grids):
    return calibration.fit(say, grids, NAMES, CPU, 0)


def probability(settled, frames):
    """(B, D, H, W) as the gate has it, after the rounding that calibration does."""
    return Fusion(settled, Placement(GRID, SCALING, ENHANCE), CPU).probability(say(frames).weighed.half()).numpy()


def cost(settled, grids, **changes):
    """Distance of the points of a readout to the target's for each F1, of means over the validation split."""
    frames, fusion = grids.frames("val"), Fusion(replace(settled, **changes), Placement(GRID, SCALING, ENHANCE), CPU)
    found = []
    for frame, p in zip(frames.tolist(), probability(settled, frames), strict=True):
        radar, points = grids.cells("input", frame), grids.points("input", frame)
        made = fusion.fused(p, np.zeros((8, *GRID.shape), np.float32), radar, points)
        truth, region = calibration.truth(grids, frame, 0)
        found.append(evaluate_points(restrict(made.points, region), truth, GRID.diagonal_m))
    distance_m, f1 = (np.mean([numbers[key] for numbers in found]) for key in ("chamfer_m", "f1@1.0m"))
    return float(distance_m / f1)


def test_the_gate_finds_what_was_said_to_half_and_hears_the_radar(settled):
    for band in settled.gate.bands[:2]:
        regression, _, here, _ = band.weights
        assert regression == pytest.approx(2.0, abs=0.4)
        assert here == pytest.approx(np.log(SEEN / CLUTTER), abs=1.2)


def test_a_model_that_knows_nothing_is_switched_off_where_it_does(settled):
    assert [settled.gate.used(band.name, "regression") for band in settled.gate.bands] == [True, True, False]
    assert not settled.uses_latent


def test_the_probability_means_what_it_says_on_frames_that_were_never_seen(settled):
    gate, alone = Reliability(), Reliability()
    frames = np.flatnonzero(np.array(SPLITS) == "test")
    for frame, p, said in zip(frames, probability(settled, frames), say(frames).measured[:, 0], strict=True):
        truth = occupied(int(frame)).ravel()
        gate.add(p.ravel(), truth, BAND.ravel())
        alone.add(said.sigmoid().numpy().ravel(), truth, BAND.ravel())
    assert gate.numbers()["ece"] < 0.01
    assert gate.numbers()["ece_likely"] < 0.04
    assert alone.numbers()["ece"] > 0.2


def test_each_threshold_of_the_points_is_the_best_of_its_candidates_given_the_others(settled, grids):
    every = {"bands": (True, True, True)}
    by_keep = {level: cost(settled, grids, keep=level, **every) for level in KEEP}
    all_kept, best = cost(settled, grids, keep=0.0, **every), min(by_keep, key=by_keep.__getitem__)
    assert settled.keep == (best if by_keep[best] < all_kept * (1 - GHOST) else 0.0)
    levels = [level for level in LEVELS if level <= settled.far]
    by_near = {level: cost(settled, grids, keep=0.0, near=level, **every) for level in levels}
    assert by_near[settled.near] == min(by_near.values())
    assert settled.near in LEVELS
    assert settled.far in LEVELS
    assert len(set(by_near.values())) > 2
    assert cost(settled, grids) < 0.8 * cost(settled, grids, bands=(False, False, False), keep=0.0)


def test_neither_the_distance_nor_the_f1_alone_makes_a_readout_cheap():
    frame = lambda chamfer_m, f1: {"chamfer_m": chamfer_m, "f1@1.0m": f1}
    block, sparse, both = [frame(1.0, 0.3)], [frame(2.0, 0.5)], [frame(1.2, 0.5)]
    assert calibration.cost(both) == pytest.approx(2.4)
    assert calibration.cost(both) < min(calibration.cost(block), calibration.cost(sparse))
    assert calibration.cost([frame(1.0, 0.2), frame(1.4, 0.8)]) == pytest.approx(2.4)
    assert calibration.cost([frame(2.0, 0.0)]) > calibration.cost([frame(1.0, 0.0)]) > 1e5


def test_cells_are_decided_by_the_threshold_of_the_best_overlap(settled, grids):
    frames = grids.frames("val")
    found = probability(settled, frames)
    truth = np.stack([occupied(frame) for frame in frames.tolist()])

    def iou(level):
        made = found >= level
        return np.mean([(m & t).sum() / (m | t).sum() for m, t in zip(made, truth, strict=True)])

    overlaps = {level: iou(level) for level in DECIDE}
    assert overlaps[settled.decide] == pytest.approx(max(overlaps.values()))
    assert DECIDE[0] < settled.decide < DECIDE[-1]


def blend_cost(settled, grids, said, share):
    """Of the cells of a blend, as `cost` measures points; said: frames -> what the networks say."""
    frames, placement = grids.frames("val"), Placement(GRID, SCALING, ENHANCE)
    found, sampled = [], said(frames).weighed[:, 1].half().float().sigmoid().numpy()
    gated = Fusion(settled, placement, CPU).probability(said(frames).weighed.half()).numpy()
    for frame, p, s in zip(frames.tolist(), gated, sampled, strict=True):
        cells = cell_choice.as_many(cell_choice.blended(p, s, share), p)
        truth, region = calibration.truth(grids, frame, 0)
        found.append(evaluate_points(restrict(GRID.centres(cells), region), truth, GRID.diagonal_m))
    return calibration.cost(found)


@pytest.mark.parametrize(("strength", "least", "most"), [(0.0, 0.0, 0.0), (1.0, 0.1, 0.7), (4.0, 0.35, 1.0)])
def test_a_blend_has_as_much_of_a_sample_as_is_best_on_validation(settled, grids, strength, least, most):
    """The regression knows what it knows; the more the sample knows beside it, the more of it is taken."""

    def sampling(frames):
        said, weighed = say(frames), say(frames).weighed.clone()
        noise = np.stack([seeds.rng(0, "blend", frame).normal(0, 2, GRID.shape) for frame in frames.tolist()])
        truth = np.stack([occupied(frame) for frame in frames.tolist()])
        weighed[:, 1] = torch.from_numpy(strength * (2 * truth - 1) + noise)
        return replace(said, weighed=weighed)

    said = list(calibration._said(sampling, grids.frames("val")))
    found = calibration.blend(settled, said, grids, CPU, 0)
    costs = {share: blend_cost(settled, grids, sampling, share) for share in SHARES}
    assert costs[found] == pytest.approx(min(costs.values()), rel=1e-4)
    assert least <= found <= most
    assert len(set(costs.values())) == len(SHARES)


def test_the_blend_is_settled_with_the_rest(settled, grids):
    said = list(calibration._said(say, grids.frames("val")))
    assert settled.blend == calibration.blend(settled, said, grids, CPU, 0)


def test_returns_outside_the_grid_are_as_probable_as_those_inside_are_on_average(settled, grids):
    frames = grids.frames("val")
    inside = [p[returns(frame)] for frame, p in zip(frames.tolist(), probability(settled, frames), strict=True)]
    assert settled.outside == pytest.approx(np.concatenate(inside).mean(), rel=1e-5)


def test_nothing_is_added_in_a_band_where_that_leads_away_from_the_target(settled, grids):
    """Sure and right up to 40 m, sure and wrong beyond, on the left, where nothing is."""
    wrong = (BAND == 2) & (CELLS[:, 1].reshape(GRID.shape) >= 24)
    nothing = np.zeros((8, *GRID.shape), np.float16)
    frames = grids.frames("val").tolist()
    said = [Validated(frame, nothing[:4], nothing) for frame in frames]
    sure = [np.where(wrong | (occupied(frame) & (BAND < 2)), 0.95, 0.001) for frame in frames]
    found = calibration._placed(settled, said, sure, grids, CPU, 0).readout
    assert found.bands == (True, True, False)


def test_what_is_sure_enough_near_returns_need_not_be_far_from_them(settled, grids):
    """Near them cells of 0.1 are right, far from them those of 0.2 are wrong and those of 0.5 right."""
    nothing = np.zeros((8, *GRID.shape), np.float16)
    frames = grids.frames("val").tolist()
    said, sure = [Validated(frame, nothing[:4], nothing) for frame in frames], []
    for frame in frames:
        there, chance = occupied(frame), seeds.rng(0, "chance", frame).random(GRID.shape)
        here = torch.from_numpy(returns(frame)[None, None]).float()
        near = readout.near(here)[0, 0].numpy() > 0
        p = np.where(near, 0.1 * (there & (chance < 0.3)), np.where(there, 0.5, 0.2 * (chance < 0.5)))
        sure.append(p.clip(0.001))
    found = calibration._placed(settled, said, sure, grids, CPU, 0).readout
    assert found.near <= 0.1
    assert 0.2 < found.far <= 0.5


@pytest.mark.parametrize(("strength", "called"), [(0.1, False), (0.35, True), (3.0, True)])
def test_a_latent_model_is_called_where_what_it_knows_is_worth_its_time(grids, strength, called):
    """The gate hears it at any strength, but the least one lowers the cost by less than 2 %."""

    def better(frames):
        said, weighed = say(frames), say(frames).weighed.clone()
        noise = np.stack([seeds.rng(0, "better", frame).normal(0, 1, GRID.shape) for frame in frames.tolist()])
        truth = np.stack([occupied(frame) for frame in frames.tolist()])
        weighed[:, 1] = torch.from_numpy(strength * (2 * truth - 1) + noise)
        return replace(said, weighed=weighed)

    said = list(calibration._said(better, grids.frames("val")))
    heard = calibration.fit_gate(said, grids, NAMES, 0)
    assert all(heard.used(band.name, "latent") for band in heard.bands)
    found = calibration.fit(better, grids, NAMES, CPU, 0)
    assert [found.gate.used(band.name, "latent") for band in found.gate.bands] == [called] * 3


def test_a_track_without_a_regression_has_a_gate_of_what_is_left(grids):
    def alone(frames):
        said = say(frames)
        return replace(said, weighed=said.weighed[:, [0, 2, 3]])

    found = calibration.fit(alone, grids, readout.names(False), CPU, 0)
    assert found.gate.inputs == readout.names(False)
    assert found.uses_latent


def test_the_truth_is_at_most_so_many_points_of_the_target_and_the_same_again(tmp_path):
    rng = seeds.rng(0, "many")
    many = rng.uniform((0.1, -31.9, -1.9), (63.9, 31.9, 1.9), (4000, 3)).astype(np.float32)
    low = replace(frame_cells(1), target_points=many, ground=np.array([0.0, 0.0, -1.5]))
    with arrays.writing(tmp_path / "grids.zarr") as writer:
        written = GridsWriter(writer, GRID, ENHANCE)
        for split in ("train", "val", "test"):
            written.append(low, split, 0)
        written.seal({}, SCALING, "none", 0.3, None, {})
    grids = Grids(tmp_path / "grids.zarr")
    found, region = calibration.truth(grids, 1, 0)
    assert len(found) == calibration.TRUTH
    assert {tuple(p) for p in found.tolist()} <= {tuple(p) for p in many.tolist()}
    assert found[:, 2].min() >= -1.2
    assert region.range_m == GRID.diagonal_m
    np.testing.assert_array_equal(calibration.truth(grids, 1, 0)[0], found)
    assert not np.array_equal(calibration.truth(grids, 1, 1)[0], found)


def test_a_mean_is_over_the_frames_that_have_a_value():
    frames = [{"a": 1.0, "b": np.nan}, {"a": 2.0, "b": np.nan}, {"a": np.nan, "b": np.nan}]
    assert (calibration.mean_of(frames, "a"), calibration.mean_of(frames, "b")) == (1.5, 0.0)
