"""How a frame is read out: the radar stays as measured, what is added is where the gate and the thresholds say."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

import tracks
from echoes import params, seeds
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M, band_of
from echoes.evaluation.gate import Band, Gate
from echoes.grids import Grid, Range
from echoes.models.radar import readout
from echoes.models.radar.readout import Fusion, Placement, Readout
from echoes.rasters import voxels
from echoes.rasters.cells import dense
from echoes.rasters.scaling import Scaling
from echoes.tasks import ENHANCE

CPU = torch.device("cpu")
GRID = Grid.of(z=Range(-2.0, 2.0, 4), y=Range(-32.0, 32.0, 16), x=Range(0.0, 64.0, 16))  # all three bands
SCALING = Scaling(power_db=(40.0, 100.0), doppler_mps=10.0)
WEIGHTS = ((0.6, 0.4, 1.0, 0.5), (0.9, 0.0, 0.2, 0.0), (0.0, 0.0, 2.0, 0.1))
GATE = Gate(readout.names(True), tuple(Band(n, w, -b) for b, (n, w) in enumerate(zip(BANDS_M, WEIGHTS, strict=True))))
READOUT = Readout(GATE, decide=0.5, keep=0.0, near=0.6, far=0.8, outside=0.3, bands=(True, True, True), blend=0.5)


def fusion(**changes):
    return Fusion(replace(READOUT, **changes), Placement(GRID, SCALING, ENHANCE), CPU)


def returns(seed, count=40):
    """(N, 5) x, y, z, Doppler, power of returns inside the grid, some in the same cell, and their cells."""
    rng = seeds.rng(seed, "returns")
    xyz = rng.uniform((0.1, -31.9, -1.9), (63.9, 31.9, 1.9), (count, 3))
    xyz[1] = xyz[0] + [0.01, 0.01, 0.01]
    points = np.column_stack([xyz, rng.normal(0, 5, count), rng.uniform(40, 100, count)]).astype(np.float32)
    return points, voxels.radar_cells(points, GRID)


def said(seed):
    """(D, H, W) probabilities and (8, D, H, W) measurements of a frame."""
    rng = seeds.rng(seed, "said")
    return rng.random(GRID.shape), rng.normal(0, 0.4, (8, *GRID.shape)).astype(np.float32)


def near_of(cells):
    """(D, H, W) bool by the definition: a return one cell above or below, two to a side or ahead."""
    z, y, x = np.indices(GRID.shape)
    found = np.zeros(GRID.shape, bool)
    for k, j, i in cells.indices.astype(int):
        found |= (abs(z - k) <= 1) & (abs(y - j) <= 2) & (abs(x - i) <= 2)
    return found


def test_the_probability_is_that_of_the_gate_in_the_band_of_each_cell():
    weighed = torch.from_numpy(seeds.rng(0, "weighed").normal(0, 2, (2, 4, *GRID.shape)))
    found = fusion().probability(weighed)
    band = np.broadcast_to(readout.bands(GRID), GRID.shape).ravel()
    assert set(band) == {0, 1, 2}
    for one, logits in zip(found, weighed.numpy(), strict=True):
        weights, bias = np.array([of.weights for of in GATE.bands]), np.array([of.bias for of in GATE.bands])
        expected = expit((weights[band].T * logits.reshape(4, -1)).sum(axis=0) + bias[band])
        np.testing.assert_allclose(one.numpy().ravel(), expected, rtol=1e-5, atol=1e-6)


def test_the_band_of_a_column_is_that_of_its_middle():
    every = np.argwhere(np.ones(GRID.shape, bool))
    x, y, _ = GRID.centres(every).T
    np.testing.assert_array_equal(readout.bands(GRID)[every[:, 1], every[:, 2]], band_of(np.hypot(x, y)))


def test_the_gate_weighs_both_models_the_radar_in_the_cell_and_near_it():
    _, cells = returns(0)
    radar = torch.from_numpy(dense(cells, GRID.shape))[None]
    regressed, latent = torch.randn(1, 8, *GRID.shape), torch.randn(1, *GRID.shape)
    found = readout.inputs(regressed, latent, radar)
    assert found.shape == (1, len(readout.names(True)), *GRID.shape)
    assert torch.equal(found[:, 0], regressed[:, 0])
    assert torch.equal(found[:, 1], latent)
    here = np.zeros(GRID.shape)
    here[tuple(cells.indices.T)] = 1
    np.testing.assert_array_equal(found[0, 2], here)
    np.testing.assert_array_equal(found[0, 3], near_of(cells))
    assert torch.equal(readout.inputs(None, latent, radar), found[:, 1:])
    assert readout.names(False) == readout.names(True)[1:] == ("latent", "here", "near")


@given(st.integers(0, 2**31))
def test_every_return_stays_as_measured_bit_for_bit_and_nothing_is_added_where_one_is(seed):
    points, cells = returns(seed)
    probability, measured = said(seed)
    found = fusion().fused(probability, measured, cells, points)
    kept, added = found.points[: len(points)], found.points[len(points) :]
    np.testing.assert_array_equal(kept[:, :3], points[:, :3])
    np.testing.assert_array_equal(kept[:, [4, 3]], points[:, 3:])
    np.testing.assert_allclose(kept[:, 5], probability[tuple(GRID.cells(points)[0].T)], rtol=1e-6)
    occupied = {tuple(cell) for cell in cells.indices.tolist()}
    places, inside = GRID.cells(added)
    assert inside.all()
    assert not occupied & {tuple(cell) for cell in places.tolist()}
    assert len(np.unique(found.cells.indices, axis=0)) == len(found.cells.indices) == len(cells.indices) + len(added)
    np.testing.assert_array_equal(found.cells.features[: len(cells.indices), [3, 2]], cells.features[:, :2])


def test_a_cell_without_a_return_is_added_from_one_threshold_near_returns_and_from_another_far_from_them():
    points, cells = returns(1)
    probability, measured = said(1)
    found = fusion(near=0.3, far=0.9).fused(probability, measured, cells, points)
    near, here = near_of(cells), np.zeros(GRID.shape, bool)
    here[tuple(cells.indices.T)] = True
    expected = ~here & (probability >= np.where(near, 0.3, 0.9))
    assert 0 < (expected & near).sum() < expected.sum()
    np.testing.assert_array_equal(found.cells.indices[len(cells.indices) :], np.argwhere(expected))


def test_a_band_in_which_the_model_does_not_help_is_the_radar_alone():
    points, cells = returns(2)
    probability, measured = said(2)
    for band in range(3):
        helps = tuple(i != band for i in range(3))
        found = fusion(bands=helps).fused(probability, measured, cells, points)
        added = found.points[len(points) :]
        assert set(readout.bands(GRID)[tuple(GRID.cells(added)[0][:, 1:].T)]) == {0, 1, 2} - {band}
    alone = fusion(bands=(False, False, False)).fused(probability, measured, cells, points)
    assert len(alone.points) == len(points)


def test_returns_in_cells_of_little_probability_are_left_out():
    points, cells = returns(3)
    probability, measured = said(3)
    found = fusion(keep=0.4, near=1.0, far=1.0).fused(probability, measured, cells, points)
    kept = probability[tuple(GRID.cells(points)[0].T)] >= 0.4
    assert 0 < kept.sum() < len(points)
    np.testing.assert_array_equal(found.points[:, :3], points[kept, :3])
    assert len(found.cells.indices) == (probability[tuple(cells.indices.T.astype(int))] >= 0.4).sum()


def test_a_decided_cell_is_one_point_in_it_with_what_was_measured_there():
    probability, measured = said(4)
    measured[5:] *= 5  # offsets beyond the cell are drawn into it
    found = fusion().placement.at_least(0.7, probability, measured)
    np.testing.assert_array_equal(found.cells.indices, np.argwhere(probability >= 0.7))
    cells, inside = GRID.cells(found.points)
    assert inside.all()
    np.testing.assert_array_equal(cells, found.cells.indices)
    at = tuple(found.cells.indices.T)
    _, reflectivity, doppler, _, power = (measured[i][at] for i in range(5))
    physical = probability[at], ((reflectivity + 1) / 2).clip(0, 1), 10 * doppler, 30 * power + 70
    np.testing.assert_allclose(found.cells.features, np.stack(physical, axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.points[:, 3:], found.cells.features[:, [3, 2, 0]])
    offsets = measured[5:, *at].T
    small = (abs(offsets) < 0.49).all(axis=1)
    assert small.any()
    expected = GRID.positions(found.cells.indices[small], offsets[small])
    np.testing.assert_allclose(found.points[small, :3], expected, atol=1e-5)


def test_returns_outside_the_grid_are_points_of_no_cell():
    points, cells = returns(5)
    made = fusion().fused(*said(5), cells, points)
    outside = np.float32([[80, 1, 0, -3.5, 61.25], [10, 2, 9, 0.5, 47]])
    found = readout.with_returns(made, outside, 0.3)
    assert found.cells is made.cells
    np.testing.assert_array_equal(found.points[:-2], made.points)
    np.testing.assert_array_equal(found.points[-2:, :5], outside[:, [0, 1, 2, 4, 3]])
    assert found.points[-2:, 5].tolist() == [pytest.approx(0.3)] * 2


def test_where_the_model_or_its_latent_part_has_no_say_is_told():
    lines = readout.told(replace(READOUT, bands=(True, True, False)))
    assert lines == [
        "20-40m: by the regression; the latent model did not help there on validation",
        "40+m: the model did not help there on validation; the cloud is the radar's own",
    ]
    assert readout.told(tracks.READOUT) == []


def test_the_latent_model_is_called_where_it_has_a_say_anywhere():
    deaf = tuple(replace(band, weights=(1.0, 0.0, 1.0, 1.0)) for band in GATE.bands)
    assert READOUT.uses_latent
    assert not replace(READOUT, gate=replace(GATE, bands=deaf)).uses_latent


def test_a_readout_survives_a_header_and_another_is_refused_with_its_path():
    told = json.loads(json.dumps(asdict(READOUT)))
    assert params.build(Readout, told, "cd: readout") == READOUT
    for change, message in (
        ({"bands": [True, True]}, r"bands: expected 3 range bands, got \[True, True\]"),
        ({"near": 1.5}, r"near: expected a probability, got 1\.5"),
        ({"decide": -0.1}, r"decide: expected a probability, got -0\.1"),
        (
            {"gate": {**told["gate"], "inputs": ["a", "latent", "here", "near"]}},
            r"gate\.inputs: expected regression, .*, got a",
        ),
        ({"blend": 1.5}, r"blend: expected a share from 0 to 1, got 1\.5"),
        ({"keep": "all"}, r"keep: expected a number, got 'all'"),
        ({"gate": {**told["gate"], "bands": told["gate"]["bands"][:2]}}, r"gate\.bands: expected 0-20m, .*, got 0-20m"),
    ):
        with pytest.raises(InputError, match=rf"^cd: readout\.{message}"):
            params.build(Readout, {**told, **change}, "cd: readout")
