"""Why frames of radar clouds became no pairs, which is told where a split is left without any."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from echoes.dataset.frames import SPLITS, evenly_spaced
from echoes.errors import InputError
from echoes.readers import ego_motion
from echoes.readers.catalog import CloudSource, sensor_of
from echoes.readers.frames import Entry, Frame

TRIED = 8  # frames that are read again to tell why


def require_frames(
    kept: Mapping[str, int],
    skipped: Mapping[str, Sequence[Entry]],
    read: Callable[[Path, Any, Entry], Frame],
    root: Path,
    source: CloudSource,
) -> None:
    """Raises InputError with the cause for a split all of whose frames were skipped; kept: frames of each split."""
    for split in SPLITS:
        entries = list(dict.fromkeys(skipped.get(split, ())))  # copies of a frame are skipped with it
        if entries and not kept[split]:
            tried = [entries[i] for i in evenly_spaced(np.arange(len(entries)), TRIED)]
            reasons = Counter(_reason(read(root, source, entry), sensor_of(source, entry)) for entry in tried)
            told = ", ".join(f"{count} of {len(tried)} {reason}" for reason, count in reasons.most_common())
            raise InputError(f"split: expected frames in {split}, got none: of its {len(entries)} frames {told}")


def _reason(frame: Frame, source: CloudSource) -> str:
    if len(frame.radar) == 0:
        return "have no radar points"
    if frame.target is not None and len(frame.target) == 0:
        return "have no LiDAR points"
    if source.ego_motion == "estimated" and ego_motion.estimate(frame.radar, source.doppler) is None:
        return "have points whose Doppler agrees on no ego velocity (source.doppler; `echoes inspect` shows it)"
    return "have nothing inside the grid"
