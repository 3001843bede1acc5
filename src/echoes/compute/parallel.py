"""Frames over the cores of this machine, or over a Dask cluster: the same function, results in order.

On a cluster the work of a worker that dies is done anew by another one, up to three times.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from echoes.compute.workers import Workers
from echoes.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 8  # tasks submitted ahead per worker: keeps all busy, and memory bounded


def ordered(function: Callable[[Item], Result], items: Iterable[Item], workers: Workers) -> Iterator[Result]:
    """function(item) for each item, in their order, whichever worker finishes first."""
    with _executor(workers) as (executor, count):
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(executor.submit(function, item))
            if len(pending) >= IN_FLIGHT * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def _executor(workers: Workers) -> Iterator[tuple[Executor, int]]:
    if workers.scheduler:
        with _cluster(workers.scheduler) as client:
            yield client.get_executor(pure=False), max(1, sum(client.nthreads().values()))
        return
    count = workers.processes or len(os.sched_getaffinity(0))
    # One thread each: together they would be as many as the square of the cores, which takes 2.4 x as long on two.
    executor = ProcessPoolExecutor(count, get_context("fork"), threadpool_limits, (1,))
    try:
        yield executor, count
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _cluster(scheduler: str) -> Iterator[Any]:
    """A client; raises InputError where nobody answers, and where one and the same work ended several workers."""
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        message = "expected the Dask client, which `pip install echoes[cluster]` brings, got none"
        raise InputError(f"runtime.workers.scheduler: {message}") from error
    try:
        client = Client(scheduler, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        told = f"expected a Dask scheduler at {scheduler}, got {error}"
        raise InputError(f"runtime.workers.scheduler: {told}") from error
    with client:
        try:
            yield client
        except KilledWorker as error:
            told = f"expected workers that live, got work at which several died (too little memory?): {error}"
            raise InputError(f"runtime.workers.scheduler: {' '.join(told.split())}") from error
