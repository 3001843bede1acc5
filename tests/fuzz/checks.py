"""What a result of a reader must be, as its docstring says."""

from itertools import pairwise
from typing import Any

import numpy as np

from echoes.readers.frames import Entry, Frame
from echoes.readers.recordings import Picture, RecordingEntry, Returns, Signal


def finite(array: Any, shape: tuple[int | None, ...], *kinds: Any) -> None:
    """An array of that shape (None: any size), of one of the dtypes, without NaN and infinities."""
    assert isinstance(array, np.ndarray), type(array)
    assert len(array.shape) == len(shape), array.shape
    assert all(want in (None, size) for want, size in zip(shape, array.shape, strict=True)), array.shape
    assert array.dtype in kinds, array.dtype
    assert np.isfinite(array).all(), array[~np.isfinite(array)][:3]


def frames(found: list[tuple[Entry, Frame]]) -> None:
    assert found
    for entry, frame in found:
        assert entry.sequence == frame.sequence
        assert entry.stamp == frame.stamp
        assert np.isfinite(entry.stamp)
        assert entry.offset_s is None or np.isfinite(entry.offset_s)
        finite(frame.radar, (None, 5), np.float32)
        if frame.target is not None:
            finite(frame.target, (None, 4), np.float32)
            assert ((frame.target[:, 3] >= 0) & (frame.target[:, 3] <= 1)).all()
        finite(np.array(frame.target_origin), (3,), np.float64)
        if frame.ego_velocity is not None:
            finite(frame.ego_velocity, (3,), np.float64)
        if frame.pose is not None:
            finite(frame.pose, (4, 4), np.float64)
        for box in frame.boxes:
            finite(np.array([*box.centre, *box.size, box.yaw_rad]), (7,), np.float64)
    for (entry, _), (following, _) in pairwise(found):
        assert following.sequence != entry.sequence or following.stamp > entry.stamp


def recordings(found: list[tuple[RecordingEntry, Signal | Returns | Picture]]) -> None:
    assert found
    assert len({recorded.key for recorded, _ in found}) == len(found)
    assert len({tuple(recorded.labels) for recorded, _ in found}) == 1
    for recorded, held in found:
        assert np.isfinite(recorded.duration_s)
        assert recorded.duration_s >= 0
        match held:
            case Signal():
                finite(held.samples, (None,), np.complex64, np.float32)
                assert len(held.samples) > 0
                assert 0 < held.rate_hz < np.inf
                assert 0 < held.wavelength_m < np.inf
                assert abs(len(held.samples) / held.rate_hz - recorded.duration_s) <= 2 / held.rate_hz
            case Returns():
                count = len(held.scan)
                finite(held.stamps, (None,), np.float64)
                finite(held.scan, (count,), np.int64)
                finite(held.doppler, (count,), np.float32)
                finite(held.power, (count,), np.float32)
                assert (np.diff(held.stamps) > 0).all()
                assert (np.unique(held.scan) == np.arange(len(held.stamps))).all()
                assert (held.power >= 0).all()
            case Picture():
                finite(held.values, (None, None, None), np.float32)
                assert held.values.shape[0] in (1, 3)
                assert held.values.min() >= 0
                assert held.values.max() <= 1
