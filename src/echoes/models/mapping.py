"""Frames of a track over the workers of a cluster, which compute as this process does, or one after the other here."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from echoes.compute.parallel import ordered
from echoes.compute.precision import Precision, computing, kind
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.provenance import Header

LOG = logging.getLogger(__name__)
CPU = torch.device("cpu")
PRECISIONS: dict[torch.dtype, Precision] = {
    torch.bfloat16: "bfloat16",
    torch.float16: "float16",
    torch.float32: "float32",
}
Item = TypeVar("Item")
Result = TypeVar("Result")

_alone = threading.RLock()  # the threads of a worker share the models, and torch's number of threads


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know to compute as this process does, on processors of the same kind.

    data       folder of the track, absolute: all see it at the same path.
    precision  that networks compute in here, never `auto`.
    threads    of torch, by which sums round otherwise.
    """

    data: Path
    precision: Precision
    threads: int

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Within, this process computes as told, and alone."""
        with _alone, computing(self.precision):
            torch.set_num_threads(self.threads)
            yield

    def require(self, path: Path, found: Header, identity: str) -> None:
        """Raises InputError unless what a worker finds at `path` is what is meant."""
        if found.identity != identity:
            raise InputError(
                f"runtime.workers.scheduler: expected workers that see the {found.kind} {identity[:12]} at {path}, got "
                f"{found.identity[:12]}"
            )


class FrameMap(Protocol):
    """How a stage goes through its items: gives the result for each, in their order.

    local   item -> result, in this process.
    remote  (worker, item) -> the same result on a worker; it can be pickled.
    """

    def __call__(
        self,
        local: Callable[[Item], Result],
        remote: Callable[[WorkerSettings, Item], Result],
        items: Iterable[Item],
        /,
    ) -> Iterator[Result]: ...


def in_process(
    local: Callable[[Item], Result], remote: Callable[[WorkerSettings, Item], Result], items: Iterable[Item], /
) -> Iterator[Result]:
    """One after the other in this process."""
    return map(local, items)


def tell_unused(stage: str, chosen: FrameMap, why: str) -> None:
    """A line where a cluster was asked for that a stage has no use for."""
    if chosen is not in_process:
        LOG.warning("%s: runtime.workers.scheduler has no effect, as %s", stage, why)


def frame_map(stage: str, data: Path, workers: Workers, precision: Precision, device: torch.device) -> FrameMap:
    """Over the cluster that `workers` names, if any. A GPU of this machine keeps its networks, and a line says so.

    data       folder of the track.
    precision  of the stage; device: that the stage computes on.
    """
    if not workers.scheduler:
        return in_process
    if device.type != "cpu":
        LOG.warning("%s: runtime.workers.scheduler has no effect, as this machine has a GPU", stage)
        return in_process
    worker = WorkerSettings(data.absolute(), PRECISIONS[kind(precision, device)], torch.get_num_threads())

    def on_cluster(
        local: Callable[[Item], Result], remote: Callable[[WorkerSettings, Item], Result], items: Iterable[Item], /
    ) -> Iterator[Result]:
        return ordered(partial(remote, worker), items, workers)

    return on_cluster
