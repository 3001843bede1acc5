"""Who reads and voxelizes recordings, and who encodes, samples and measures frames, as params."""

from dataclasses import dataclass

from echoes.errors import InputError


@dataclass(frozen=True)
class Workers:
    """The section `runtime.workers`.

    processes  on this machine, that read recordings; 0 takes every core this process may use.
    scheduler  address of a Dask cluster in their place, such as tcp://10.0.0.1:8786; empty for this machine. It goes
               through the frames of evaluate, too, and of extract_latents and sample where this machine has no GPU.
    """

    processes: int
    scheduler: str

    def __post_init__(self) -> None:
        if self.processes < 0:
            raise InputError(f"processes: expected 0 (every core) or more, got {self.processes}")
