"""What the sections `grid` and `split` of a track of clouds or of recordings may be."""

from echoes.readers.splits import ByRecording, BySequence, ByStretch, ByTime
from echoes.voxelization.pairs import GridParams
from echoes.voxelization.spectrograms import SpectrogramParams

Layout = GridParams | SpectrogramParams
Split = BySequence | ByRecording | ByTime | ByStretch
