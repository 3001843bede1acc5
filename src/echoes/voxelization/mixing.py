"""Splits of frames that come from several sources: one is measured, the others are trained on in a given share."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from echoes.dataset.frames import UNPAIRED
from echoes.errors import InputError
from echoes.readers.catalog import CloudSource, SeveralSources
from echoes.readers.frames import Entry
from echoes.readers.splits import Split, assign


def assigned(entries: Sequence[Entry], source: CloudSource, split: Split) -> list[str]:
    """The split of each entry: "train", "val", "test", "unpaired" or "purged".

    Of several sources the frames of the measured one are split, all of its training frames are kept, and for each of
    these there are weights[name] / weights[measured] frames of every other source, evenly spaced; the rest of those is
    purged. Raises InputError for a source that has fewer.
    """
    return _mixed(entries, source, split) if isinstance(source, SeveralSources) else assign(entries, split)


def _mixed(entries: Sequence[Entry], source: SeveralSources, split: Split) -> list[str]:
    names = np.array([source.name_of(entry) for entry in entries])
    splits: np.ndarray = np.full(len(entries), "purged", dtype="<U8")
    measured = np.flatnonzero(names == source.measured).tolist()
    splits[measured] = assign([entries[i] for i in measured], split)
    trained = Counter(splits[measured].tolist())["train"]
    for name in (each for each in source.sources if each != source.measured):
        found = np.flatnonzero(names == name)
        wanted = round(trained * source.weights[name] / source.weights[source.measured])
        if not 1 <= wanted <= len(found):
            most = len(found) * source.weights[source.measured] / trained
            raise InputError(
                f"source.weights.{name}: expected at most {most:.3g} and enough for a frame, for {len(found)} frames "
                f"beside {trained} of {source.measured}, got {source.weights[name]:g}"
            )
        evenly = found[np.linspace(0, len(found) - 1, wanted).round().astype(int)]
        splits[evenly] = UNPAIRED if name in source.unpaired else "train"
    return splits.tolist()
