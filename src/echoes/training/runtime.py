"""How stages run: what no artifact depends on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from echoes import params
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.training.checkpoint import CheckpointConfig
from echoes.training.trackers import Name


@dataclass(frozen=True)
class Runtime:
    """The section `runtime` of params.yaml. No stage runs anew because it changed.

    processes    of a training stage on this machine: one for each GPU.
    nodes        machines that train together; `rendezvous` (host:port, the same on all) is where they meet.
    sharding     full: weights, gradients and optimizer spread over the processes (FSDP), for networks that do not fit.
    previews     steps between two pictures of what the model makes, 0 for one at the end only.
    trackers     what else follows a training, each with files of its own in logs/.
    latents      a URL where train_ldm and distill_cd read latents in place of data/<track>/latents, such as
                 s3://bucket/{track}/latents; empty for that folder. They are the same, or refused.
    workers      of the stages voxelize, extract_latents, sample and evaluate, and of the commands that read recordings.
    """

    processes: int
    nodes: int
    rendezvous: str
    sharding: Literal["none", "full"]
    checkpoint: CheckpointConfig
    previews: int
    trackers: tuple[Name, ...]
    latents: str
    workers: Workers

    RENAMED: ClassVar[Mapping[str, str]] = {"tensorboard": "trackers"}

    def __post_init__(self) -> None:
        params.require_counts(processes=self.processes, nodes=self.nodes)
        if self.previews < 0:
            raise InputError(f"previews: expected 0 or more, got {self.previews}")
        if self.latents and "://" not in self.latents:
            raise InputError(f"latents: expected a URL such as s3://bucket/{{track}}/latents, got {self.latents!r}")
        if self.sharding == "full" and self.processes * self.nodes == 1:
            raise InputError("sharding: expected none for one process, got full")
        if self.nodes > 1 and ":" not in self.rendezvous:
            raise InputError(f"rendezvous: expected host:port where nodes are {self.nodes}, got {self.rendezvous!r}")
