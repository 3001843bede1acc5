"""Walking and running: speed and style -> joint angles over time.

Walking is the model of Boulic, Thalmann and Thalmann (1990), "A global human walking model with real-time
kinematic personification", The Visual Computer 6: with lengths in heights of the hip, the relative velocity
v sets the length of a cycle, 1.346 sqrt(v), the duration of support, 0.752 T - 0.143 s, sines for the motion
of the pelvis, and control points for the flexion of hip, knee, ankle, elbow and the torsion of the thorax. Phase 0
is the contact of the right heel; the left leg follows half a cycle later.

We depart from it: curves through the control points are monotone cubics; the tilt of the pelvis to the side is left
out; and the flexion of the hip is scaled until the standing foot stays where it is, because the angles alone let it
slide. A style (`scenario.Walk`) multiplies cadence, arms, knees and bob.

Running has no such model: we give the path of the ankle, which stands still during a support that is shorter than half
the cycle and so leaves a flight, and find hip and knee by inverse kinematics. Sizes are those of Novacheck (1998),
"The biomechanics of running", Gait and Posture 7.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from echoes.readers.people.body import Lengths, Posture, joints

TURN = 2 * np.pi
_HIP_TURN, _SHOULDER_TURN = np.deg2rad((8, 10))  # of a runner, to both sides
_SURGE_MPS = 0.15  # how much slower than the mean a runner is in mid-support
_AHEAD = 0.42  # share of the support in which the foot is ahead of the pelvis
_STRAIGHT = 0.98  # longest distance of a runner's ankle from the hip, over the length of the leg
_CYCLE = np.arange(128) / 128  # phases at which the height of the pelvis is found


class Walking(NamedTuple):
    """A walker's style, drawn from `scenario.Walk`."""

    speed_mps: float
    cadence: float
    arm_swing: float
    elbow_rad: float
    knee_lift: float
    bob: float
    lean_rad: float


class Running(NamedTuple):
    """A runner's style, drawn from `scenario.Run`."""

    speed_mps: float
    steps_hz: float
    duty: float
    arm_swing_rad: float
    elbow_rad: float
    lift: float
    bob_m: float
    lean_rad: float


def relative_speed(style: Walking, size: Lengths) -> float:
    """The speed in heights of the hip per second."""
    return style.speed_mps / size.leg


def walking_cycle_s(style: Walking, size: Lengths) -> float:
    """Duration of two steps: 1.346 sqrt(v) / v, over the cadence."""
    return 1.346 / relative_speed(style, size) ** 0.5 / style.cadence


def walk(style: Walking, size: Lengths, phase: np.ndarray) -> Posture:
    """Postures at `phase` (T,) [cycles]; the pelvis goes forward from x = 0 at phase 0."""
    speed, cycle_s = relative_speed(style, size), walking_cycle_s(style, size)
    support = 0.752 - 0.143 / cycle_s
    fast = np.clip((speed - 1.3) / 1.7, 0, 1)  # how far between the slow and the fast gait of the model
    hip = [(0.2 * fast - 0.1, 25 + 5 * fast), (0.5, -15), (0.9, 25 + 6 * fast)]
    if fast == 0:
        hip = [(-0.1, 25), (0.5, -15)]  # the first and the last point are one
    lift = style.knee_lift * (70 - 5 * fast)
    knee = [(0.17 - 0.05 * fast, 3 + 22 * fast), (0.4, 3), (0.75 - 0.05 * fast, lift), (1 - 0.03 * fast, 3 + 3 * fast)]
    ankle = [(0, 5 * fast - 3), (0.08, 4 * fast - 18), (0.5 - 0.1 * fast, 8 - 3 * fast)]
    ankle += [(support, -20 - 8 * fast), (0.85, 5 * fast - 3)]
    slow = np.clip((speed - 0.5) / 0.8, 0, 1)
    elbow = [(0.05, 6 + 8 * slow - 6 * fast), (0.5 + 0.01 * slow + 0.04 * fast, 20 + 24 * slow + 26 * fast)]
    elbow += [(0.9 - 0.1 * fast, 8 + 9 * slow - 6 * fast)]
    thorax = [(0.1, 4 / 3 * speed), (0.4, -1.5 * speed), (0.6, -4 / 3 * speed), (0.9, 1.5 * speed)]
    swing = 9.88 * speed * style.arm_swing

    def posture(at: np.ndarray) -> Posture:
        both = _both(at)
        x = -0.021 * np.sin(TURN * (2 * at + 2 * (0.625 - support)))
        y = -0.032 * np.sin(TURN * (at - 0.1))
        z = style.bob * 0.015 * speed * np.sin(TURN * (2 * at - 0.35))
        pelvis = size.leg * np.stack([x, y, z], axis=-1)
        pelvis[:, 0] += style.speed_mps * cycle_s * at
        return Posture(
            pelvis=pelvis,
            lean=style.lean_rad + np.deg2rad(2 * np.sin(TURN * (2 * at - 0.1)) - 2),
            hip_turn=np.deg2rad(4 * speed * np.cos(TURN * at)),
            shoulder_turn=-_curve(thorax, at),
            hip=_curve(hip, both),
            knee=_curve(knee, both),
            ankle=_curve(ankle, both),
            shoulder=np.deg2rad(3 - swing / 2 - swing * np.cos(TURN * both)),
            elbow=_curve(elbow, both) + style.elbow_rad,
            spread=np.full_like(both, np.deg2rad(5)),
        )

    return _grounded(posture, size, phase, standing=(0.1, 0.4))


def running_cycle_s(style: Running) -> float:
    """Duration of two steps."""
    return 2 / style.steps_hz


def run(style: Running, size: Lengths, phase: np.ndarray) -> Posture:
    """Postures at `phase` (T,) [cycles]; the pelvis goes forward from x = 0 at phase 0."""
    both, cycle_m = _both(phase), style.speed_mps * running_cycle_s(style)
    hip = _running_hip(style, size, phase)
    base_m = _reach(style, size, _CYCLE).min()
    thigh, knee = _bend(_running_ankle(style, size, both) - hip - np.array([0, base_m]), size)
    arms = style.arm_swing_rad * np.cos(TURN * both)
    return Posture(
        pelvis=np.stack(
            [cycle_m * phase + hip[..., 0].mean(axis=-1), np.zeros_like(phase), base_m + hip[:, 0, 1]], axis=-1
        ),
        lean=np.full_like(phase, style.lean_rad),
        hip_turn=_HIP_TURN * np.cos(TURN * phase),
        shoulder_turn=-_SHOULDER_TURN * np.cos(TURN * phase),
        hip=thigh,
        knee=knee,
        ankle=_curve([(0, 8), (0.3 * style.duty, 0), (0.6 * style.duty, 0), (style.duty, -35)], both) - thigh + knee,
        shoulder=-np.deg2rad(10) - arms,
        elbow=style.elbow_rad - 0.25 * arms,
        spread=np.full_like(both, np.deg2rad(12)),
    )


def _running_hip(style: Running, size: Lengths, phase: np.ndarray) -> np.ndarray:
    """(T, 2, 2) x, z [m] of the hip joints in a frame of constant speed: lowest and slowest in mid-support."""
    turn = 2 * TURN * (phase - style.duty / 2)
    x = -_SURGE_MPS * running_cycle_s(style) / (2 * TURN) * np.sin(turn)
    aside = size.hip * np.sin(_HIP_TURN * np.cos(TURN * phase))
    z = -style.bob_m * np.cos(turn)
    return np.stack([np.stack([x - aside, z], axis=-1), np.stack([x + aside, z], axis=-1)], axis=1)


def _running_ankle(style: Running, size: Lengths, phase: np.ndarray) -> np.ndarray:
    """(..., 2) x, z [m] of an ankle in a frame of constant speed.

    In support it stays on the ground; the swing is a cubic that leaves and meets the ground without sliding.
    """
    duty, at = style.duty, phase % 1
    cycle_m = style.speed_mps * running_cycle_s(style)
    front = _AHEAD * duty * cycle_m
    u = np.clip((at - duty) / (1 - duty), 0, 1)
    back, slope = front - duty * cycle_m, -(1 - duty) * cycle_m
    swing = back + (front - back) * u**2 * (3 - 2 * u) + slope * u * (1 - u) * (1 - 2 * u)
    x = np.where(at < duty, front - cycle_m * at, swing)
    knots = [0, 0.35 * duty, duty, duty + 0.42 * (1 - duty), 1]
    rise = PchipInterpolator(knots, np.array([0.06, 0, 0.11, style.lift, 0.06]) * size.leg)
    return np.stack([x, size.ankle + rise(at)], axis=-1)


def _reach(style: Running, size: Lengths, phase: np.ndarray) -> np.ndarray:
    """(T, 2) how high the middle of the bobbing pelvis can be for a leg that is nearly straight [m]."""
    ahead, up = np.moveaxis(_running_ankle(style, size, _both(phase)) - _running_hip(style, size, phase), -1, 0)
    leg = _STRAIGHT * (size.thigh + size.calf)
    return np.asarray(up + np.sqrt(leg**2 - ahead**2))


def _bend(way: np.ndarray, size: Lengths) -> tuple[np.ndarray, np.ndarray]:
    """Angles [rad] of hip and knee that lead along `way` (..., 2) [m] from the hip joint to the ankle."""
    x, z = way[..., 0], way[..., 1]
    knee = np.arccos((x**2 + z**2 - size.thigh**2 - size.calf**2) / (2 * size.thigh * size.calf))
    return np.arctan2(x, -z) + np.arctan2(size.calf * np.sin(knee), size.thigh + size.calf * np.cos(knee)), knee


def _grounded(
    posture: Callable[[np.ndarray], Posture], size: Lengths, phase: np.ndarray, standing: tuple[float, float]
) -> Posture:
    """Scale the hips until a foot that stands flat stays in place, and put the lowest sole on the ground.

    posture   phase -> Posture, whose pelvis is at any height.
    standing  phases between which the right sole is flat on the ground.
    """
    flat, cycle, result = (posture(at) for at in (np.array(standing), _CYCLE, phase))

    def slid_m(stride: float) -> float:
        first, last = joints(_stretched(flat, stride), size).ankle[:, 1, 0]
        return float(last - first)

    stride = brentq(slid_m, 0.1, 4.0, xtol=1e-6)
    feet = joints(_stretched(cycle, stride), size)
    result.pelvis[:, 2] -= min(feet.heel[..., 2].min(), feet.toe[..., 2].min())
    return _stretched(result, stride)


def _stretched(posture: Posture, stride: float) -> Posture:
    return posture._replace(hip=stride * posture.hip)


def _both(phase: np.ndarray) -> np.ndarray:
    """(T, 2) the phase of the left and of the right leg, or of the arms, which swing against the legs."""
    return np.stack([phase + 0.5, phase], axis=-1)


def _curve(points: Sequence[tuple[float, float]], phase: np.ndarray) -> np.ndarray:
    """A periodic curve [rad] at `phase`, through control points (phase, degrees) of one cycle."""
    x, y = np.array(points).T
    order = np.argsort(x % 1)
    x, y = (x % 1)[order], y[order]
    curve = PchipInterpolator(np.concatenate([x - 1, x, x + 1]), np.deg2rad(np.concatenate([y, y, y])))
    return np.asarray(curve(phase % 1))
