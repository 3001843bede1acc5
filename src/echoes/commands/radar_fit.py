"""The radar of a scenario -> one whose frames measure like those of a recording.

What shows directly is read off (`read_off`), the rest is found by simulating: Gauss-Newton with a robust loss on the
differences of summaries, from the same streets and the same random numbers at every try.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from echoes import seeds
from echoes.commands import radar_summary
from echoes.commands.radar_summary import Frames, View
from echoes.readers.ego_motion import Doppler
from echoes.readers.street import radar as sensor
from echoes.readers.street import scene
from echoes.readers.street.scatterers import Scatterers
from echoes.readers.street.scenario import MAX_SPREAD, Radar, Scenario, Span, Spread
from echoes.readers.street.shapes import Shapes

STREETS = 32  # that are simulated, one frame of each
ROUNDS = 5  # of Gauss-Newton
LONGEST = 4.0  # steps of a knob in a round
DAMPINGS = (0.0, 0.3, 3.0)  # of Levenberg and Marquardt, all of which are tried
SETTLED = 0.01  # a round that gains less is the last
BEYOND = 3.0  # scales: a larger difference, such as one that no radar explains, counts linearly
HOLD = 0.25  # how much a step from the scenario's value costs: what no quantity tells stays
SEED = 0
LOUDER_DB, MIN_PER_DB, MAX_DB = 2.0, 0.02, 6.0
EDGE = 0.1  # percent of the points that may lie outside of a field of view
FLAT_DEG, FLAT_DB = 0.5, 0.5  # what varies less is not measured
RISEN_DB = 3.0
BOTH_ENDS = 0.03  # a Doppler that ends as far below 0 as above, by this share, repeats there


@dataclass(frozen=True)
class Knob:
    """Parameters of the radar that are turned together (in proportion), by their paths in its section.

    step       a turn that shows: added, or of the natural logarithm where `ratio`
    low, high  bounds of the first one
    against    paths from which is taken what is added to the others
    """

    paths: tuple[str, ...]
    step: float
    low: float
    high: float
    ratio: bool = True
    against: tuple[str, ...] = ()


KNOBS = (
    Knob(("power_at_1m_db",), 2.0, -250.0, 250.0, ratio=False),
    # the weakest power that is reported, the sum of the two, shows directly
    Knob(("detection_snr_db",), 2.0, 3.0, 25.0, ratio=False, against=("noise_power_db",)),
    Knob(("sensitivity_control_range_m",), 0.2, 1.0, 200.0),
    Knob(("beam_azimuth_deg",), 0.15, 5.0, 200.0),
    Knob(("beam_elevation_deg",), 0.15, 0.5, 80.0),
    Knob(("elevation_noise_deg",), 0.4, 0.02, 10.0),
    Knob(("azimuth_resolution_deg", "elevation_resolution_deg"), 0.3, 0.5, 15.0),
    Knob(("doppler_noise_mps",), 0.3, 0.002, 2.0),
    Knob(("ghosts.ground_loss_db",), 2.0, 0.0, 40.0, ratio=False),
    Knob(("ghosts.sidelobes_per_peak",), 0.4, 0.02, 10.0),
    Knob(("clutter.ground_returns",), 0.3, 5.0, 5000.0),
    Knob(("clutter.false_alarms",), 0.4, 0.2, 5000.0),
)


def get(radar: Radar, path: str) -> Any:
    return reduce(getattr, path.split("."), radar)


def put(radar: Any, path: str, value: Any) -> Any:
    """A copy of the radar with `value` at a path such as clutter.false_alarms."""
    name, _, rest = path.partition(".")
    return replace(radar, **{name: put(getattr(radar, name), rest, value) if rest else value})


def turned(radar: Radar, knobs: Sequence[Knob], steps: np.ndarray) -> Radar:
    """The radar with every knob turned by its number of steps, up to its bounds."""
    for knob, count in zip(knobs, steps, strict=True):
        first, *others = knob.paths
        value = get(radar, first)
        moved = max(value, knob.low) * np.exp(knob.step * count) if knob.ratio else value + knob.step * count
        bounded = float(np.clip(moved, min(knob.low, value), max(knob.high, value)))
        radar = put(radar, first, bounded)
        for other in others:
            radar = put(radar, other, get(radar, other) * bounded / value)
        for other in knob.against:
            radar = put(radar, other, get(radar, other) - (bounded - value))
    return radar


@dataclass(frozen=True)
class Moment:
    """A street as the radar meets it."""

    shapes: Shapes
    scatterers: Scatterers
    walls: np.ndarray
    ego_velocity: np.ndarray


def moments(street: Scenario, count: int) -> list[Moment]:
    found = []
    for sequence in range(count):
        around = scene.generate(street, SEED, sequence)
        shapes = around.shapes(0.0, street.radar.height_m)
        walls = np.flatnonzero(shapes.material == scene.FACADE)
        found.append(Moment(shapes, around.scatterers, walls, around.ego_velocity(0.0)))
    return found


def simulated(street: Scenario, met: Sequence[Moment], radar: Radar, doppler: Doppler) -> Frames:
    """What `radar` reports of the streets: the same numbers for the same radar."""
    clouds = [
        sensor.scan(
            m.shapes,
            m.scatterers,
            street.materials,
            m.walls,
            m.ego_velocity,
            radar,
            seeds.rng(SEED, "calibrate", i),
        ).astype(float)
        for i, m in enumerate(met)
    ]
    return radar_summary.gather(clouds, replace(doppler, span_mps=2 * radar.max_doppler_mps))


@dataclass(frozen=True)
class Reading:
    """The radar with what was read off, what must not be fitted, and what to tell about it."""

    radar: Radar
    left_out: set[str]  # quantities
    fixed: set[str]  # paths
    notes: list[str]


def read_off(frames: Frames, radar: Radar, doppler: Doppler) -> Reading:
    """Field of view, range, Doppler span, steps and the weakest power: what quantiles show."""
    range_m, azimuth_deg, elevation_deg = frames.spherical.T
    reading = Reading(radar, set(), set(), [])
    radar = replace(radar, range_m=_extent(range_m, 0.01), azimuth_deg=_extent(azimuth_deg, 0.1))
    radar = _with_elevation(radar, elevation_deg, reading)
    radar = _with_doppler(radar, frames.points[:, 3], doppler, reading)
    radar = _with_power(radar, frames, reading)
    if not np.isfinite(frames.residual_mps).any():
        reading.fixed.add("doppler_noise_mps")
        reading.notes.append("doppler_noise_mps: in no frame does the radar drive so that its Doppler shows it")
    return replace(reading, radar=_with_steps(radar, range_m, reading))


def _extent(values: np.ndarray, digit: float) -> Span:
    low, high = np.percentile(values, (EDGE, 100 - EDGE))
    return float(np.round(np.floor(low / digit) * digit, 3)), float(np.round(np.ceil(high / digit) * digit, 3))


def _with_elevation(radar: Radar, elevation_deg: np.ndarray, reading: Reading) -> Radar:
    low, high = _extent(elevation_deg, 0.1)
    if high - low < FLAT_DEG:
        reading.fixed.update(("beam_elevation_deg", "elevation_noise_deg", "ghosts.ground_loss_db"))
        reading.left_out.update(name for name in radar_summary.QUANTITIES if "elevation" in name or "ground," in name)
        reading.notes.append("elevation: the recording measures none, and all of it stays as in the scenario")
        return radar
    middle = float(np.median(elevation_deg))
    if abs(middle) > 1:
        reading.notes.append(
            f"tilt: the median elevation is {middle:.1f} deg; the radar of a street is mounted level, with no parameter"
        )
    return replace(radar, elevation_deg=(low, high))


def _with_doppler(radar: Radar, doppler_mps: np.ndarray, doppler: Doppler, reading: Reading) -> Radar:
    low, high = float(doppler_mps.min()), float(doppler_mps.max())
    step = radar_summary.lattice(doppler_mps)
    if step is not None:
        radar = replace(radar, doppler_resolution_mps=round(step, 4))
    else:
        reading.notes.append("doppler_resolution_mps: the recorded Doppler has no steps, and it stays as it was")
    if doppler.span_mps is not None:
        return replace(radar, max_doppler_mps=doppler.span_mps / 2)
    if abs(high + low) < BOTH_ENDS * (high - low):
        return replace(radar, max_doppler_mps=round((high - low) / 2, 2))
    reading.notes.append(
        f"max_doppler_mps: Doppler of {low:.1f} to {high:.1f} m/s does not show where it repeats, and the source's "
        f"doppler.span_mps does not say"
    )
    return replace(radar, max_doppler_mps=max(radar.max_doppler_mps, -low, high))


def _with_power(radar: Radar, frames: Frames, reading: Reading) -> Radar:
    low, high = np.percentile(frames.power_db, (1, 99))
    if high - low < FLAT_DB:
        reading.left_out.update(name for name in radar_summary.QUANTITIES if "power" in name)
        reading.fixed.update(("sensitivity_control_range_m", "ghosts.sidelobes_per_peak"))
        reading.notes.append("power: the recording tells none, and what only power shows stays as in the scenario")
        return radar
    floor_db = radar_summary.floor_db(frames)
    risen_db = _floor_rises_db(frames)
    if abs(risen_db) > RISEN_DB:
        reading.notes.append(
            f"floor: the weakest power of the farthest fifth of the points lies {risen_db:.1f} dB from that of the "
            f"nearest; a street has one floor"
        )
    noise_db = round(floor_db - radar.detection_snr_db, 2)
    moved_db = noise_db - radar.noise_power_db
    return replace(radar, noise_power_db=noise_db, power_at_1m_db=round(radar.power_at_1m_db + moved_db, 2))


def _floor_rises_db(frames: Frames) -> float:
    near_m, far_m = np.percentile(frames.range_m, (20, 80))
    parts = (frames.power_db[frames.range_m >= far_m], frames.power_db[frames.range_m <= near_m])
    far_db, near_db = (float(np.percentile(part, 1)) for part in parts)
    return far_db - near_db


def _with_steps(radar: Radar, range_m: np.ndarray, reading: Reading) -> Radar:
    step = radar_summary.lattice(range_m)
    if step is not None and step > radar.range_resolution_m:
        return replace(radar, range_resolution_m=round(step, 4))
    told = "has no steps" if step is None else f"comes in steps of {step:.3f} m, which a resolution may exceed"
    reading.notes.append(f"range_resolution_m: the recorded range {told}, and it stays as it was")
    return radar


@dataclass(frozen=True)
class Fit:
    """The fitted radar, the knobs that moved it, and how many steps of each (K,) the differences leave open."""

    radar: Radar
    knobs: list[Knob]
    uncertainty: np.ndarray


def fit(
    measured: Frames,
    street: Scenario,
    reading: Reading,
    met: Sequence[Moment],
    doppler: Doppler,
    tick: Callable[[], object],
) -> Fit:
    """Turn the knobs until the simulated frames measure like the recorded ones; `tick` is called at every try."""
    view = View(reading.radar.range_m[1], reading.radar.height_m)
    wanted = radar_summary.summary(measured, view)
    knobs = [knob for knob in KNOBS if not reading.fixed & set(knob.paths)]

    def apart(steps: np.ndarray) -> np.ndarray:
        radar = turned(reading.radar, knobs, steps)
        frames = simulated(street, met, radar, doppler)
        tick()
        return np.concatenate(
            [radar_summary.difference(wanted, radar_summary.summary(frames, view), reading.left_out), HOLD * steps]
        )

    steps, slope = minimised(apart, len(knobs))
    return Fit(turned(reading.radar, knobs, steps), knobs, np.sqrt(np.diag(np.linalg.inv(slope.T @ slope))))


def minimised(apart: Callable[[np.ndarray], np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Newton from 0 (size,): where the differences (M,) are smallest, and their slopes there.

    Differences count by the pseudo-Huber loss. A solver of a library takes small first steps and small differences for
    slopes; here a try costs half a second and its noise asks for slopes over whole steps.
    """
    at = np.zeros(size)
    here = apart(at)
    slope = np.zeros((len(here), size))
    for _ in range(ROUNDS):
        slope = np.stack([apart(at + one) - here for one in np.eye(size)], axis=1)
        weighted = slope / np.sqrt(1 + (here / BEYOND) ** 2)[:, None]
        curvature = slope.T @ weighted
        moves = [np.linalg.solve(curvature + d * np.diag(np.diag(curvature)), -weighted.T @ here) for d in DAMPINGS]
        candidates = [(at + m, apart(at + m)) for m in np.clip(moves, -LONGEST, LONGEST)]
        best = min(candidates, key=lambda candidate: loss(candidate[1]))
        if loss(best[1]) > (1 - SETTLED) * loss(here):
            break
        at, here = best
    return at, slope


def loss(differences: np.ndarray) -> float:
    return float((np.sqrt(1 + (differences / BEYOND) ** 2) - 1).sum())


def spread(measured: Frames, fitted: Frames, louder: Frames, view: View) -> Spread:
    """How far radars should differ around the fitted one: by what the fit leaves, and what varies more than in streets.

    louder  frames of the fitted radar with LOUDER_DB more power: what a decibel does to the number of points.
    """
    per_db = abs(float(np.mean(_log(louder.per_frame()) - _log(fitted.per_frame())))) / LOUDER_DB
    points = _left(_log(measured.per_frame()), _log(fitted.per_frame()))
    ground = _left(*(_log(frames.per_frame(radar_summary.near_ground(frames, view))) for frames in (measured, fitted)))
    alone = _left(*(_log(frames.per_frame(frames.alone)) for frames in (measured, fitted)))
    floors = [frames.weakest_db() for frames in (measured, fitted)]
    return Spread(
        power_at_1m_db=_rounded(points / max(per_db, MIN_PER_DB), MAX_DB),
        noise_power_db=_rounded(_excess(*floors), MAX_DB),
        ground_returns=_rounded(ground, MAX_SPREAD),
        false_alarms=_rounded(alone, MAX_SPREAD),
    )


def _log(counts: np.ndarray) -> np.ndarray:
    return np.log(counts + 1.0)


def _left(measured: np.ndarray, fitted: np.ndarray) -> float:
    return float(np.hypot(np.median(measured) - np.median(fitted), _excess(measured, fitted)))


def _excess(measured: np.ndarray, fitted: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, measured.var() - fitted.var())))


def _rounded(value: float, most: float) -> float:
    return round(min(value, most), 2)
