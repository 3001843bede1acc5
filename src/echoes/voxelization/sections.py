"""What the sections `grid` and `split` of a track of clouds or of recordings may be."""

from echoes.readers.splits import ByFewRecordings, ByRecording, BySequence, ByStretch, ByTime, ByUser
from echoes.voxelization.cloud_params import GridParams
from echoes.voxelization.spectrograms import SpectrogramParams

Layout = GridParams | SpectrogramParams
Split = BySequence | ByRecording | ByFewRecordings | ByUser | ByTime | ByStretch
