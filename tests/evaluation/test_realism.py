"""Sets of clouds: moved ones are as far as they were moved, equal ones 0, and the floor is of other roads."""

from dataclasses import replace

import numpy as np
import pytest

from echoes import seeds
from echoes.evaluation import halves, realism
from echoes.evaluation.realism import KEYS, against, compared, described
from echoes.grids import Grid, Range

GRID = Grid.of(z=Range(0.0, 4.0, 8), y=Range(-8.0, 8.0, 16), x=Range(0.0, 16.0, 16))
FRAMES = 32
STRETCHES = np.repeat(np.arange(16), 2)


def clouds(purpose: str, count: int = 40, up: int = 0) -> list[np.ndarray]:
    """Cells of the lower half, moved up by some cells."""
    rng, found = seeds.rng(0, purpose), []
    for _ in range(FRAMES):
        flat = rng.choice(4 * 16 * 16, count, replace=False)
        found.append(np.stack(np.unravel_index(flat, (4, 16, 16)), axis=1) + np.array([up, 0, 0]))
    return found


def features(purpose: str, shift: float = 0.0) -> np.ndarray:
    return seeds.rng(0, purpose, "features").normal(size=(FRAMES, 3)) + shift


@pytest.fixture(scope="module")
def real():
    return described(clouds("real"), features("real"), GRID)


def test_a_set_is_no_distance_from_itself(real):
    found = compared(real, real, GRID)
    zero = ("frechet", "jsd_bev", "height_w1_m", "range_w1_m")
    zero += ("clusters_w1", "cluster_w1_octaves", "run_w1_cells", "arc_w1_deg")
    assert [found[key] for key in zero] == pytest.approx([0] * len(zero), abs=1e-6)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert set(found) | {"two_sample_accuracy"} == set(KEYS)


def test_clouds_moved_up_by_two_cells_are_a_metre_higher_and_the_same_from_above(real):
    found = compared(real, described(clouds("real", up=2), features("real"), GRID), GRID)
    assert found["height_w1_m"] == pytest.approx(1.0)
    assert (found["jsd_bev"], found["range_w1_m"], found["cluster_w1_octaves"]) == (0, 0, 0)


def test_a_wall_differs_from_scattered_cells_in_clusters_runs_and_arcs(real):
    wall = np.stack([np.zeros(16, int), np.arange(16), np.full(16, 15)], axis=1)
    single = np.array([[0, 0, 0], [0, 8, 8]])
    walls, points = (described([one] * FRAMES, features("real"), GRID) for one in (wall, single))
    found = compared(walls, points, GRID)
    assert found["clusters_w1"] == 1  # one wall, two points
    assert found["cluster_w1_octaves"] == 4  # of 16 cells, of 1
    assert found["run_w1_cells"] == pytest.approx(np.mean([15 if r > 1 else 0 for r in [1] * 16 + [16]]))
    assert walls.arcs[0].tolist() == [18]  # 27.5 degrees to each side, sectors of 3
    assert found["arc_w1_deg"] > 40


def test_fewer_cells_show_in_the_counts_of_frames_and_not_in_their_shares(real):
    sparse = described(clouds("other", count=20), features("other"), GRID)
    alike = described(clouds("other"), features("other"), GRID)
    few, many = (compared(real, other, GRID) for other in (sparse, alike))
    assert few["mmd2_bev"] > 10 * abs(many["mmd2_bev"])
    assert few["jsd_bev"] < 2 * many["jsd_bev"]


def test_the_kernel_distance_of_two_draws_of_one_distribution_is_0_in_the_mean():
    rng = seeds.rng(0, "kernel")
    found = [realism.gaussian_mmd2(rng.normal(size=(20, 4)), rng.normal(size=(20, 4))) for _ in range(60)]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / np.sqrt(60))
    assert realism.gaussian_mmd2(np.zeros((3, 2)), np.zeros((3, 2))) == 0


def test_the_floor_is_of_other_roads_and_a_method_that_makes_real_clouds_reaches_it(real):
    floor = against(real, real, STRETCHES, GRID, 0)
    other = against(real, described(clouds("other"), features("other"), GRID), STRETCHES, GRID, 0)
    unreal = against(real, described(clouds("other", up=4), features("other", 4.0), GRID), STRETCHES, GRID, 0)
    assert list(floor) == list(KEYS)
    assert 0 < floor["frechet"] < 2
    assert 0.2 < floor["two_sample_accuracy"] < 0.8
    assert 0 < other["frechet"] < 2
    assert 0.2 < other["two_sample_accuracy"] < 0.8
    assert unreal["frechet"] > 10
    assert unreal["two_sample_accuracy"] == 1
    assert (unreal["precision"], unreal["coverage"]) == (0, 0)
    assert unreal["height_w1_m"] == pytest.approx(2, abs=0.2)


def test_both_halves_are_the_reference_in_turn(real):
    made = described(clouds("other", count=20), features("other", 1.0), GRID)
    first, second = halves.halves(np.zeros((FRAMES, 1), int), STRETCHES, 0)
    ways = [compared(real.take(a), made.take(b), GRID) for a, b in ((first, second), (second, first))]
    found = against(real, made, STRETCHES, GRID, 0)
    for key in ways[0]:
        assert found[key] == pytest.approx((ways[0][key] + ways[1][key]) / 2), key
    assert ways[0]["frechet"] != ways[1]["frechet"]


def test_units_of_features_do_not_matter(real):
    scale = np.array([1.0, 1e3, 1e-3])
    other, scaled = (described(clouds("real"), features("other", 1.0) * by, GRID) for by in (1.0, scale))
    same = replace(real, features=real.features * scale)
    found, again = compared(real, other, GRID), compared(same, scaled, GRID)
    assert [again[key] for key in ("frechet", "precision", "density")] == pytest.approx(
        [found[key] for key in ("frechet", "precision", "density")]
    )


def test_the_order_of_roads_does_not_matter_but_their_halves_do(real):
    once, again, other = (against(real, real, STRETCHES, GRID, seed) for seed in (0, 0, 1))
    assert once == again != other


def test_too_few_frames_have_no_numbers_and_empty_clouds_no_histograms(real):
    few = np.arange(2 * realism.NEAREST + 1)
    assert set(against(real.take(few), real.take(few), STRETCHES[few], GRID, 0).values()) == {None}
    empty = described([np.empty((0, 3), int)] * FRAMES, features("other"), GRID)
    found = compared(real, empty, GRID)
    assert [found[key] for key in ("height_w1_m", "range_w1_m", "cluster_w1_octaves", "run_w1_cells")] == [None] * 4
    assert found["jsd_bev"] == pytest.approx(np.sqrt(np.log(2)))
    assert against(real, empty, STRETCHES, GRID, 0)["height_w1_m"] is None
