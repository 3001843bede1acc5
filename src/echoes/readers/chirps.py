"""The section `frame` of a radar's raw samples: the chirps of a frame, their samples, and when they are taken."""

from dataclasses import dataclass

from echoes import params
from echoes.errors import InputError

ROUNDED = 1e-6  # of a time in params.yaml


@dataclass(frozen=True)
class FrameParams:
    """What a frame of a file holds, and when it was sampled.

    chirps          in a frame, of all transmitters together.
    antennas        that receive.
    samples         of each chirp and antenna.
    transmitters    whose chirps take turns.
    chirp_s         from the start of a chirp to that of the next, whoever transmits it.
    period_s        from the start of a frame to that of the next; null where each file holds one frame.
    sample_rate_hz  of the converter.
    frequency_hz    of the middle of the sampled ramp.
    """

    chirps: int
    antennas: int
    samples: int
    transmitters: int
    chirp_s: float
    period_s: float | None
    sample_rate_hz: float
    frequency_hz: float

    def __post_init__(self) -> None:
        names = ("chirps", "antennas", "samples", "transmitters")
        params.require_counts(**{name: getattr(self, name) for name in names})
        for name in ("chirp_s", "sample_rate_hz", "frequency_hz"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: expected more than 0, got {getattr(self, name)}")
        if self.chirps % self.transmitters:
            raise InputError(f"chirps: expected as many of each of {self.transmitters} transmitters, got {self.chirps}")
        if (sampled_s := self.samples / self.sample_rate_hz) > self.chirp_s * (1 + ROUNDED):
            told = f"{self.samples} samples at {self.sample_rate_hz:g} Hz take {sampled_s:g} s"
            raise InputError(f"chirp_s: expected no less than a chirp is sampled, {told}, got {self.chirp_s:g}")
        if self.period_s is not None and self.pause_s < -ROUNDED * self.period_s:
            told = f"{self.chirps} chirps, {self.chirps * self.chirp_s:g} s"
            raise InputError(f"period_s: expected no less than {told}, got {self.period_s:g}")

    @property
    def pause_s(self) -> float:
        """Between the end of a frame and the start of the next."""
        return 0.0 if self.period_s is None else self.period_s - self.chirps * self.chirp_s

    @property
    def turn_s(self) -> float:
        """From a chirp of a transmitter to its next."""
        return self.transmitters * self.chirp_s
