"""The radar of the simulated street: the radar equation, detection, resolution, Doppler and ghosts."""

from dataclasses import fields, replace
from functools import partial
from math import hypot, inf, log10, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.readers.street.solids import shapes

from echoes.readers.street import echo, ghosts, radar, scenario, scene
from echoes.readers.street.echo import Echoes
from echoes.readers.street.scatterers import Scatterers
from echoes.readers.street.shapes import BOX

ROOT = Path(__file__).resolve().parents[3] / "data" / "raw" / "radar"
STREET = scenario.load(ROOT)
RADAR = STREET.radar
facades = partial(shapes, material=scene.FACADE)


def test_power_falls_by_12_db_when_the_range_doubles():
    ranges = RADAR.sensitivity_control_range_m * np.array([1, 2, 4])
    power = echo.received_power_db(np.outer(ranges, (1, 0, 0)), np.zeros(3), RADAR)
    assert np.diff(power) == pytest.approx([-40 * log10(2)] * 2)
    assert power[0] == pytest.approx(RADAR.power_at_1m_db - 40 * log10(ranges[0]))


def test_power_falls_by_3_db_at_the_half_width_of_the_beam():
    angle = np.deg2rad([0, RADAR.beam_azimuth_deg])
    position = 30 * np.stack([np.cos(angle), np.sin(angle), [0, 0]], axis=1)
    assert np.diff(echo.received_power_db(position, np.zeros(2), RADAR)) == pytest.approx([-3])


@pytest.mark.parametrize(
    ("velocity", "ego", "expected"), [((0, 0, 0), 10, -10), ((-8, 0, 0), 10, -18), ((12, 0, 0), 10, 2)]
)
def test_doppler_ahead_is_the_difference_of_the_speeds_positive_when_receding(velocity, ego, expected):
    doppler = echo.radial_velocity(np.array([[30.0, 0, 0]]), np.array([velocity], float), np.array([ego, 0.0, 0.0]))
    assert doppler == pytest.approx([expected])


@given(st.floats(-100, 100))
def test_a_wrapped_doppler_differs_by_whole_ambiguities(doppler):
    wrapped = radar.wrap(np.array([doppler]), 20.0)[0]
    assert -20 <= wrapped < 20
    assert (doppler - wrapped) / 40 == pytest.approx(round((doppler - wrapped) / 40), abs=1e-9)


def test_doppler_beyond_the_ambiguity_comes_back_on_the_other_side():
    np.testing.assert_allclose(radar.wrap(np.array([21.0, -25.0, 19.5, -19.5]), 20.0), [-19, 15, 19.5, -19.5])


def echoes(position, doppler=0.0, power_db=80.0):
    position = np.array(position, float)
    count = len(position)
    return Echoes(
        position, np.full(count, doppler), np.broadcast_to(power_db, count).astype(float), np.zeros(count, int)
    )


@pytest.mark.parametrize("snr_db", [5.0, 11.0, 20.0])
def test_the_share_detected_is_that_of_a_swerling_1_target(snr_db):
    many = echoes(np.tile((30, 0, 0), (20_000, 1)), power_db=RADAR.noise_power_db + snr_db)
    found = radar.detect(many, RADAR, np.random.default_rng(0))
    threshold, snr = 10 ** (RADAR.detection_snr_db / 10), 10 ** (snr_db / 10)
    assert len(found.shape) / 20_000 == pytest.approx(np.exp(-threshold / (1 + snr)), abs=0.012)


def test_of_echoes_in_one_resolution_cell_the_strongest_remains():
    both = echoes([(30.01, 0.1, 0.1), (30.02, 0.1, 0.1), (40.0, 0.1, 0.1)], power_db=(60, 70, 50))
    assert sorted(radar.resolve(both, RADAR).power_db) == [50, 70]
    apart = replace(both, doppler_mps=np.array([0.0, 5.0, 0.0]))
    assert len(radar.resolve(apart, RADAR).shape) == 3


def measured_deviation(of, snr_db):
    many = echoes(np.tile((30, 0, 0), (20_000, 1)), power_db=of.noise_power_db + snr_db)
    points = radar.measure(many, of, np.random.default_rng(0))
    return np.column_stack([radar.to_spherical(points[:, :3]), points[:, 3]]).std(axis=0)


def test_the_noise_of_a_weak_echo_is_the_resolution_over_1_6_roots_of_twice_the_snr():
    fine = replace(RADAR, range_noise_m=1e-9, azimuth_noise_deg=1e-9, elevation_noise_deg=1e-9, doppler_noise_mps=1e-9)
    angles = np.deg2rad((RADAR.azimuth_resolution_deg, RADAR.elevation_resolution_deg))
    sizes = np.array([RADAR.range_resolution_m, *angles, RADAR.doppler_resolution_mps])
    np.testing.assert_allclose(measured_deviation(fine, 20.0), sizes / (1.6 * sqrt(200)), rtol=0.03)


def test_the_noise_of_a_strong_echo_is_the_floor():
    angles = np.deg2rad((RADAR.azimuth_noise_deg, RADAR.elevation_noise_deg))
    floors = (RADAR.range_noise_m, *angles, RADAR.doppler_noise_mps)
    np.testing.assert_allclose(measured_deviation(RADAR, 80.0), floors, rtol=0.03)


def test_what_a_wall_hides_is_not_lit():
    wall = facades((BOX, (10, 0, 0), (0.5, 3, 3), 0))
    points = np.array([(20, 0, 0), (9.5, 1, 1), (20, 15, 0), (5, 0, 0)], float)
    assert echo.visible(points, wall, -inf).tolist() == [False, True, True, True]


def test_a_facade_mirrors_an_oncoming_vehicle_with_its_velocity():
    # the street side of the wall is the plane y = 8; the vehicle at y = 2 appears at y = 14
    street = facades((BOX, (20, 0, 0), (2, 1, 1), 0), (BOX, (20, 13, 0), (30, 5, 5), 0))
    street.velocity[0] = (-10, 1, 0)
    vehicle = replace(echoes([(20, 2, 0)], power_db=100.0), shape=np.array([0]))
    ghost = ghosts.facades(vehicle, street, np.array([1]), np.array([5.0, 0, 0]), RADAR)
    np.testing.assert_allclose(ghost.position, [(20, 14, 0)])
    assert ghost.doppler_mps == pytest.approx([(20 * (-10 - 5) + 14 * -1) / hypot(20, 14)])
    assert (ghost.power_db < 100 - 2 * RADAR.ghosts.facade_loss_db).all()


def test_a_facade_behind_another_one_mirrors_nothing():
    street = facades(
        (BOX, (20, 0, 0), (2, 1, 1), 0), (BOX, (20, 13, 0), (30, 2, 5), 0), (BOX, (20, 9, 0), (30, 1, 5), 0)
    )
    vehicle = replace(echoes([(20, 2, 0)], power_db=100.0), shape=np.array([0]))
    ghost = ghosts.facades(vehicle, street, np.array([1]), np.array([5.0, 0, 0]), RADAR)
    assert len(ghost.shape) == 0


def test_the_ground_mirrors_below_itself():
    image = ghosts.ground(echoes([(20, 3, 1)], doppler=-6.0), RADAR)
    np.testing.assert_allclose(image.position, [(20, 3, -1 - 2 * RADAR.height_m)])
    still = echo.radial_velocity(image.position, np.zeros((1, 3)), np.array([1.0, 0, 0]))
    direct = echo.radial_velocity(np.array([(20.0, 3, 1)]), np.zeros((1, 3)), np.array([1.0, 0, 0]))
    assert image.doppler_mps / -6.0 == pytest.approx(still / direct)


def test_static_points_of_a_radar_without_noise_fit_one_ego_velocity():
    clean = replace(
        RADAR,
        range_noise_m=0.0,
        azimuth_noise_deg=0.0,
        elevation_noise_deg=0.0,
        doppler_noise_mps=0.0,
        ghosts=replace(RADAR.ghosts, sidelobes_per_peak=0.0),
        clutter=replace(RADAR.clutter, false_alarms=0.0),
    )
    still = replace(STREET.materials.metal, doppler_spread_mps=0.0)
    materials = type(STREET.materials)(*(still for _ in fields(STREET.materials)))
    around = scene.generate(STREET, 7, 0)
    street = around.shapes(0.3, RADAR.height_m)
    static = np.flatnonzero((street.velocity == 0).all(axis=1))
    kept = np.isin(around.scatterers.shape, static)
    scatterers = Scatterers(*(values[kept] for values in vars(around.scatterers).values()))
    walls = np.flatnonzero(street.material == scene.FACADE)
    ego = np.array([9.0, 0.5, 0.0])
    points = radar.scan(street, scatterers, materials, walls, ego, clean, np.random.default_rng(0)).astype(float)
    assert len(points) > 200
    direction = points[:, :3] / np.linalg.norm(points[:, :3], axis=1, keepdims=True)
    np.testing.assert_allclose(points[:, 3], -direction @ ego, atol=1e-5)
