"""grids.zarr of waves."""

import numpy as np

from echoes.arrays import Reader
from echoes.dataset.frames import SPLITS, split_numbers


class Waves:
    family, rank, channels = "waves", 1, 1

    def __init__(self, path):
        self._reader = Reader(path, "grids")
        self.path, self.header = path, self._reader.header
        self._split, self._waves, self._shapes = split_numbers(self._reader), *map(self._reader.all, ("wave", "shape"))

    def __len__(self):
        return len(self._split)

    @property
    def shape(self):
        return self._waves.shape[2:]

    @property
    def metadata(self):
        return {name: self.header.content[name] for name in ("family", "axes", "kinds", "labels")}

    def require_mirror(self, section, mirror):
        """Any wave may be mirrored."""

    def frames(self, split):
        return np.flatnonzero(self._split == SPLITS.index(split))

    def targets(self):
        return self.frames("train")

    def target_batch(self, frames):
        return self._waves[np.asarray(frames)]

    def labels(self, frames):
        return self._shapes[np.asarray(frames)].astype(np.int64)[:, None]
