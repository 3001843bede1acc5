"""Who reads and voxelizes recordings, as params."""

from dataclasses import dataclass

from echoes.errors import InputError


@dataclass(frozen=True)
class Workers:
    """The section `runtime.workers`.

    processes  on this machine; 0 takes every core this process may use.
    scheduler  address of a Dask cluster in their place, such as tcp://10.0.0.1:8786; empty for this machine.
    """

    processes: int
    scheduler: str

    def __post_init__(self) -> None:
        if self.processes < 0:
            raise InputError(f"processes: expected 0 (every core) or more, got {self.processes}")
