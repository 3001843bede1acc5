"""Ego velocity from the Doppler of static points (Kellner et al. 2013, IEEE ITSC), and Doppler over ground.

A static point seen in direction u (unit vector) by a radar that moves with v has the radial velocity
v_r = -u . v, positive = receding.

Three departures from the paper. The pairs of points that propose a velocity are not drawn at random but
taken in the order of their azimuth, half the field of view apart: the same points in any order give the
same velocity. A Doppler that repeats (`span_mps`) is matched modulo its span. The vertical component is
held near 0 by a prior, because a few degrees of elevation hardly show it.
"""

from dataclasses import dataclass

import numpy as np

from echoes.errors import InputError

PAIRS = 60  # proposals; with half of the points static, one pair in four proposes the right velocity
SAMPLE = 300  # points that vote on the proposals
ROUNDS = 20  # of the refinement; it settles after 3-6
VERTICAL_MPS = 0.5  # standard deviation of the prior of the vertical velocity


@dataclass(frozen=True)
class Doppler:
    """What the Doppler of a source is like, in params.yaml."""

    span_mps: float | None  # the Doppler repeats after it; null where the radar's range is never left
    static_mps: float  # a point is static when its Doppler is that close to what the ego velocity gives
    static_share: float  # fewer static points than this share of all: no estimate
    max_speed_mps: float

    def __post_init__(self) -> None:
        for name in ("static_mps", "max_speed_mps"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if not 0 < self.static_share < 1:
            raise InputError(f"static_share: expected more than 0 and less than 1, got {self.static_share}")
        if self.span_mps is not None and self.span_mps <= 2 * self.static_mps:
            raise InputError(f"span_mps: expected more than 2 static_mps = {2 * self.static_mps}, got {self.span_mps}")


@dataclass(frozen=True)
class Fit:
    """An ego velocity and how well the points agree with it."""

    velocity: np.ndarray  # (3,) of the radar over ground, in its own frame [m/s]
    static: np.ndarray  # (N,) bool: the points it was fitted to
    residual_mps: np.ndarray  # (N,) Doppler minus what a static point there would show = Doppler over ground


def directions(points: np.ndarray) -> np.ndarray:
    """(N, 3 or more) x, y, z [m] -> (N, 3) unit vectors from the radar; 0 for a point at the radar itself."""
    xyz = points[:, :3].astype(np.float64)
    range_m = np.linalg.norm(xyz, axis=1, keepdims=True)
    return np.divide(xyz, range_m, out=np.zeros_like(xyz), where=range_m > 0)


def over_ground(radar: np.ndarray, velocity: np.ndarray, span_mps: float | None) -> np.ndarray:
    """(N,) Doppler [m/s] without the part that comes from the ego velocity: 0 for a static point.

    With a span the result lies within half a span around 0, so a static point gives 0 whatever its
    Doppler wrapped to.
    """
    return _wrapped(radar[:, 3] + directions(radar) @ velocity, span_mps)


def compensate(radar: np.ndarray, velocity: np.ndarray, span_mps: float | None) -> np.ndarray:
    """The same radar points (N, 5) with Doppler over ground in place of relative Doppler [m/s]."""
    compensated = radar.copy()
    compensated[:, 3] = over_ground(radar, velocity, span_mps)
    return compensated


def relative(radar: np.ndarray, velocity: np.ndarray, span_mps: float | None) -> np.ndarray:
    """The radar points (N, 5) with the Doppler that a radar of that velocity sees in place of that over ground.

    `compensate` undoes it, up to whole spans where Doppler repeats.
    """
    moving = radar.copy()
    moving[:, 3] = _wrapped(radar[:, 3] - directions(radar) @ velocity, span_mps)
    return moving


def estimate(radar: np.ndarray, doppler: Doppler) -> Fit | None:
    """Fit one ego velocity to the static ones among the points.

    radar    (N, 5) x, y, z [m], Doppler [m/s] positive = receding, power.
    returns  None where the points do not tell: fewer than 3 of them, or less than `static_share` agree.
    """
    if len(radar) < 3:
        return None
    order = np.lexsort((np.linalg.norm(radar[:, :3], axis=1), np.arctan2(radar[:, 1], radar[:, 0])))
    proposals = _proposals(radar[order], doppler)
    if len(proposals) == 0:
        return None
    voters = radar[order][_spread(len(radar), SAMPLE)]
    relative = voters[:, 3, None] + directions(voters)[:, :2] @ proposals.T
    votes = (np.abs(_wrapped(relative, doppler.span_mps)) < doppler.static_mps).sum(axis=0)
    start = np.array([*proposals[votes.argmax()], 0.0])
    fit = _refine(radar, start, doppler)
    return fit if fit.static.sum() >= max(3, doppler.static_share * len(radar)) else None


def without_estimated(radar: np.ndarray, doppler: Doppler) -> tuple[np.ndarray, np.ndarray]:
    """The radar points (N, 5) with Doppler over ground by their own estimate, and the velocity (3,) taken out [m/s].

    Where they tell none there are no points, and the velocity is NaN: Doppler without its reference would mislead.
    """
    fit = estimate(radar, doppler)
    if fit is None:
        return radar[:0], np.full(3, np.nan)
    return compensate(radar, fit.velocity, doppler.span_mps), np.asarray(fit.velocity, np.float64)


def _proposals(radar: np.ndarray, doppler: Doppler) -> np.ndarray:
    """(P, 2) planar velocities, each from two points half of all points apart in azimuth.

    For a Doppler that repeats, every pair proposes one velocity per combination of wraps.
    """
    half = len(radar) // 2
    first = _spread(len(radar) - half, PAIRS)
    planar = directions(radar)[:, :2]
    matrices = np.stack([planar[first], planar[first + half]], axis=1)
    seen = np.abs(np.linalg.det(matrices)) > 0.05  # 3 degrees apart, for points near the horizon
    observed = np.stack([radar[first, 3], radar[first + half, 3]], axis=1).astype(np.float64)
    wraps = _wraps(doppler)
    targets = -(observed[seen, None, :] + wraps[None, :, :])
    proposals = np.linalg.solve(matrices[seen], targets.transpose(0, 2, 1)).transpose(0, 2, 1).reshape(-1, 2)
    return proposals[np.linalg.norm(proposals, axis=1) <= doppler.max_speed_mps]


def _wraps(doppler: Doppler) -> np.ndarray:
    """(K, 2) [m/s] what the two Dopplers of a pair may have lost by repeating."""
    if doppler.span_mps is None:
        return np.zeros((1, 2))
    most = int(np.ceil(doppler.max_speed_mps / doppler.span_mps))
    steps = doppler.span_mps * np.arange(-most, most + 1)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def _spread(size: int, most: int) -> np.ndarray:
    """At most `most` indices spread evenly over `size`."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))


def _wrapped(relative: np.ndarray, span_mps: float | None) -> np.ndarray:
    return relative if span_mps is None else relative - span_mps * np.round(relative / span_mps)


def _refine(radar: np.ndarray, velocity: np.ndarray, doppler: Doppler) -> Fit:
    """Least squares on the static points, and again on the points that are static then."""
    toward = directions(radar)
    static = np.zeros(len(radar), bool)
    for _ in range(ROUNDS):
        residual_mps = over_ground(radar, velocity, doppler.span_mps)
        before, static = static, np.abs(residual_mps) < doppler.static_mps
        if (static == before).all():
            break
        prior = np.diag([0.0, 0.0, (doppler.static_mps / VERTICAL_MPS) ** 2])
        normal = toward[static].T @ toward[static] + prior
        right = toward[static].T @ (residual_mps[static] - toward[static] @ velocity)
        velocity = np.linalg.lstsq(normal, -right, rcond=1e-9)[0]
    residual_mps = over_ground(radar, velocity, doppler.span_mps)
    return Fit(velocity, np.abs(residual_mps) < doppler.static_mps, residual_mps)
