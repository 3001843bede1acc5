"""Generated spectrograms against real ones: equally many of each label, numbers per method, figures."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import artifacts
import documented
import tracks
from echoes import arrays, metrics, params
from echoes.errors import InputError
from echoes.evaluation import spectrograms
from echoes.models import evaluation_classifiers as classifiers
from echoes.models import trained
from echoes.models.mapping import in_process
from echoes.models.microdoppler import evaluation, figures, sieve
from echoes.models.microdoppler.comparison import Comparison, Samples, SpectrogramEvaluation, Stored, alike
from echoes.models.microdoppler.sampling import Sampling
from echoes.models.trained import SampleParams

CPU = torch.device("cpu")
METHODS = ["real", "ldm", "cd_1", "cd_2", "vae_bound"]
SECTION = {
    "of": "spectrograms",
    "judge": {**tracks.SCHEDULE, "steps": 40, "batch": 16, "lr": 3e-3},
    "inception": None,
    "resamples": 40,
    "seed": 0,
    "panels": 2,
}
P = params.build(SpectrogramEvaluation, SECTION, "people.evaluate")


def test_resamples_that_tell_no_interval_are_refused_with_their_path():
    with pytest.raises(InputError, match=r"^people\.evaluate\.resamples: expected at least 40, .*, got 5$"):
        params.build(SpectrogramEvaluation, {**SECTION, "resamples": 5}, "people.evaluate")


class Means(torch.nn.Module):
    """(N, 3, H, W) -> (N, 3), the mean of each colour."""

    def forward(self, x):
        return x.float().mean(dim=(2, 3))


@pytest.fixture(scope="module")
def made(people, tmp_path_factory):
    """Samples and timings of the small track, and the comparison of both with the real ones."""
    path = tmp_path_factory.mktemp("data") / "samples.zarr"
    running = Sampling(
        trained.load(people.data, people.grids, CPU),
        people.grids,
        params.build(SampleParams, tracks.PEOPLE_SAMPLE, "people.sample"),
    )
    with arrays.writing(path) as writer:
        running.write(writer)
    found = Comparison(people.grids, path, P, CPU)
    timings = running.timings()
    return SimpleNamespace(path=path, timings=timings, comparison=found, report=found.report(timings))


def test_every_method_has_the_same_numbers_and_they_survive_as_metrics(made, tmp_path):
    assert list(made.report) == [*METHODS, "spectrograms", "compared"]
    assert len({frozenset(made.report[method]) for method in METHODS}) == 1
    assert list(made.report["ldm"])[:3] == ["frechet", "kid", "precision"]
    keys = set(made.report["ldm"])
    wanted = "frechet kid user_accuracy activity_accuracy train_on_generated_accuracy nearest_ratio latency_ms calls"
    assert set(wanted.split()) <= keys
    assert {"train_on_generated_user_accuracy", "frechet_lo", "frechet_hi", "envelope_w1_mps"} <= keys
    metrics.write(tmp_path / "evaluate.json", made.report)
    assert set(metrics.read(tmp_path / "evaluate.json")) == set(made.report)


def test_methods_are_compared_with_half_of_the_real_ones_and_real_ones_are_the_floor(made):
    """20 test crops: 10 a side."""
    assert (made.report["spectrograms"], made.report["compared"]) == (20, 10)
    assert made.report["real"]["frechet"] < made.report["ldm"]["frechet"]


def test_real_ones_are_recognised_and_noise_of_an_untrained_model_is_not(made):
    real, ldm = (made.report[name]["activity_accuracy"] for name in ("real", "ldm"))
    assert real > 0.9 > ldm
    assert made.report["real"]["train_on_generated_accuracy"] > 0.9
    assert made.report["vae_bound"]["train_on_generated_accuracy"] is None  # made from the test data


def test_real_ones_pass_the_sieve_and_noise_of_an_untrained_model_does_not(made):
    real, ldm = (made.report[name] for name in ("real", "ldm"))
    assert real["sieve_share"] > 0.8 > ldm["sieve_share"]
    assert real["sieve_share_lo"] <= real["sieve_share"] <= real["sieve_share_hi"]


def test_batches_from_the_disk_are_seen_as_the_whole_set_is_and_no_more_than_one_is_read(made, people, monkeypatch):
    comparison, grids = made.comparison, people.grids
    frames = grids.frames("test")
    whole = grids.target_batch(frames)
    monkeypatch.setattr(classifiers, "BATCH", 7)  # of 20
    read = []

    def rows(places):
        read.append(len(places))
        return whole[places]

    found, quantities = comparison._seen(Stored(whole.shape, rows), grids.labels(frames))
    assert read == [7, 7, 6]
    np.testing.assert_array_equal(found.features, classifiers.features(comparison._features, whole))
    np.testing.assert_array_equal(found.predictions, classifiers.predictions(comparison._judge, whole))
    span_db = grids.ceiling_db - grids.floor_db
    motion = spectrograms.motion(whole.mean(axis=1), grids.velocity.centres, grids.time.step, span_db)
    for name in vars(motion):
        np.testing.assert_array_equal(getattr(found.motion, name), getattr(motion, name), name)
    np.testing.assert_array_equal(quantities, sieve.measured(whole, grids))
    stored = comparison.spectrograms["real"][0]
    np.testing.assert_array_equal(stored[np.arange(20)], whole)
    assert stored[np.zeros(0, int)].shape == (0, *whole.shape[1:])


def test_timings_are_those_of_the_stage_sample(made):
    assert made.report["cd_2"]["calls"] == 2
    assert made.report["ldm"]["latency_ms"] == made.timings["ldm"]["latency_ms"]
    assert (made.report["real"]["latency_ms"], made.report["real"]["calls"]) == (0, 0)


def test_copies_of_the_training_set_are_told_from_new_spectrograms(made, people, tmp_path):
    """As if the denoiser gave back what it was trained on: nearest_ratio falls to 0."""
    train = people.grids.frames("train")
    samples = arrays.Reader(made.path, "samples")
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        for name, shift in (("ldm", 0), ("cd_1", 6), ("cd_2", 0)):  # 6 crops further is another activity
            writer.append(name, people.grids.target_batch(np.roll(train, shift)).astype(np.float16))
        writer.append("vae_bound", people.grids.target_batch(people.grids.frames("test")).astype(np.float16))
        writer.append("labels", people.grids.labels(train))
        writer.seal(samples.header)
    copied = Comparison(people.grids, tmp_path / "samples.zarr", P, CPU).report(made.timings)
    assert copied["ldm"]["nearest_ratio"] < 0.05
    assert copied["real"]["nearest_ratio"] == pytest.approx(1, abs=0.01)
    assert copied["ldm"]["activity_accuracy"] > 0.9
    assert copied["ldm"]["train_on_generated_accuracy"] > 0.9
    for key in ("activity_accuracy", "train_on_generated_accuracy"):
        assert copied["cd_1"][key] < 0.2
    assert copied["vae_bound"]["nearest_ratio"] == pytest.approx(1, abs=0.01)


def test_weights_of_inception_that_are_none_are_refused_before_anything_is_trained(made, people, tmp_path):
    given = params.build(SpectrogramEvaluation, {**SECTION, "inception": str(tmp_path / "no.pth")}, "people.evaluate")
    with pytest.raises(InputError, match=r"^evaluate\.inception: .*(pip install|no\.pth)"):
        Comparison(people.grids, made.path, given, CPU)


def test_in_features_of_inception_real_ones_are_the_nearest(made, monkeypatch):
    """Of a network that sees the mean alone: the weights of the other one are for a user to bring."""
    monkeypatch.setattr(made.comparison, "_inception", Means())
    chosen = {"reference": np.arange(0, 20, 2), "real": np.arange(1, 20, 2), "ldm": np.arange(10)}
    real, ldm = (made.comparison._in_inception(name, chosen) for name in ("real", "ldm"))
    assert real["inception_frechet"] < ldm["inception_frechet"]
    assert documented.unexplained({"real": real}) == []


def test_confusions_count_every_spectrogram_of_a_method(made):
    found = made.comparison.confusions(["real", "ldm"])
    assert {name: counts.sum() for name, counts in found.items()} == {"real": 20, "ldm": 40}
    real = made.comparison.classified["real"].labels[:, -1]
    np.testing.assert_array_equal(found["real"].sum(axis=1), np.bincount(real, minlength=3))


def test_samples_of_other_grids_are_refused(made, tmp_path):
    grids = artifacts.write_spectrograms(tmp_path / "grids.zarr", channels=3)
    with pytest.raises(InputError, match=r"samples\.zarr: was made from grids \w{12}, but .* is \w{12}"):
        Comparison(grids, made.path, P, CPU)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("ldm", lambda rows: rows[:, :, :-1], r"samples\.zarr/ldm: expected \(40, 1, 16, 16\)"),
        ("vae_bound", lambda rows: rows[1:], r"samples\.zarr/vae_bound: expected \(20, 1, 16, 16\)"),
        ("labels", lambda rows: rows + 1, r"samples\.zarr/labels: expected less than \[3, 3\] of \['user', 'activ"),
        ("labels", lambda rows: rows[:, :1], r"samples\.zarr/labels: expected \('any', 2\)"),
    ],
)
def test_samples_of_another_shape_or_of_labels_that_nobody_has_are_refused(made, people, tmp_path, name, change, told):
    samples = arrays.Reader(made.path, "samples")
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        for array in samples.rows_of():
            rows = samples.all(array)
            writer.append(array, change(rows) if array == name else rows)
        writer.seal(samples.header)
    with pytest.raises(InputError, match=told):
        Samples(tmp_path / "samples.zarr", people.grids)


def test_the_figures_are_drawn_per_label(made, tmp_path):
    figures.draw(made.comparison, 2, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"side_by_side.png", "confusion.png", "envelopes.png"}


def test_pictures_in_colour_are_compared_too(tmp_path):
    """By their brightness, where motion is measured."""
    grids = artifacts.write_spectrograms(tmp_path / "grids.zarr", channels=3)
    track = tracks.built(tmp_path, grids, tracks.PEOPLE_VAE, tracks.PEOPLE_LDM, tracks.PEOPLE_CD, {"second_sigma": 1.2})
    section = params.build(SampleParams, tracks.PEOPLE_SAMPLE, "people.sample")
    running = Sampling(trained.load(track.data, grids, CPU), grids, section)
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        running.write(writer)
    (tmp_path / "figures").mkdir()
    short = params.build(SpectrogramEvaluation, {**SECTION, "judge": tracks.SCHEDULE}, "people.evaluate")
    report = evaluation.evaluate(
        grids, tmp_path / "samples.zarr", running.timings(), short, tmp_path / "figures", in_process
    )
    assert report["compared"] == 10


def pool(labels):
    labels = np.array(labels)
    return np.arange(len(labels)) + 100, labels


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=12, max_size=30), min_size=2, max_size=4
    )
)
def test_equally_many_of_each_combination_are_compared(drawn):
    pools = {str(i): pool([*labels, *[(0, 0)] * 4, (1, 1), (1, 2)]) for i, labels in enumerate(drawn)}
    found = alike(pools)
    taken = {}
    for name, (indices, labels) in pools.items():
        chosen = found[name]
        assert len(set(chosen)) == len(chosen)
        taken[name] = sorted(map(tuple, labels[np.searchsorted(indices, chosen)].tolist()))
    first = taken["0"]
    assert all(labels == first for labels in taken.values())
    # No combination could be taken once more from every pool.
    for combination in {(a, b) for a in range(2) for b in range(3)}:
        least = min((labels == combination).all(axis=1).sum() for _, labels in pools.values())
        assert first.count(combination) == least


def test_too_little_in_common_for_neighbours_is_told_with_how_many_there_were():
    pools = {"real": pool([(0, 0)] * 6), "ldm": pool([(1, 1), (0, 1), *[(0, 0)] * 5])}
    message = r"^split\.test, sample\.frames: expected more than 5 .* that all have, got 5 of real 6, ldm 7$"
    with pytest.raises(InputError, match=message):
        alike(pools)


@pytest.mark.parametrize("missing", ["judge", "panels"])
def test_a_section_that_lacks_a_number_is_refused(missing):
    section = {name: value for name, value in SECTION.items() if name != missing}
    with pytest.raises(InputError, match=rf"people\.evaluate\.{missing}: missing"):
        params.build(SpectrogramEvaluation, section, "people.evaluate")
