"""Traits of micro-Doppler recordings -> the lines of a report, and warnings where they are not sane.

Whether I and Q are swapped is not among them: a recording mirrored in velocity is as good a recording. The report tells
which share of the power approaches, label by label, and whoever was there knows whether that is true.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.signal import get_window

from echoes.judging.found import Findings
from echoes.judging.signals import Traits
from echoes.rasters.spectrograms import WHOLE, CropLayout, Layout, StftParams
from echoes.readers.recordings import RecordingEntry

CLIPPED = 1e-3  # share of the samples
IMAGE_DB = -25.0  # as of gains that differ by 1 dB, or 5 degrees more or less than 90
FOLDED = 0.01  # share of the windows with motion
MANY = 0.2  # share of the recordings: what their receiver does shows in more than one
DARK = 0.25  # of the range of a picture, which 12 bits of 16 (.06), or 7 of 8 (.5), do not fill
CELLS = 2.0  # cells of velocity that a constant offset may fill
BINS = 4096  # of a window's transform
MOST_TOLD = 3  # recordings, or labels, in a line

# Name -> what it says of recordings. `<track>.inspect.stop_at` takes these names.
FINDINGS = {
    "short_recordings": "recordings are shorter than a crop, and left out",
    "single_recording": "labels have one recording each, which a classifier may know them by",
    "duplicates": "recordings are the same",
    "constant_channel": "I, Q, or all of a recording, never changes",
    "one_channel": "I and Q are the same, so that velocities have no sign",
    "clipped": "samples lie at the limits of what could be stored",
    "dc_offset": "a constant offset fills velocities beyond the notch",
    "iq_imbalance": "I and Q differ in gain, or are not 90 degrees apart: what moves has a mirror image",
    "folded_velocity": "what moves is faster than the rate of the samples tells",
    "dark_pictures": "pictures use a small part of their range",
}

Told = tuple[RecordingEntry, Traits]


def findings(recorded: Sequence[RecordingEntry], traits: Mapping[str, Traits], layout: Layout) -> Findings:
    """recorded: all recordings; traits: by key, of those that were read; layout: the grid that they are to fill."""
    found = Findings(FINDINGS)
    told = [(one, traits[one.key]) for one in recorded if one.key in traits]
    _recordings(recorded, layout, found)
    _duplicates(told, found)
    _channels(told, found)
    _limits(told, found)
    _offset(told, layout, found)
    _motion(told, found)
    _pictures(told, found)
    return found


def _recordings(recorded: Sequence[RecordingEntry], layout: Layout, found: Findings) -> None:
    labels: dict[str, list[RecordingEntry]] = defaultdict(list)
    for one in recorded:
        labels[label(one)].append(one)
    counts = [len(of_label) for of_label in labels.values()]
    found.say("recordings", f"{len(recorded)} of {len(labels)} labels, {min(counts)} to {max(counts)} of each")
    if isinstance(layout, CropLayout):
        durations_s = np.array([one.duration_s for one in recorded])
        spread = f"{np.median(durations_s):.2f} s (median), {durations_s.min():.2f} to {durations_s.max():.2f} s"
        found.say("duration", f"{spread}; a crop has {layout.time.stop:g} s")
        short = [one for one in recorded if is_short(one, layout)]
        if short:
            shown = _shown([f"{one.key} ({one.duration_s:.3f} s)" for one in short])
            text = (
                f"{len(short)} of {len(recorded)} recordings are shorter than a crop of {layout.time.stop:g} s: {shown}"
            )
            found.warn("short_recordings", text)
    if single := [name for name, of_label in labels.items() if len(of_label) == 1]:
        text = f"{len(single)} of {len(labels)} labels have one recording only: {_shown(single)}"
        found.warn("single_recording", f"{text}; what is known of it may be the recording, not the label")


def _duplicates(told: Sequence[Told], found: Findings) -> None:
    same: dict[str, list[RecordingEntry]] = defaultdict(list)
    for one, traits in told:
        if not traits.constant:
            same[traits.digest].append(one)
    groups = [group for group in same.values() if len(group) > 1]
    if groups:
        shown = _shown([" = ".join(one.key for one in group[:MOST_TOLD]) for group in groups])
        more = sum(map(len, groups)) - len(groups)
        found.warn("duplicates", f"{more} of {len(told)} recordings are those of another name: {shown}")


def _channels(told: Sequence[Told], found: Findings) -> None:
    if still := [f"{one.key} ({traits.constant})" for one, traits in told if traits.constant]:
        found.warn("constant_channel", f"{len(still)} of {len(told)} recordings never change: {_shown(still)}")
    if alike := [one.key for one, traits in told if traits.one_channel]:
        text = f"I and Q are one channel in {len(alike)} of {len(told)} recordings: {_shown(alike)}"
        found.warn("one_channel", f"{text}; their velocities have no sign")


def _limits(told: Sequence[Told], found: Findings) -> None:
    shares = {one.key: traits.clipped for one, traits in told if traits.clipped is not None}
    if not shares:
        return
    found.say(
        "clipped", f"{np.median(list(shares.values())):.2%} of the samples (median), {max(shares.values()):.2%} at most"
    )
    if clipped := {key: share for key, share in shares.items() if share > CLIPPED}:
        shown = _shown([f"{key} ({share:.1%})" for key, share in sorted(clipped.items(), key=lambda each: -each[1])])
        text = f"samples lie at the limits of what was stored in {len(clipped)} of {len(told)} recordings: {shown}"
        found.warn("clipped", f"{text}; they make harmonics, velocities that nothing has")


def _offset(told: Sequence[Told], layout: Layout, found: Findings) -> None:
    offsets_db = [traits.offset_db for _, traits in told if traits.offset_db is not None]
    if not offsets_db:
        return
    found.say("offset", f"{np.median(offsets_db):+.1f} dB over what changes (median)")
    if not isinstance(layout, StftParams):
        return
    filled = {
        one.key: reach
        for one, traits in told
        if traits.offset_db is not None and traits.wavelength_m is not None
        for reach in [filled_mps(traits.offset_db, traits.wavelength_m, layout)]
        if reach > max(layout.notch_mps, CELLS * layout.axes()[0].step)
    }
    if len(filled) > MANY * len(offsets_db):
        worst = max(filled, key=lambda key: filled[key])
        text = f"a constant offset is as loud as what moves up to {filled[worst]:.2f} m/s ({worst})"
        found.warn("dc_offset", f"{text}; notch_mps = {layout.notch_mps:g} lets it through")


def filled_mps(offset_db: float, wavelength_m: float, layout: StftParams) -> float:
    """The velocity up to which windows make an offset as loud as all that changes; 0 for a faint one."""
    taps = get_window(layout.window, BINS // 32)
    spectrum = np.abs(np.fft.rfft(taps, BINS)) / taps.sum()
    loud = np.flatnonzero(20 * np.log10(np.maximum(spectrum, 1e-12)) + offset_db > 0)
    return float(loud.max(initial=0)) / 32 / layout.window_s * wavelength_m / 2


def _motion(told: Sequence[Told], found: Findings) -> None:
    approaching: dict[str, list[float]] = defaultdict(list)
    for one, traits in told:
        if traits.approaching is not None:
            approaching[one.labels[list(one.labels)[-1]]].append(traits.approaching)
    shown = ", ".join(f"{name} {np.median(shares):.0%}" for name, shares in sorted(approaching.items()))
    if shown:
        found.say("approaching", f"of the power of what moves, median: {shown}")
    images = [traits.image_db for _, traits in told if traits.image_db is not None]
    if images:
        found.say("I and Q", f"mirror image {np.median(images):.0f} dB (median of {len(images)} recordings that tell)")
        strong = [image_db for image_db in images if image_db > IMAGE_DB]
        if len(strong) > MANY * len(images):
            text = f"what moves has a mirror image {-np.median(strong):.0f} dB below it"
            found.warn("iq_imbalance", f"{text} in {len(strong)} recordings: I and Q differ in gain or phase")
    folded = [(one.key, traits.folded) for one, traits in told if traits.folded is not None and traits.folded > FOLDED]
    if folded:
        shown = _shown(
            [f"{key} ({share:.0%} of the windows)" for key, share in sorted(folded, key=lambda each: -each[1])]
        )
        text = f"velocities fold over from one end to the other in {len(folded)} of {len(told)} recordings: {shown}"
        found.warn("folded_velocity", f"{text}; is the rate of the samples right, and high enough?")


def _pictures(told: Sequence[Told], found: Findings) -> None:
    largest = [traits.largest for _, traits in told if traits.largest is not None]
    if not largest:
        return
    found.say("pictures", f"the largest value is {max(largest):.3f} of 1")
    if 0 < max(largest) < DARK:
        text = f"no value is above {max(largest):.3f} of 1; are these {_bits(max(largest))}"
        found.warn("dark_pictures", f"pictures: {text}?")


def _bits(largest: float) -> str:
    fewer = int(np.floor(-np.log2(largest)))
    return f"{16 - fewer} bits stored as 16, or {8 - fewer} as 8"


def is_short(one: RecordingEntry, layout: Layout) -> bool:
    """Whether a recording has not even one crop."""
    return isinstance(layout, CropLayout) and (one.duration_s - layout.time.stop) / layout.hop_s < -WHOLE


def label(one: RecordingEntry) -> str:
    """Of all kinds together, such as 1/walk."""
    return "/".join(one.labels.values())


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return f"{', '.join(names[:MOST_TOLD])}{more}"
