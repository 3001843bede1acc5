"""All methods over the same labels: spectrograms of each, in the shares of the training, latencies and calls."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tracks
from echoes import arrays, params
from echoes.models import trained
from echoes.models.microdoppler.comparison import Samples
from echoes.models.microdoppler.reconstruction import reconstruct
from echoes.models.microdoppler.sampling import Sampling, repeated
from echoes.models.trained import SampleParams

CPU = torch.device("cpu")
METHODS = ["ldm", "cd_1", "cd_2"]


def sampled(track, path, **change):
    """What the stage sample writes: the artifact, and its timings."""
    p = params.build(SampleParams, {**tracks.PEOPLE_SAMPLE, **change}, "people.sample")
    running = Sampling(trained.load(track.data, track.grids, CPU), track.grids, p)
    with arrays.writing(path) as writer:
        running.write(writer)
    return SimpleNamespace(samples=arrays.Reader(path, "samples"), timings=running.timings())


@pytest.fixture(scope="module", params=["people", "people_vq"])
def case(request, tmp_path_factory):
    track = request.getfixturevalue(request.param)
    return track, sampled(track, tmp_path_factory.mktemp("data") / "samples.zarr")


def test_every_method_gives_as_many_spectrograms_as_asked_with_their_labels(case):
    _, made = case
    assert made.samples.header.content == {"methods": [*METHODS, "vae_bound"]}
    for method in METHODS:
        found = made.samples.all(method)
        assert (found.shape, found.dtype) == ((40, 1, 16, 16), np.float16)
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= 1
    labels = made.samples.all("labels")
    assert labels.shape == (40, 2)
    assert np.issubdtype(labels.dtype, np.integer)


def test_labels_come_in_the_shares_of_the_training(case):
    """30 crops of the train split, 6 of each of 5 combinations; no other combination is asked for."""
    track, made = case
    combinations, counts = np.unique(made.samples.all("labels"), axis=0, return_counts=True)
    known = np.unique(track.grids.labels(track.grids.frames("train")), axis=0)
    np.testing.assert_array_equal(combinations, known)
    assert counts.tolist() == pytest.approx([8] * 5, abs=1)


@pytest.mark.parametrize("method", METHODS)
def test_a_spectrogram_shows_the_label_in_its_row(people, method, tmp_path):
    samples = sampled(people, tmp_path / "samples.zarr", frames=16).samples
    p = params.build(SampleParams, tracks.PEOPLE_SAMPLE, "people.sample")
    models, cond = trained.load(people.data, people.grids, CPU), torch.from_numpy(samples.all("labels"))
    made = models.samplers(p)[method](cond, list(range(16)))
    np.testing.assert_allclose(samples.all(method), made.clamp(-1, 1), atol=1e-3)


def test_the_bound_is_the_test_split_through_the_codec(case):
    track, made = case
    frames = track.grids.frames("test")
    np.testing.assert_array_equal(made.samples.all("frame"), frames)
    expected = reconstruct(track.vae, track.grids, frames).clamp(-1, 1).numpy()
    found = made.samples.all("vae_bound").astype(np.float32)
    assert found.shape == (20, 1, 16, 16)
    assert np.abs(found - expected).mean() < 0.02


def test_a_sample_depends_on_its_number_and_its_label_alone(people, tmp_path):
    ours, other = (sampled(people, tmp_path / f"{batch}.zarr", batch=batch, frames=9) for batch in (3, 9))
    np.testing.assert_array_equal(ours.samples.all("labels"), other.samples.all("labels"))
    for method in METHODS:
        a, b = (one.samples.all(method).astype(np.float32) for one in (ours, other))
        assert np.abs(a - b).mean() < 0.02  # bfloat16 rounds by the batch
        assert np.abs(a[:3] - a[3:6]).mean() > 0.05


def test_another_seed_gives_other_spectrograms_of_the_same_labels(people, tmp_path):
    ours, other = (sampled(people, tmp_path / f"{seed}.zarr", seed=seed, frames=6).samples for seed in (0, 1))
    np.testing.assert_array_equal(ours.all("labels"), other.all("labels"))
    for method in METHODS:
        assert np.abs(ours.all(method).astype(np.float32) - other.all(method)).mean() > 0.05


def test_latency_and_calls_are_reported_for_every_method(case):
    timings = case[1].timings
    assert list(timings) == [*METHODS, "vae_bound"]
    # 4 levels: 7 calls, of which the 2 between 0.2 and 10 are guided and count twice.
    assert {name: int(numbers["calls"]) for name, numbers in timings.items()} == {
        "ldm": 9,
        "cd_1": 1,
        "cd_2": 2,
        "vae_bound": 0,
    }
    assert all(numbers["latency_ms"] > 0 for numbers in timings.values())
    assert timings["ldm"]["latency_ms"] > timings["cd_1"]["latency_ms"]


def test_the_header_names_every_artifact_it_was_made_from(case):
    track, made = case
    header = made.samples.header
    assert set(header.parents) == {"init", "grids", "vae", "latents", "ldm", "cd"}
    assert header.parents["grids"] == track.grids.header.identity
    assert header.params["guidance"] == tracks.PEOPLE_SAMPLE["guidance"]


@pytest.mark.parametrize(
    ("count", "expected"), [(2, [3, 9]), (3, [3, 5, 9]), (4, [3, 5, 9, 3]), (8, [3, 5, 9, 3, 5, 9, 3, 9])]
)
def test_frames_are_repeated_in_whole_rounds_and_then_evenly_spread(count, expected):
    assert repeated(np.array([3, 5, 9]), count).tolist() == expected


def test_a_student_with_one_call_has_no_row_of_two(people, tmp_path):
    p = params.build(SampleParams, {**tracks.PEOPLE_SAMPLE, "frames": 4}, "people.sample")
    models = trained.load(people.data, people.grids, CPU)
    running = Sampling(replace(models, of=replace(models.of, student="ensemble")), people.grids, p)
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        running.write(writer)
    assert Samples(tmp_path / "samples.zarr", people.grids).generated == ["ldm", "cd_1"]
    assert list(running.timings()) == ["ldm", "cd_1", "vae_bound"]
