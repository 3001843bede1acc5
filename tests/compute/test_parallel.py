"""Frames over processes or over a cluster: the same results in the same order, and errors that come through."""

import os
import time
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from echoes import seeds
from echoes.compute import parallel
from echoes.compute.workers import Workers
from echoes.errors import InputError

ITEMS = list(range(40))


def slow_first(item):
    """The first of every ten takes the longest, so that workers finish out of order."""
    time.sleep(0.02 if item % 10 == 0 else 0)
    return item, seeds.rng(0, "frame", item).random(3).tobytes()


def broken(item, at=5):
    if item == at:
        raise InputError(f"frame {item}: expected points, got none")
    return item


def process(item):
    time.sleep(0.01)
    return os.getpid()


def threads(item):
    """Of each library that computes in several."""
    return [library["num_threads"] for library in threadpool_info()]


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_come_in_order_and_do_not_depend_on_the_workers(workers):
    assert list(parallel.ordered(slow_first, ITEMS, Workers(workers, ""))) == [slow_first(item) for item in ITEMS]


def test_a_cluster_gives_the_same_results_in_the_same_order(cluster):
    assert list(parallel.ordered(slow_first, ITEMS, Workers(0, cluster))) == [slow_first(item) for item in ITEMS]


def test_the_work_is_done_by_as_many_processes_as_were_asked_for():
    found = set(parallel.ordered(process, ITEMS, Workers(2, "")))
    assert len(found) == 2
    assert os.getpid() not in found


def test_workers_compute_with_one_thread_each_and_leave_ours_alone():
    with threadpool_limits(2):
        for found in parallel.ordered(threads, range(4), Workers(2, "")):
            assert set(found) == {1}
        assert set(threads(0)) == {2}


def test_an_error_of_a_worker_comes_through_with_its_message(cluster):
    for workers, scheduler in ((1, ""), (2, ""), (0, cluster)):
        before = []
        with pytest.raises(InputError, match=r"^frame 5: expected points, got none$"):
            before.extend(parallel.ordered(partial(broken, at=5), ITEMS, Workers(workers, scheduler)))
        assert before == [0, 1, 2, 3, 4][: len(before)]


def test_items_are_taken_as_they_are_needed_so_that_memory_stays_bounded():
    taken = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    results = parallel.ordered(slow_first, items(), Workers(1, ""))
    next(results)
    assert len(taken) <= parallel.IN_FLIGHT + 1
    results.close()


def test_nothing_to_do_is_done():
    assert list(parallel.ordered(slow_first, [], Workers(1, ""))) == []


@pytest.mark.parametrize("address", ["nowhere://10.0.0.1:8786", "tcp://127.0.0.1:notaport"])
def test_an_address_without_scheduler_is_refused_by_its_key(address):
    with pytest.raises(InputError, match=r"^runtime\.workers\.scheduler: expected a Dask scheduler at ") as raised:
        list(parallel.ordered(slow_first, ITEMS, Workers(0, address)))
    assert address in str(raised.value)


def test_arrays_survive_the_way_to_a_worker_and_back(cluster):
    arrays = [seeds.rng(0, "array", i).random((5, 3)) for i in range(4)]
    for workers, scheduler in ((2, ""), (0, cluster)):
        answers = parallel.ordered(np.negative, arrays, Workers(workers, scheduler))
        for found, expected in zip(answers, arrays, strict=True):
            np.testing.assert_array_equal(found, -expected)
