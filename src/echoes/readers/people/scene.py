"""A recording: a user at some place does something, and the points of the body move past the radar."""

from dataclasses import fields
from typing import Any

import numpy as np

from echoes.readers.people import body, gait, movements
from echoes.readers.people.scenario import Place, Scenario, Span, User

ACTIVITIES = ("walk", "run", "wave", "fall", "sit")
TURN = 2 * np.pi
_DEG = np.pi / 180
_LYING = 85 * _DEG  # how far a body topples


def person(
    scenario: Scenario, user: User, activity: str, time_s: np.ndarray, rng: np.random.Generator
) -> body.Scatterers:
    """Points of a user's body in front of the radar, whose mast stands at x = y = 0."""
    size = body.lengths(user.height_m)
    if activity in ("walk", "run"):
        at = body.joints(_gait(user, size, activity, time_s, rng), size)
        points = body.scatterers(at, scenario.body)
        turn, shift = _path(scenario.place, points.position, rng)
    else:
        points = _on_the_spot(scenario, user, size, activity, time_s, rng)
        turn, shift = _spot(scenario.place, rng)
    return points._replace(
        position=points.position @ turn.T + shift,
        axis=points.axis @ turn.T,
        rcs=points.rcs * 10 ** (user.build_db / 10),
    )


def _gait(user: User, size: body.Lengths, activity: str, time_s: np.ndarray, rng: np.random.Generator) -> body.Posture:
    begin = rng.random()
    if activity == "walk":
        walking = gait.Walking(*drawn(user.walk, rng))
        return gait.walk(walking, size, begin + time_s / gait.walking_cycle_s(walking, size))
    running = gait.Running(*drawn(user.run, rng))
    return gait.run(running, size, begin + time_s / gait.running_cycle_s(running))


def _on_the_spot(
    scenario: Scenario, user: User, size: body.Lengths, activity: str, time_s: np.ndarray, rng: np.random.Generator
) -> body.Scatterers:
    sway_m, sway_hz = rng.uniform(*scenario.body.sway_m), rng.uniform(*scenario.body.sway_hz)
    sway = sway_m / user.height_m * np.sin(TURN * (sway_hz * time_s + rng.random()))
    standing = movements.stand(size, time_s, sway)
    since_s = time_s - rng.uniform(*scenario.place.begin_s)
    if activity == "fall":
        return _fall(scenario, user, size, standing, since_s, rng)
    if activity == "sit":
        duration_s, *angles = drawn(user.sit, rng)
        posture = movements.sit(standing, size, (since_s / duration_s).clip(0, 1), *angles)
    else:
        rate_hz, *angles = drawn(user.wave, rng)
        swing = np.sin(TURN * (rate_hz * time_s + rng.random()))
        posture = movements.wave(standing, swing, rng.permutation(2) < user.wave.hands, *angles)
    return body.scatterers(body.joints(posture, size), scenario.body)


def _fall(
    scenario: Scenario,
    user: User,
    size: body.Lengths,
    standing: body.Posture,
    since_s: np.ndarray,
    rng: np.random.Generator,
) -> body.Scatterers:
    duration_s, lateness, knee_rad, arms_rad = drawn(user.fall, rng)
    share = (since_s / duration_s).clip(0, 1)
    at = body.joints(movements.fall(standing, size, share, knee_rad, arms_rad), size)
    points = body.scatterers(at, scenario.body)
    done = movements.toppled(share, lateness)
    forward = rng.random() < user.fall.forward_probability
    angle = done * (_LYING if forward else -_LYING)
    pivot = np.array([size.toe if forward else -size.heel, 0, 0])
    return points._replace(
        position=movements.tip(points.position, angle, pivot),
        axis=movements.tip(points.axis, angle, np.zeros(3)),
    )


def drawn(section: Any, rng: np.random.Generator) -> list[float]:
    """One draw from every span of a section, in the order of its fields; degrees become radians."""
    spans = [(f.name, getattr(section, f.name)) for f in fields(section) if f.type == Span]
    return [rng.uniform(*span) * (_DEG if name.endswith("_deg") else 1) for name, span in spans]


def _path(place: Place, points: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn and shift that lead a walk towards the radar or away from it, past the nearest range at one end."""
    nearest_m, bearing, aspect = _draw(place, rng)
    towards = rng.random() < 0.5
    middle = points.mean(axis=1)
    near = middle[-1] if towards else middle[0]
    return _placed(nearest_m, bearing, bearing + aspect + (np.pi if towards else 0), near)


def _spot(place: Place, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Turn and shift that put someone who looks at the radar in front of it."""
    nearest_m, bearing, aspect = _draw(place, rng)
    return _placed(nearest_m, bearing, bearing + aspect + np.pi, np.zeros(3))


def _draw(place: Place, rng: np.random.Generator) -> tuple[float, float, float]:
    bearing, aspect = rng.uniform(*place.bearing_deg) * _DEG, rng.uniform(*place.aspect_deg) * _DEG
    return rng.uniform(*place.range_m), bearing, aspect


def _placed(range_m: float, bearing: float, heading: float, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The turn (3, 3) to `heading` and the shift (3,) that put `point` of the body at range and bearing."""
    cos, sin = np.cos(heading), np.sin(heading)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    x, y, _ = turn @ point
    return turn, np.array([range_m * np.cos(bearing) - x, range_m * np.sin(bearing) - y, 0])
