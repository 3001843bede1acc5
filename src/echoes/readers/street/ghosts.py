"""Echoes where nothing stands: reflections at facades and at the ground, and sidelobes of strong targets."""

import numpy as np

from echoes.errors import InputError
from echoes.readers.street.echo import ORIGIN, Echoes, in_view, radial_velocity, received_power_db
from echoes.readers.street.raycast import cast
from echoes.readers.street.scenario import Ghosts, Radar
from echoes.readers.street.shapes import Shapes

MAX_IMAGES = 5_000_000  # that are looked for: a hundred bytes each


def facades(echoes: Echoes, shapes: Shapes, walls: np.ndarray, ego_velocity: np.ndarray, radar: Radar) -> Echoes:
    """Echoes seen in the facades as in mirrors: twice reflected, at the range and with the Doppler of the mirror image.

    walls  (W,) indices of the shapes whose street side is a mirror.

    A mirror image counts where the ray to it meets that facade first.
    """
    ghosts = radar.ghosts
    floor_db = radar.noise_power_db + radar.detection_snr_db + 2 * ghosts.facade_loss_db
    strong = echoes.take((echoes.power_db > floor_db) & ~np.isin(echoes.shape, walls) & (echoes.shape >= 0))
    walls = walls[np.hypot(*shapes.centre[walls, :2].T) < radar.range_m[1]]
    if len(walls) * len(strong.shape) > MAX_IMAGES:
        raise InputError(f"radar: expected up to {MAX_IMAGES} echoes in facades, got {len(walls) * len(strong.shape)}")
    # every strong echo with every wall
    echo, wall = (grid.ravel() for grid in np.meshgrid(np.arange(len(strong.shape)), walls, indexing="ij"))
    across = np.column_stack([-np.sin(shapes.yaw_rad[wall]), np.cos(shapes.yaw_rad[wall]), np.zeros(len(wall))])
    middle = shapes.centre[wall]
    side = -np.sign(np.einsum("ij,ij->i", across, middle))  # the wall that faces the road
    face = middle + (side * shapes.half[wall, 1])[:, None] * across
    distance = np.einsum("ij,ij->i", strong.position[echo] - face, across)
    image = strong.position[echo] - 2 * distance[:, None] * across
    velocity = shapes.velocity[strong.shape[echo]]
    mirrored = velocity - 2 * np.einsum("ij,ij->i", velocity, across)[:, None] * across
    near = np.flatnonzero(in_view(image, radar))
    image, mirrored, echo, wall = image[near], mirrored[near], echo[near], wall[near]
    range_m = np.linalg.norm(image, axis=1)
    _, what, _ = cast(ORIGIN, image / range_m[:, None], shapes, -radar.height_m, radar.range_m[1])
    met = what == wall
    image, mirrored, source = image[met], mirrored[met], strong.take(echo[met])
    direct = received_power_db(source.position, np.zeros(len(image)), radar)
    longer = received_power_db(image, np.zeros(len(image)), radar) - direct
    power = source.power_db + longer - 2 * ghosts.facade_loss_db
    return Echoes(image, radial_velocity(image, mirrored, ego_velocity), power, source.shape)


def ground(echoes: Echoes, radar: Radar) -> Echoes:
    """Echoes seen in the ground as in a mirror: below it, twice reflected."""
    above = echoes.take(echoes.shape >= 0)
    image = above.position * (1, 1, -1) - (0, 0, 2 * radar.height_m)
    power = above.power_db - 2 * radar.ghosts.ground_loss_db
    # what moves level with the ground has the same velocity in the mirror, along a longer way
    doppler = above.doppler_mps * above.range_m / np.linalg.norm(image, axis=1)
    return Echoes(image, doppler, power, above.shape).take(in_view(image, radar))


def sidelobes(echoes: Echoes, radar: Radar, rng: np.random.Generator) -> Echoes:
    """Strong echoes again, weaker and at a wrong azimuth: the arcs around poles and vehicles."""
    g: Ghosts = radar.ghosts
    floor_db = radar.noise_power_db + radar.detection_snr_db - g.sidelobe_level_db
    strong = np.flatnonzero(echoes.power_db > floor_db)
    source = echoes.take(np.repeat(strong, rng.poisson(g.sidelobes_per_peak, len(strong))))
    turn = np.deg2rad(rng.normal(0, g.sidelobe_spread_deg, len(source.shape)))
    x, y, z = source.position.T
    turned = np.column_stack([np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y, z])
    lower = source.power_db + g.sidelobe_level_db
    return Echoes(turned, source.doppler_mps, lower, source.shape).take(in_view(turned, radar))
