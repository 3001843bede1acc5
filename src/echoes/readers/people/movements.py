"""Waving, falling and sitting down: movements on the spot -> joint angles over time.

A movement from rest to rest follows a speed shaped like a beta density; with both exponents 2 that is the
minimum-jerk path of Flash and Hogan (1985). The soles stay where they are: the pelvis follows from the legs.
"""

import numpy as np
from scipy.special import betainc

from echoes.readers.people.body import Lengths, Posture, joints

_DEG = np.pi / 180
_ABRUPT = 0.35  # exponent of the speed at the end of a fall: the ground stops it


def progress(share: np.ndarray, rise: float, fall: float) -> np.ndarray:
    """0..1, how far a movement is at `share` of its time, with speed share^rise (1 - share)^fall."""
    return np.asarray(betainc(rise + 1, fall + 1, share))


def stand(size: Lengths, time_s: np.ndarray, sway_rad: np.ndarray) -> Posture:
    """Someone who stands, the arms hanging, and sways by `sway_rad` (T,) around the ankles."""
    both = np.zeros((len(time_s), 2))
    still = np.zeros(len(time_s))
    return planted(
        Posture(
            pelvis=np.zeros((len(time_s), 3)),
            lean=sway_rad,
            hip_turn=still,
            shoulder_turn=still,
            hip=both - sway_rad[:, None],
            knee=both,
            ankle=both + sway_rad[:, None],
            shoulder=both + 3 * _DEG + sway_rad[:, None],
            elbow=both + 10 * _DEG,
            spread=both + 8 * _DEG,
        ),
        size,
    )


def planted(posture: Posture, size: Lengths) -> Posture:
    """The same with the pelvis where it must be for the ankles to stay above the origin."""
    ankle = joints(posture, size).ankle.mean(axis=1)
    return posture._replace(pelvis=posture.pelvis - ankle + np.array([0, 0, size.ankle]))


def wave(
    standing: Posture, swing: np.ndarray, hands: np.ndarray, raise_rad: float, upper_rad: float, forearm_rad: float
) -> Posture:
    """Forearms that swing to and fro beside the head.

    swing      (T,) -1..1, where the swing is.
    hands      (2,) bool, left and right: which of them wave.
    raise_rad  of the upper arm, which swings by `upper_rad` and the forearm around the elbow by `forearm_rad`.
    """
    turn = swing[:, None]
    upright = 170 * _DEG - raise_rad
    return standing._replace(
        shoulder=np.where(hands, raise_rad + upper_rad * turn, standing.shoulder),
        elbow=np.where(hands, upright + forearm_rad * turn, standing.elbow),
        spread=np.where(hands, 20 * _DEG, standing.spread),
    )


def sit(
    standing: Posture, size: Lengths, share: np.ndarray, lean_rad: float, rest_lean_rad: float, thigh_rad: float
) -> Posture:
    """Down onto a seat behind the heels, at `share` (T,) of the time it takes; the torso bends forward on the way."""
    down = progress(share, rise=2, fall=2)
    there_and_back = np.sin(np.pi * share) ** 2
    bend = lean_rad * there_and_back + rest_lean_rad * down
    shin = 18 * _DEG * there_and_back  # the knees go forward on the way
    posture = standing._replace(
        lean=standing.lean + bend,
        hip=standing.hip + (thigh_rad * down - shin)[:, None],
        knee=standing.knee + (thigh_rad * down)[:, None],
        ankle=standing.ankle + shin[:, None],
        shoulder=standing.shoulder + (0.5 * bend + 30 * _DEG * down)[:, None],
        elbow=standing.elbow + (45 * _DEG * down)[:, None],
    )
    return planted(posture, size)


def fall(standing: Posture, size: Lengths, share: np.ndarray, knee_rad: float, arms_rad: float) -> Posture:
    """Someone who falls, before `tip` lays the body down, at `share` (T,) of the time it takes.

    The knees give way and the arms are thrown forward; in the end both are straight again, so that a body
    that lies is not below the ground.
    """
    there_and_back = np.sin(np.pi * share)[:, None] ** 2
    knee = knee_rad * there_and_back
    posture = standing._replace(
        lean=standing.lean + 0.3 * knee[:, 0],
        hip=standing.hip + 0.5 * knee,
        knee=standing.knee + knee,
        ankle=standing.ankle + 0.5 * knee,
        shoulder=standing.shoulder + arms_rad * there_and_back,
    )
    return planted(posture, size)


def toppled(share: np.ndarray, lateness: float) -> np.ndarray:
    """0..1, how far a body has toppled: ever faster, until the ground stops it."""
    return progress(share, lateness, _ABRUPT)


def tip(points: np.ndarray, angle_rad: np.ndarray, pivot_m: np.ndarray) -> np.ndarray:
    """Points (T, P, 3) turned over forward by `angle_rad` (T,) around the line across `pivot_m` (3,)."""
    cos, sin = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    x, y, z = np.moveaxis(points - pivot_m, -1, 0)
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1) + pivot_m
