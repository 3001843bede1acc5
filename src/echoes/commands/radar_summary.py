"""What unlabelled radar frames tell about their radar: a few numbers that two radars can be compared by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from echoes.readers import ego_motion
from echoes.readers.ego_motion import Doppler
from echoes.readers.street.radar import to_spherical

BANDS = 5  # of range
MIN_POINTS = 30  # points that a quantile is taken of
NEAR_M = 25.0  # where elevation still tells the ground from what stands on it
GROUND_M = 0.5  # around the ground
ALONE_M = 3.0  # to the nearest other point of its frame
WEAKER_DB, ASIDE_DEG, ALIKE_M, ALIKE_MPS = 12.0, 5.0, 1.0, 0.3  # a sidelobe beside its peak
DRIVING_MPS = 1.0
STEP_SHARE = 0.9  # of the differences that are whole steps, for values on a lattice


@dataclass(frozen=True)
class Frames:
    """The points of all frames and what is known of each.

    points (N, 5) as readers give them; frame (N,) its number; spherical (N, 3) range [m], azimuth, elevation [deg].
    residual_mps (N,) Doppler over ground; NaN where the frame agrees on no ego velocity or stands.
    alone, sidelobe (N,) bool: no other point near; at the range and Doppler of a far stronger one, aside of it.
    """

    count: int
    points: np.ndarray
    frame: np.ndarray
    spherical: np.ndarray
    residual_mps: np.ndarray
    alone: np.ndarray
    sidelobe: np.ndarray

    def take(self, chosen: np.ndarray) -> "Frames":
        return replace(self, **{name: values[chosen] for name, values in vars(self).items() if name != "count"})

    @property
    def range_m(self) -> np.ndarray:
        return self.spherical[:, 0]

    @property
    def power_db(self) -> np.ndarray:
        return self.points[:, 4]

    def per_frame(self, weights: np.ndarray | None = None) -> np.ndarray:
        """(F,) points, or the sum of their weights, of each frame."""
        return np.bincount(self.frame, weights, self.count)

    def weakest_db(self) -> np.ndarray:
        """The power that one point in twenty lies below, of each frame with points."""
        order = np.argsort(self.frame, kind="stable")
        starts = np.flatnonzero(np.diff(self.frame[order], prepend=-1))
        return np.array([np.percentile(part, 5) for part in np.split(self.power_db[order], starts[1:])])


def gather(clouds: Sequence[np.ndarray], doppler: Doppler) -> Frames:
    """clouds: (N, 5) points of each frame in float64, some of which may have none."""
    parts = [_gathered(cloud, doppler) for cloud in clouds if len(cloud)]
    points, spherical, residual, alone, sidelobe = (np.concatenate(column) for column in zip(*parts, strict=True))
    frame = np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])
    return Frames(len(clouds), points, frame, spherical, residual, alone, sidelobe)


def _gathered(cloud: np.ndarray, doppler: Doppler) -> tuple[np.ndarray, ...]:
    spherical = to_spherical(cloud[:, :3]) * (1, 180 / np.pi, 180 / np.pi)
    fit = ego_motion.estimate(cloud, doppler)
    drives = fit is not None and np.linalg.norm(fit.velocity) > DRIVING_MPS
    residual = fit.residual_mps if fit is not None and drives else np.full(len(cloud), np.nan)
    return cloud, spherical, residual, _alone(cloud), _sidelobes(cloud, spherical)


def _alone(cloud: np.ndarray) -> np.ndarray:
    if len(cloud) < 2:
        return np.ones(len(cloud), bool)
    return np.asarray(cKDTree(cloud[:, :3]).query(cloud[:, :3], k=2)[0])[:, 1] > ALONE_M


def _sidelobes(cloud: np.ndarray, spherical: np.ndarray) -> np.ndarray:
    """(N,) bool: a far stronger point in the same cell of range and Doppler, at another azimuth."""
    cells = np.floor(np.column_stack([spherical[:, 0] / ALIKE_M, cloud[:, 3] / ALIKE_MPS])).astype(np.int64)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    strongest = np.zeros(int(cell.max(initial=-1)) + 1, np.int64)
    order = np.argsort(cloud[:, 4], kind="stable")
    strongest[cell[order]] = order  # the last one stays
    peak = strongest[cell]
    aside = np.abs(spherical[:, 1] - spherical[peak, 1]) > ASIDE_DEG
    return aside & (cloud[:, 4] < cloud[peak, 4] - WEAKER_DB)


@dataclass(frozen=True)
class View:
    """What both sides of a comparison are measured by: the range they end at, the height of the radar [m]."""

    range_m: float
    height_m: float


@dataclass(frozen=True)
class Quantity:
    """Of frames in a view a vector of numbers; `scale` is a difference that matters, `form` prints one of them."""

    measure: Callable[[Frames, View], np.ndarray]
    scale: float
    form: str


def floor_db(frames: Frames) -> float:
    """The weakest power that is reported, but for one point in a thousand."""
    return float(np.percentile(frames.power_db, 0.1))


def _count(frames: Frames, view: View) -> np.ndarray:
    return np.log(np.maximum(np.percentile(frames.per_frame(), (50,)), 0.5))


def _band(frames: Frames, view: View) -> np.ndarray:
    """(N,) the band of range each point is in."""
    return np.clip(frames.range_m / view.range_m * BANDS, 0, BANDS - 1).astype(int)


def _share_of_bands(frames: Frames, view: View) -> np.ndarray:
    return np.bincount(_band(frames, view), minlength=BANDS) / len(frames.points)


def _power(percent: float) -> Callable[[Frames, View], np.ndarray]:
    """(BANDS,) [dB] over the floor."""

    def measure(frames: Frames, view: View) -> np.ndarray:
        band, over_db = _band(frames, view), frames.power_db - floor_db(frames)
        return np.array([_percentile(over_db[band == i], percent) for i in range(BANDS)])

    return measure


def _azimuth(frames: Frames, view: View) -> np.ndarray:
    return np.percentile(np.abs(frames.spherical[:, 1]), (50, 90))


def _elevation(frames: Frames, view: View) -> np.ndarray:
    """(BANDS,) [deg] half of what 68 % lie within, from the nearest band to the farthest."""
    band, elevation_deg = _band(frames, view), frames.spherical[:, 2]
    return np.array([_half_width(elevation_deg[band == i]) for i in range(BANDS)])


def near_ground(frames: Frames, view: View) -> np.ndarray:
    """(N,) bool."""
    return (np.abs(frames.points[:, 2] + view.height_m) < GROUND_M) & (frames.range_m < NEAR_M)


def _ground_share(frames: Frames, view: View) -> np.ndarray:
    return _share(near_ground(frames, view))


def _below_ground(frames: Frames, view: View) -> np.ndarray:
    return _share((frames.points[:, 2] + view.height_m < -2 * GROUND_M) & (frames.range_m < NEAR_M))


def _alone_share(frames: Frames, view: View) -> np.ndarray:
    return _share(frames.alone)


def _sidelobe_share(frames: Frames, view: View) -> np.ndarray:
    return _share(frames.sidelobe)


def _doppler_noise(frames: Frames, view: View) -> np.ndarray:
    """[m/s] the median deviation of the half of the points that fit one ego velocity best; NaN where none drives."""
    residual_mps = np.abs(frames.residual_mps[np.isfinite(frames.residual_mps)])
    return np.array([_percentile(residual_mps, 25.0)])


def _share(of: np.ndarray) -> np.ndarray:
    return np.array([of.mean()])


def _percentile(values: np.ndarray, percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) >= MIN_POINTS else np.nan


def _half_width(values: np.ndarray) -> float:
    return (_percentile(values, 84.0) - _percentile(values, 16.0)) / 2


QUANTITIES = {
    "points per frame, log of the median": Quantity(_count, 0.05, ".2f"),
    "share of the points by range": Quantity(_share_of_bands, 0.04, ".2f"),
    "power over the floor by range, median [dB]": Quantity(_power(50), 1.0, ".1f"),
    "power over the floor by range, 90 % [dB]": Quantity(_power(90), 1.5, ".1f"),
    "distance from ahead, 50 and 90 % [deg]": Quantity(_azimuth, 2.0, ".0f"),
    "half width of elevation by range [deg]": Quantity(_elevation, 0.3, ".1f"),
    "share near the ground, within 25 m": Quantity(_ground_share, 0.01, ".3f"),
    "share below the ground, within 25 m": Quantity(_below_ground, 0.005, ".3f"),
    "share alone within 3 m": Quantity(_alone_share, 0.01, ".3f"),
    "share beside a stronger echo": Quantity(_sidelobe_share, 0.005, ".3f"),
    "Doppler over ground, 25 % [m/s]": Quantity(_doppler_noise, 0.003, ".3f"),
}


def summary(frames: Frames, view: View) -> dict[str, np.ndarray]:
    """Every quantity; NaN where too few points tell it."""
    return {name: quantity.measure(frames, view) for name, quantity in QUANTITIES.items()}


def difference(measured: dict[str, np.ndarray], simulated: dict[str, np.ndarray], left_out: set[str]) -> np.ndarray:
    """Of two summaries, in units of the scales, one behind the other; 0 where either does not tell."""
    parts = []
    for name, quantity in QUANTITIES.items():
        told = np.isfinite(measured[name]) & np.isfinite(simulated[name]) & (name not in left_out)
        apart = np.where(told, simulated[name], 0.0) - np.where(told, measured[name], 0.0)
        parts.append(apart / quantity.scale / np.sqrt(len(apart)))
    return np.concatenate(parts)


def lattice(values: np.ndarray) -> float | None:
    """The step between values that are whole multiples of one; None where they are not."""
    distinct = np.unique(np.round(values, 4))
    if len(distinct) < 3 or len(distinct) > len(values) / 4:
        return None
    steps = np.diff(distinct)
    step = float(np.median(steps))
    whole = np.abs(steps / step - np.round(steps / step)) < 0.1
    return step if whole.mean() > STEP_SHARE else None
