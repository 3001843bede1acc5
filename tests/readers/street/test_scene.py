"""The moving street: positions, velocities and poses agree."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echoes.readers.street import path, scenario, scene

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "radar"
STREET = scenario.load(ROOT)
RADAR = STREET.radar


@pytest.mark.parametrize("curvature", [0.0, 0.004, -0.02])
def test_velocities_are_the_derivative_of_the_positions(curvature):
    along, left, motion = np.array([5.0, 40, -12]), np.array([3.0, -8, 0]), np.array([(9.0, 0), (-7, 1), (0, 2)])
    step = 1e-5
    ahead, behind = (path.place(along + s * motion[:, 0], left + s * motion[:, 1], curvature) for s in (step, -step))
    velocity = path.velocity(motion, left, curvature * along, curvature)
    np.testing.assert_allclose(velocity, (ahead - behind) / (2 * step), atol=1e-6)


def test_static_shapes_stay_where_they_are_in_the_world():
    around = scene.generate(STREET, 7, 0)
    still = (around.motion == 0).all(axis=1)
    world = []
    for time_s in (0.0, 1.5):
        pose = path.pose(around.drive, around.curvature_per_m, time_s, RADAR.height_m)
        world.append(around.shapes(time_s, RADAR.height_m).centre[still] @ pose[:3, :3].T + pose[:3, 3])
    np.testing.assert_allclose(world[0], world[1], atol=1e-9)


def test_the_ego_velocity_is_the_derivative_of_the_pose():
    drive = path.Drive(left_m=-1.6, speed_mps=8.0, swing_mps=1.0, period_s=5.0, phase_rad=0.7)
    around = replace(scene.generate(STREET, 7, 1), drive=drive, curvature_per_m=0.02)
    before, at, after = (path.pose(drive, 0.02, t, 0.7) for t in (1 - 1e-5, 1, 1 + 1e-5))
    world = (after - before)[:3, 3] / 2e-5
    np.testing.assert_allclose(at[:3, :3].T @ world, around.ego_velocity(1.0), atol=1e-5)


def test_scenes_of_one_seed_differ_by_sequence_only():
    one, same, other = (scene.generate.__wrapped__(STREET, 7, i) for i in (2, 2, 3))
    np.testing.assert_array_equal(one.street, same.street)
    assert one.drive != other.drive
