"""What a track is of, clouds or recordings, by its reader: its grid and its split must be of the same family."""

from collections.abc import Callable

from echoes.errors import InputError
from echoes.readers.choice import CLOUDS, Source
from echoes.readers.splits import ByRecording, BySequence, ByStretch, ByTime
from echoes.voxelization import clouds, recordings
from echoes.voxelization.pairs import GridParams
from echoes.voxelization.spectrograms import SpectrogramParams

Layout = GridParams | SpectrogramParams
Split = BySequence | ByRecording | ByTime | ByStretch


def writer_of(track: str, source: Source, layout: Layout, split: Split) -> Callable[..., dict[str, float]]:
    """The function that writes such a track; raises InputError where its sections do not go together."""
    radar, reader = source.reader in CLOUDS, source.reader
    if isinstance(layout, GridParams) != radar:
        wanted = "voxels" if radar else "stft, doppler_time or picture"
        raise InputError(f"{track}.grid.raster: expected {wanted} for the reader {reader}, got {layout.raster}")
    if isinstance(split, ByRecording if radar else BySequence | ByStretch):
        wanted = "sequence, time or stretch" if radar else "recording or time"
        raise InputError(f"{track}.split.by: expected {wanted} for the reader {reader}, got {split.by}")
    return clouds.write if radar else recordings.write
