"""The LiDAR of the simulated street: noise, dropout, reach and beams."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.readers.street.solids import shapes

from echoes.readers.street import lidar, scenario
from echoes.readers.street.shapes import BOX

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "radar"
STREET = scenario.load(ROOT)


WALL = shapes((BOX, (21, 0, 0), (1, 40, 40), 0))


def lidar_scan(**changes):
    return lidar.scan(WALL, STREET.materials, replace(STREET.lidar, **changes), -0.7, np.random.default_rng(0))


def test_lidar_ranges_scatter_by_the_noise_around_the_wall():
    cloud = lidar_scan(range_noise_m=0.05, dropout_probability=0.0).astype(float)
    offsets = cloud[:, :3] - STREET.lidar.position_m
    wall = offsets[:, 2] + STREET.lidar.position_m[2] > -0.5  # not the ground
    measured = np.linalg.norm(offsets[wall], axis=1)
    error = measured - measured / offsets[wall, 0] * (20 - STREET.lidar.position_m[0])
    assert error.mean() == pytest.approx(0, abs=0.002)
    assert error.std() == pytest.approx(0.05, rel=0.05)


def test_lidar_loses_the_share_of_returns_that_drop_out():
    kept = len(lidar_scan(dropout_probability=0.3)) / len(lidar_scan(dropout_probability=0.0))
    assert kept == pytest.approx(0.7, abs=0.02)


def test_lidar_sees_a_surface_as_far_as_its_reflectivity_allows():
    for reflectivity, expected in ((0.1, False), (0.5, True)):
        wall = shapes((BOX, (41, 0, 0), (1, 1, 1), 0), reflectivity=reflectivity)
        weak = replace(STREET.lidar, range_at_10_percent_m=30.0)
        cloud = lidar.scan(wall, STREET.materials, weak, -50.0, np.random.default_rng(0))
        assert (len(cloud) > 0) == expected


def test_lidar_has_its_beams_at_every_azimuth():
    beams = lidar.beams(STREET.lidar)
    elevations = np.unique(np.rad2deg(np.arcsin(beams[:, 2])).round(6))
    assert len(elevations) == sum(fan.beams for fan in STREET.lidar.fans) == 64
    assert elevations[[0, -1]] == pytest.approx((-24, 18))
