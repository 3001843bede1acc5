"""Command calibrate: the scenario of a street whose radar measures like that of a recording."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from echoes import files
from echoes.commands import radar_fit, radar_summary, yaml_text
from echoes.commands.radar_fit import KNOBS, Fit, Reading, get
from echoes.commands.radar_summary import QUANTITIES, Frames, View
from echoes.commands.sources import listed, workers
from echoes.compute.parallel import ordered
from echoes.errors import InputError
from echoes.readers.catalog import READERS
from echoes.readers.frames import Entry
from echoes.readers.street import scenario
from echoes.readers.street.scenario import Radar

MIN_POINTS = 500
DIFFERS = 4.0  # scales of a quantity: what is left is told
OPEN = 0.6  # of the uncertainty of a parameter that no quantity tells
READ_OFF = (
    "range_m",
    "azimuth_deg",
    "elevation_deg",
    "range_resolution_m",
    "doppler_resolution_mps",
    "max_doppler_mps",
    "noise_power_db",
)
WRITTEN = tuple(dict.fromkeys([*READ_OFF, *(path for knob in KNOBS for path in knob.paths)]))
NEVER = {
    "height_m": "the frames do not tell how high the radar is mounted; ground is measured with the scenario's",
    "range_noise_m, azimuth_noise_deg": "they need targets at known places",
    "ghosts.facade_loss_db, sidelobe_level_db, sidelobe_spread_deg": "no quantity tells them from what stands around",
    "clutter.ground_range_m, ground_rcs_*, false_alarm_mean_excess_db": "they act like the numbers beside them",
}


@dataclass(frozen=True)
class Sides:
    """The recording and the street, with the radar of before and after."""

    recording: Frames
    before: Frames
    after: Frames
    view: View

    def each(self) -> tuple[Frames, ...]:
        return self.recording, self.before, self.after


def calibrate(root: Path, source: Any, path: Path, most: int, output: Path, overwrite: bool) -> str:
    """Fit the radar of the scenario at `path` to at most `most` frames of a recording and write it to `output`.

    Raises InputError, and writes nothing, for what cannot be read, has hardly a point, or must not be replaced.
    """
    _check_output(output, overwrite)
    street = scenario.at(path)
    if alias := yaml_text.alias(path.read_text(encoding="utf-8")):
        raise InputError(f"{path}: expected every number written out, got one that stands for another (*{alias})")
    recorded = _recorded(root, source, most)
    reading = radar_fit.read_off(recorded, street.radar, source.doppler)
    met = radar_fit.moments(street, radar_fit.STREETS)
    with tqdm(desc="calibrate", unit=" tries", mininterval=1.0) as bar:
        found = radar_fit.fit(recorded, street, reading, met, source.doppler, bar.update)
    fitted = rounded(found.radar)
    louder = replace(fitted, power_at_1m_db=fitted.power_at_1m_db + radar_fit.LOUDER_DB)
    before, after, more = (
        radar_fit.simulated(street, met, radar, source.doppler) for radar in (street.radar, fitted, louder)
    )
    sides = Sides(recorded, before, after, View(fitted.range_m[1], fitted.height_m))
    fitted = replace(fitted, spread=radar_fit.spread(recorded, after, more, sides.view))
    _write(path, street.radar, fitted, root.resolve().name, output)
    return "\n\n".join(
        [
            f"{root}: reader {source.reader}, {recorded.count} frames; {len(met)} frames of {path}",
            quantities(sides),
            parameters(street.radar, fitted),
            "\n".join(["not fitted, or not well:", *(f"- {note}" for note in notes(reading, found, sides))]),
            f"scenario with the fitted radar: {output}; the reader simulated takes it as {scenario.FILE} of its folder",
        ]
    )


def _check_output(output: Path, overwrite: bool) -> None:
    if output.is_dir():
        raise InputError(f"{output}: expected a file to write to, got a folder")
    if output.exists() and not overwrite:
        raise InputError(f"{output}: expected no such file yet, got one; --overwrite replaces it")


def _recorded(root: Path, source: Any, most: int) -> Frames:
    entries = listed(root, source)
    chosen = [entries[i] for i in np.linspace(0, len(entries) - 1, min(most, len(entries))).round().astype(int)]
    work = partial(_cloud, root, source)
    clouds = list(tqdm(ordered(work, chosen, workers()), "read", len(chosen), mininterval=1.0))
    if (count := sum(map(len, clouds))) < MIN_POINTS:
        raise InputError(
            f"{root}: expected at least {MIN_POINTS} radar points to measure, got {count} in {len(clouds)} frames"
        )
    return radar_summary.gather(clouds, source.doppler)


def _cloud(root: Path, source: Any, entry: Entry) -> np.ndarray:
    radar: np.ndarray = READERS[source.reader].read(root, source, entry).radar
    return radar.astype(np.float64)


def rounded(radar: Radar) -> Radar:
    """With four digits in what was fitted."""
    for knob in KNOBS:
        for path in (*knob.paths, *knob.against):
            radar = radar_fit.put(radar, path, float(f"{get(radar, path):.4g}"))
    return radar


def _write(path: Path, before: Radar, radar: Radar, recording: str, output: Path) -> None:
    """The text of the scenario with other numbers, its comments and its layout."""
    text = path.read_text(encoding="utf-8")
    values = {f"radar.{name}": get(radar, name) for name in WRITTEN}
    spread = vars(radar.spread)
    if before.spread is not None:
        values |= {f"radar.spread.{name}": value for name, value in spread.items()}
    elif yaml_text.has(text, "radar.spread"):
        values["radar.spread"] = spread
    else:
        text = yaml_text.with_key(text, "radar", "spread", spread)
    with files.replacing(output) as temporary:
        remark = f"# The radar was fitted to {files.safe_name(recording)} by `echoes calibrate`."
        temporary.write_text(f"{remark}\n{yaml_text.with_values(text, values)}", encoding="utf-8")
        assert scenario.at(temporary).radar == radar


def quantities(sides: Sides) -> str:
    rows: list[tuple[str, ...]] = [("quantity", "recording", "street before", "street after")]
    rows += [(name, *(measure(f) for f in sides.each())) for name, measure in DIRECT.items()]
    told = [radar_summary.summary(frames, sides.view) for frames in sides.each()]
    for name, quantity in QUANTITIES.items():
        rows.append((name, *(" / ".join(format(v, quantity.form) for v in each[name]) for each in told)))
    return table(rows)


def parameters(before: Radar, after: Radar) -> str:
    rows: list[tuple[str, ...]] = [("parameter of the radar", "before", "after", "spread between sequences")]
    for path in WRITTEN:
        spread = vars(after.spread).get(path.split(".")[-1]) if after.spread else None
        rows.append(
            (path, *(yaml_text.flow(get(r, path)) for r in (before, after)), "" if spread is None else f"{spread:g}")
        )
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _percentiles(values: np.ndarray, percents: tuple[float, ...], form: str) -> str:
    return " / ".join(format(v, form) for v in np.percentile(values, percents))


DIRECT = {
    "points per frame, 5 / 50 / 95 %": lambda f: _percentiles(f.per_frame(), (5, 50, 95), ".0f"),
    "range, .1 / 50 / 99.9 % [m]": lambda f: _percentiles(f.range_m, (0.1, 50, 99.9), ".1f"),
    "azimuth, .1 / 50 / 99.9 % [deg]": lambda f: _percentiles(f.spherical[:, 1], (0.1, 50, 99.9), ".1f"),
    "elevation, .1 / 50 / 99.9 % [deg]": lambda f: _percentiles(f.spherical[:, 2], (0.1, 50, 99.9), ".1f"),
    "Doppler, .1 / 50 / 99.9 % [m/s]": lambda f: _percentiles(f.points[:, 3], (0.1, 50, 99.9), ".1f"),
    "power, .1 / 50 / 99.9 % [dB]": lambda f: _percentiles(f.power_db, (0.1, 50, 99.9), ".1f"),
}


def notes(reading: Reading, found: Fit, sides: Sides) -> list[str]:
    """A line for each parameter or quantity that is not as in the recording, and why."""
    known = [f"{name}: {why}" for name, why in NEVER.items()]
    return [*reading.notes, *_loose(found), *known, *_apart(reading, sides)]


def _loose(found: Fit) -> list[str]:
    lines = []
    for knob, left in zip(found.knobs, found.uncertainty, strict=True):
        name, value = " with ".join(knob.paths), get(found.radar, knob.paths[0])
        if value in (knob.low, knob.high):
            lines.append(f"{name}: ends at {value:g}, the last value that is tried")
        elif left > OPEN / radar_fit.HOLD:
            lines.append(f"{name}: the recording hardly tells it; {value:.3g} is one of many that would do")
    return lines


def _apart(reading: Reading, sides: Sides) -> list[str]:
    recorded, _, after = (radar_summary.summary(frames, sides.view) for frames in sides.each())
    lines = []
    for name, quantity in QUANTITIES.items():
        apart = np.abs(recorded[name] - after[name]) / quantity.scale
        if name not in reading.left_out and (apart[np.isfinite(apart)] > DIFFERS).any():
            lines.append(
                f"{name}: still differs; the rest lies in the street (what stands there, of what), not its radar"
            )
    return lines
