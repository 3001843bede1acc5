"""Frames over the workers of a cluster: the bytes of one process, also where a worker dies on the way."""

import logging
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from distributed import Client

import tracks
from echoes import arrays, files, latentstore, params
from echoes.compute.parallel import ordered
from echoes.compute.precision import kind
from echoes.compute.workers import Workers
from echoes.errors import InputError
from echoes.models import autoencoders, mapping, trained
from echoes.models.extraction import Extraction
from echoes.models.radar import comparison
from echoes.models.radar.comparison import CloudEvaluation
from echoes.models.radar.sampling import Sampling

CPU = torch.device("cpu")
P = CloudEvaluation("clouds", resamples=40, seed=0, panels=2, range_m=40.0)
NOBODY = Workers(1, "tcp://127.0.0.1:1")


def test_without_a_scheduler_frames_stay_in_this_process(track):
    assert mapping.frame_map("sample", track.data, Workers(2, ""), "auto", CPU) is mapping.in_process
    assert list(mapping.in_process(str, lambda worker, item: None, [1, 2])) == ["1", "2"]


def test_where_there_is_a_gpu_the_scheduler_has_no_effect_and_a_line_says_so(track, caplog):
    assert mapping.frame_map("sample", track.data, NOBODY, "auto", torch.device("cuda")) is mapping.in_process
    told = "sample: runtime.workers.scheduler has no effect, as this machine has a GPU"
    assert [record.getMessage() for record in caplog.records] == [told]


def test_a_stage_that_has_no_use_for_a_cluster_says_so_where_one_was_asked_for(track, caplog):
    mapping.tell_unused("evaluate", mapping.in_process, "spectrograms are compared as sets")
    assert caplog.records == []
    chosen = mapping.frame_map("evaluate", track.data, NOBODY, "float32", CPU)
    mapping.tell_unused("evaluate", chosen, "spectrograms are compared as sets")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("evaluate: runtime.workers.scheduler has no effect, as spectrograms")


def test_a_worker_that_sees_another_artifact_refuses_it(track):
    worker = mapping.WorkerSettings(track.data, "float32", 1)
    vae = autoencoders.load(track.data / "vae.safetensors", CPU)[1]
    worker.require(track.data / "vae.safetensors", vae, vae.identity)
    with pytest.raises(InputError, match=r"^runtime\.workers\.scheduler: expected workers that see the vae 0000 at "):
        worker.require(track.data / "vae.safetensors", vae, "0000")


def dying(cluster, worker, marker):
    """How frames are gone through on a cluster of which a worker dies at the second piece, once."""

    def frame_map(local, remote, items):
        def once(number, item):
            if number == 1 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return remote(worker, item)

        return ordered(lambda pair: once(*pair), enumerate(items), Workers(0, cluster))

    return frame_map


@contextmanager
def cluster(folder, workers):
    """Address of a scheduler with so many workers, as on machines of their own, at whose second death work is given up.

    Without nannies: one whose worker dies while it starts may start none in its place, or for minutes.
    """
    address = folder / "scheduler.json"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    of_both = ["--scheduler-file", str(address), "--no-dashboard"]
    of_scheduler = ["scheduler", "--port", "0", *of_both]
    of_workers = [["worker", "--no-nanny", "--nthreads", "1", *of_both]] * workers
    started = [
        subprocess.Popen([sys.executable, "-m", "dask", *command], env=env, cwd=folder, stderr=subprocess.DEVNULL)
        for command in (of_scheduler, *of_workers)
    ]
    try:
        with Client(scheduler_file=str(address), timeout="120s") as client:
            client.wait_for_workers(workers, timeout=120)
            running = client.scheduler.address
        yield running
    finally:
        for process in started:
            process.kill()
            process.wait()


def numbers(found):
    """Less what a clock measured."""
    return {method: {k: v for k, v in of.items() if k != "latency_ms"} for method, of in found.items()}


@pytest.mark.slow
def test_a_cluster_of_which_workers_die_leaves_the_bytes_of_one_process(track, tmp_path):
    worker = mapping.WorkerSettings(track.data, mapping.PRECISIONS[kind("auto", CPU)], torch.get_num_threads())
    vae, header = autoencoders.load(track.data / "vae.safetensors", CPU)
    models = trained.load(track.data, track.grids, CPU)
    p = params.build(trained.SampleParams, {**tracks.SAMPLE, "frames": 4, "batch": 2}, "radar.sample")

    def made(name, frame_map):
        extraction, latents = Extraction(vae, track.grids, header), tmp_path / f"latents-{name}"
        latentstore.write(latents, "zarr", extraction.batches(2, frame_map("extract")), lambda: extraction.header({}))
        running, path = Sampling(models, track.grids, p, frame_map("sample")), tmp_path / f"samples-{name}.zarr"
        with arrays.writing(path) as writer:
            running.write(writer)
        found = comparison.measured(comparison.Samples(path, track.grids), track.grids, P, frame_map("evaluate"))
        return files.digest(latents), files.digest(path), repr(found), numbers(running.timings())

    here = made("here", lambda stage: mapping.in_process)
    with cluster(tmp_path, 4) as address:
        assert here == made("cluster", lambda stage: dying(address, worker, tmp_path / stage))
    assert all((tmp_path / stage).exists() for stage in ("extract", "sample", "evaluate"))


@pytest.mark.slow
def test_work_at_which_every_worker_dies_is_an_error_of_one_line(tmp_path):
    def deadly(item):
        os.kill(os.getpid(), signal.SIGKILL)

    told = r"^runtime\.workers\.scheduler: expected workers that live, got "
    with cluster(tmp_path, 2) as address, pytest.raises(InputError, match=told) as raised:
        list(ordered(deadly, [1], Workers(0, address)))
    assert "\n" not in str(raised.value)
