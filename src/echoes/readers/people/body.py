"""A body of rigid segments: joint angles -> joints -> points that answer the radar.

Lengths are the shares of the height of Drillis and Contini (1966, as in Winter, Biomechanics and Motor
Control of Human Movement). In the body's frame x points forward, y left, z up from the ground [m].
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from echoes.readers.people import scenario

LEFT_RIGHT = np.array([1.0, -1.0])


@dataclass(frozen=True)
class Lengths:
    """Lengths of the segments [m]; half widths of shoulders and hips."""

    head: float
    torso: float
    shoulder: float
    hip: float
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    calf: float
    ankle: float  # above the sole
    heel: float  # behind the ankle
    toe: float  # ahead of the ankle

    @property
    def leg(self) -> float:
        """Height of the hip of someone who stands upright, the `h` of gait models."""
        return self.thigh + self.calf + self.ankle


_SHARES = Lengths(0.182, 0.288, 0.1295, 0.0955, 0.186, 0.146, 0.108, 0.245, 0.246, 0.039, 0.038, 0.114)


def lengths(height_m: float) -> Lengths:
    return Lengths(*(height_m * getattr(_SHARES, field.name) for field in fields(Lengths)))


class Posture(NamedTuple):
    """Where the pelvis is and how the joints bend, at T instants; (T, 2) is left, right.

    Angles are radians; those of thigh and upper arm are from hanging, forward positive, and the others
    bend the next segment: knee back, elbow forward, ankle the toes up.
    """

    pelvis: np.ndarray  # (T, 3) m
    lean: np.ndarray  # (T,) of the torso, forward
    hip_turn: np.ndarray  # (T,) of the pelvis around z, the right side forward
    shoulder_turn: np.ndarray  # (T,) of the shoulders likewise
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    shoulder: np.ndarray
    elbow: np.ndarray
    spread: np.ndarray  # (T, 2) of the arms to the side


class Joints(NamedTuple):
    """Positions [m]: (T, 3) on the axis of the body, (T, 2, 3) left and right."""

    pelvis: np.ndarray
    neck: np.ndarray
    crown: np.ndarray
    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    fingertip: np.ndarray
    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    heel: np.ndarray
    toe: np.ndarray


SEGMENTS = {  # name of the segment -> the joints it lies between
    "torso": ("pelvis", "neck"),
    "head": ("neck", "crown"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
    "hand": ("wrist", "fingertip"),
    "thigh": ("hip", "knee"),
    "calf": ("knee", "ankle"),
    "foot": ("heel", "toe"),
}


def joints(posture: Posture, size: Lengths) -> Joints:
    """Forward kinematics."""
    spine = _upward(posture.lean)
    neck = posture.pelvis + size.torso * spine
    shoulder = neck[:, None] + size.shoulder * _sideways(posture.shoulder_turn)
    elbow = shoulder + size.upper_arm * _hanging(posture.shoulder, posture.spread)
    arm = _hanging(posture.shoulder + posture.elbow, posture.spread)
    hip = posture.pelvis[:, None] + size.hip * _sideways(posture.hip_turn)
    knee = hip + size.thigh * _hanging(posture.hip)
    ankle = knee + size.calf * _hanging(posture.hip - posture.knee)
    pitch = posture.hip - posture.knee + posture.ankle
    sole, forward = ankle + size.ankle * _hanging(pitch), _hanging(pitch + np.pi / 2)
    return Joints(
        pelvis=posture.pelvis,
        neck=neck,
        crown=neck + size.head * spine,
        shoulder=shoulder,
        elbow=elbow,
        wrist=elbow + size.forearm * arm,
        fingertip=elbow + (size.forearm + size.hand) * arm,
        hip=hip,
        knee=knee,
        ankle=ankle,
        heel=sole - size.heel * forward,
        toe=sole + size.toe * forward,
    )


def _upward(lean: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(lean), np.zeros_like(lean), np.cos(lean)], axis=-1)


def _sideways(turn: np.ndarray) -> np.ndarray:
    """(T, 2, 3) unit vectors to the left and to the right of a body turned around z."""
    left = np.stack([-np.sin(turn), np.cos(turn), np.zeros_like(turn)], axis=-1)
    return left[:, None] * LEFT_RIGHT[:, None]


def _hanging(angle: np.ndarray, spread: np.ndarray | float = 0.0) -> np.ndarray:
    """(T, 2, 3) unit vectors that hang down, swung forward by `angle`, then to the side by `spread`."""
    down = np.cos(angle)
    aside = LEFT_RIGHT * down * np.sin(spread)
    return np.stack([np.sin(angle), aside, -down * np.cos(spread)], axis=-1)


class Scatterers(NamedTuple):
    """P points that answer the radar.

    position     (T, P, 3) m.
    axis         (T, P, 3) unit vector along the segment of each.
    rcs          (P,) m^2, seen from the side.
    slenderness  (P,).
    """

    position: np.ndarray
    axis: np.ndarray
    rcs: np.ndarray
    slenderness: np.ndarray


def scatterers(at: Joints, parts: scenario.Body) -> Scatterers:
    """Points in the middle of equal pieces of every segment, which share its radar cross section."""
    position, axis, rcs, slenderness = [], [], [], []
    for name, (start, end) in SEGMENTS.items():
        part: scenario.Segment = getattr(parts, name)
        first, last = (getattr(at, joint).reshape(len(at.pelvis), -1, 1, 3) for joint in (start, end))
        share = ((np.arange(part.points) + 0.5) / part.points)[:, None]
        points = (first + share * (last - first)).reshape(len(first), -1, 3)
        along = (last - first) / np.linalg.norm(last - first, axis=-1, keepdims=True)
        position.append(points)
        axis.append(np.broadcast_to(along, (*along.shape[:2], part.points, 3)).reshape(points.shape))
        rcs.append(np.full(points.shape[1], 10 ** (part.rcs_dbsm / 10) / part.points))
        slenderness.append(np.full(points.shape[1], part.slenderness))
    return Scatterers(*(np.concatenate(p, axis=1) for p in (position, axis)), *map(np.concatenate, (rcs, slenderness)))
