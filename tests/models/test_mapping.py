"""Frames over the workers of a cluster: the bytes of one process, also where a worker dies on the way."""

import logging
import os
import signal

import pytest
import torch

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


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as running:
        yield running.scheduler_address
        running.wait_for_workers(2, timeout=60)  # a nanny that starts one anew cannot be closed


def numbers(found):
    """Less what a clock measured."""
    return {method: {k: v for k, v in of.items() if k != "latency_ms"} for method, of in found.items()}


@pytest.mark.slow
def test_a_cluster_of_which_workers_die_leaves_the_bytes_of_one_process(track, cluster, tmp_path):
    worker = mapping.WorkerSettings(track.data, mapping.PRECISIONS[kind("auto", CPU)], torch.get_num_threads())
    vae, header = autoencoders.load(track.data / "vae.safetensors", CPU)
    models = trained.load(track.data, track.grids, CPU)
    p = params.build(trained.SampleParams, {**tracks.SAMPLE, "frames": 4, "batch": 2}, "radar.sample")
    made = {}
    for name in ("here", "cluster"):
        of = lambda stage, name=name: mapping.in_process if name == "here" else dying(cluster, worker, tmp_path / stage)
        extraction, latents = Extraction(vae, track.grids, header), tmp_path / f"latents-{name}"
        latentstore.write(latents, "zarr", extraction.batches(2, of("extract")), lambda e=extraction: e.header({}))
        running, path = Sampling(models, track.grids, p, of("sample")), tmp_path / f"samples-{name}.zarr"
        with arrays.writing(path) as writer:
            running.write(writer)
        samples = comparison.Samples(path, track.grids)
        found = comparison.measured(samples, track.grids, P, of("evaluate"))
        made[name] = files.digest(latents), files.digest(path), repr(found), numbers(running.timings())
    assert made["here"] == made["cluster"]
    assert all((tmp_path / stage).exists() for stage in ("extract", "sample", "evaluate"))


@pytest.mark.slow
def test_work_at_which_every_worker_dies_is_an_error_of_one_line(cluster):
    def deadly(item):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(InputError, match=r"^runtime\.workers\.scheduler: expected workers that live, got ") as raised:
        list(ordered(deadly, [1], Workers(0, cluster)))
    assert "\n" not in str(raised.value)
