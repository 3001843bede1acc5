"""All methods over the same frames of the test split: clouds, latencies, calls, and the report made of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tracks
from echoes import arrays, metrics, params
from echoes.models import trained
from echoes.models.radar import clouds, comparison
from echoes.models.radar.sampling import Sampling
from echoes.models.trained import SampleParams

CPU = torch.device("cpu")
METHODS = ["radar", "nearest_train", "posterior_mean", "ldm", "cd_1", "cd_2", "vae_bound"]


def sampling(track, **change):
    p = params.build(SampleParams, {**tracks.SAMPLE, **change}, "radar.sample")
    return Sampling(trained.load(track.data, track.grids, CPU), track.grids, p)


@pytest.fixture(scope="module")
def made(track, tmp_path_factory):
    """Everything that the stage sample writes of three frames."""
    path, running = tmp_path_factory.mktemp("data") / "samples.zarr", sampling(track)
    with arrays.writing(path) as writer:
        running.write(writer)
    return SimpleNamespace(path=path, sampling=running, samples=comparison.Samples(path, track.grids))


def test_the_frames_are_spread_over_the_test_split(track):
    assert sampling(track).frames.tolist() == [10, 11, 13]
    assert sampling(track, frames=1).frames.tolist() == [10]
    assert sampling(track, frames=99).frames.tolist() == [10, 11, 12, 13]


def test_every_method_gives_a_cloud_of_every_frame(made):
    assert list(made.samples.methods) == METHODS
    assert made.samples.frames.tolist() == [10, 11, 13]
    assert made.samples.threshold == 0.4
    for method in METHODS:
        for i in range(3):
            cloud = made.samples.cloud(method, i)
            assert cloud.features.shape == (len(cloud.indices), len(clouds.COLUMNS))
            assert np.isfinite(cloud.features).all()


def test_the_radar_is_the_measured_one_and_the_nearest_a_target_of_the_train_split(made, track):
    train = [track.grids.cells("target", int(f)).indices.tolist() for f in track.grids.frames("train")]
    for i, frame in enumerate(made.samples.frames.tolist()):
        radar = track.grids.cells("radar", frame)
        np.testing.assert_array_equal(made.samples.cloud("radar", i).indices, radar.indices)
        np.testing.assert_array_equal(made.samples.cloud("radar", i).features[:, 3], radar.features[:, 0])
        assert made.samples.cloud("nearest_train", i).indices.tolist() in train


def test_a_frame_has_the_same_sample_in_any_batch(track):
    for method in ("ldm", "cd_2"):
        together = list(sampling(track, frames=99, batch=4).clouds(method))
        pairs = list(sampling(track, frames=99, batch=2).clouds(method))
        for one, other in zip(together, pairs, strict=True):
            shared = {tuple(cell) for cell in one.indices.tolist()} & {tuple(cell) for cell in other.indices.tolist()}
            assert len(shared) >= 0.9 * max(len(one.indices), len(other.indices))  # bfloat16 rounds by the batch


def test_latency_and_calls_are_reported_for_every_method(made):
    timings = made.sampling.timings()
    assert list(timings) == METHODS
    calls = {method: int(numbers["calls"]) for method, numbers in timings.items()}
    assert calls == {
        "radar": 0,
        "nearest_train": 0,
        "posterior_mean": 1,
        "ldm": 7,
        "cd_1": 1,
        "cd_2": 2,
        "vae_bound": 0,
    }
    assert all(timings[method]["latency_ms"] > 0 for method in ("posterior_mean", "ldm", "cd_1", "cd_2", "vae_bound"))
    assert timings["radar"]["latency_ms"] == 0


def test_the_header_names_every_artifact_it_was_made_from(made, track):
    header = arrays.Reader(made.path, "samples").header
    assert set(header.parents) == {"grids", "vae", "latents", "ldm", "cd"}
    assert header.parents["grids"] == track.grids.header.identity
    assert header.params["solver"] == "heun"
    assert header.content == {"methods": METHODS, "columns": list(clouds.COLUMNS), "threshold": 0.4}


def test_the_report_has_the_same_keys_for_every_method_and_survives_as_metrics(made, track, tmp_path):
    report = comparison.report(made.samples, track.grids, made.sampling.timings(), seed=0, resamples=20)
    assert list(report) == [*METHODS, "frames", "threshold"]
    assert (report["frames"], report["threshold"]) == (3, 0.4)
    keys = {frozenset(report[method]) for method in METHODS}
    assert len(keys) == 1
    first = ["chamfer_m", "f1@1.0m", "iou_bev", "iou_3d", "jsd_bev", "count_ratio", "latency_ms", "calls"]
    assert list(report["ldm"])[:8] == first
    metrics.write(tmp_path / "evaluate.json", report)


def test_panels_show_every_method_beside_the_truth(made, track):
    rows = comparison.panels(made.samples, track.grids, 2)
    assert [[panel.title for panel in row] for row in rows] == [[*comparison.TITLES.values(), "LiDAR"]] * 2
    np.testing.assert_array_equal(rows[1][-1].points, track.grids.grid.centres(track.grids.cells("target", 13).indices))
