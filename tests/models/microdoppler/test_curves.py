"""Real, classically augmented and generated spectrograms as training data: who is given what, and what is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

import test_end_to_end
import tracks
from echoes import metrics, params
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.evaluation import kinematics
from echoes.evaluation.kinematics import Limits
from echoes.models.microdoppler import curves, sieve
from echoes.models.microdoppler.curves import AugmentParams
from echoes.training.microbatches import MicroBatch

CPU = torch.device("cpu")
SECTION = {
    "counts": [1],
    "multiples": [1, 2],
    "sieve": False,
    "repeats": 2,
    "judge": {**tracks.SCHEDULE, "steps": 2, "batch": 8},
    "classical": {**tracks.UNALTERED, "shift_s": 0.3, "gain_db": 3.0, "time_mask_s": 0.4},
    "resamples": 40,
}
P = params.build(AugmentParams, SECTION, "people.augment")


@pytest.fixture(scope="module")
def sampler(people):
    return curves.generator(people.data / "vae.safetensors", people.data / "cd.safetensors", people.grids, 0, CPU)


@pytest.fixture(scope="module")
def real(people):
    return curves.examples(people.grids, people.grids.frames("train"))


def test_the_report_has_flat_numbers_of_every_count_architecture_and_arm(people, sampler, tmp_path):
    found = curves.report(people.grids, sampler, P)
    arms = ("real", "classical", "generated_1x", "generated_2x")
    pairs = [("classical", "real"), *((f"generated_{n}x", other) for n in (1, 2) for other in ("real", "classical"))]
    names = [f"{arm}_accuracy" for arm in arms] + [f"{arm}_minus_{other}" for arm, other in pairs]
    rows = [f"{kind}_{count}_{name}" for kind in ("conv", "tokens") for count in (1, "all") for name in names]
    told = {f"{what}_{count}" for what in ("recordings", "spectrograms") for count in (1, "all")}
    assert set(found) == {*told, *(f"{row}{end}" for row in rows for end in ("", "_lo", "_hi"))}
    assert [found[f"recordings_{count}"] for count in (1, "all")] == [5, 15]
    assert [found[f"spectrograms_{count}"] for count in (1, "all")] == [10, 30]
    for row in rows:
        assert found[f"{row}_lo"] <= found[row] <= found[f"{row}_hi"], row
    difference = found["conv_1_generated_2x_accuracy"] - found["conv_1_classical_accuracy"]
    assert found["conv_1_generated_2x_minus_classical"] == pytest.approx(difference)
    metrics.write(tmp_path / "augment.json", found)


def test_few_recordings_are_whole_as_many_of_each_combination_and_within_more_of_them(people, real):
    recordings = people.grids.recordings()[people.grids.frames("train")]
    kept = [curves.chosen(real, recordings, count, 0, 0) for count in (1, 2, None)]
    for count, places in zip((1, 2, 3), kept, strict=True):
        assert np.unique(real.combination[places], return_counts=True)[1].tolist() == [2 * count] * 5
        assert set(np.flatnonzero(np.isin(recordings, recordings[places]))) == set(places.tolist())
    assert set(kept[0]) < set(kept[1]) < set(kept[2])
    others = [curves.chosen(real, recordings, 1, 0, repeat).tolist() for repeat in range(5)]
    assert len(set(map(tuple, others))) > 1


def test_generated_ones_have_the_labels_of_the_real_ones_in_the_same_shares(people, sampler, real):
    made = curves.generated(sampler, people.grids, real, 2, None)
    assert made.spectrograms.shape == (60, 1, 16, 16)
    assert made.spectrograms.dtype == np.float16
    own = np.flatnonzero(real.combination == 3)[:3]
    few, more = (curves.beside(made, real, own, multiple, 0, 0) for multiple in (1, 2))
    assert (len(few), len(more), set(few) <= set(more)) == (3, 6, True)
    assert (made.labels[more] == real.labels[own[0]]).all()
    every = curves.beside(made, real, np.arange(30), 2, 0, 0)
    assert sorted(every) == list(range(60))
    again = curves.generated(sampler, people.grids, real, 1, None)
    place = np.flatnonzero(again.combination == 1)
    first = np.flatnonzero(made.combination == 1)[: len(place)]
    np.testing.assert_allclose(again.spectrograms[place], made.spectrograms[first], atol=2e-3)
    assert curves.generated(sampler, people.grids, real, 0, None).spectrograms.shape == (0, 1, 16, 16)


def test_a_sieve_leaves_those_beyond_its_limits_out_and_draws_others(people, sampler, real, monkeypatch):
    every = curves.generated(sampler, people.grids, real, 2, None)
    widths = sieve.measured(every.spectrograms.astype(np.float32), people.grids)[:, 2]
    middle = max(np.median(widths[every.combination == number]) for number in range(5))
    wide = dict.fromkeys(kinematics.QUANTITIES, (-99.0, 99.0))
    limits = Limits({key: {**wide, "bandwidth_mps": (-99.0, float(middle))} for key in ("fall", "walk", "fly")})
    monkeypatch.setattr(curves, "BATCH", 5)
    made = curves.generated(sampler, people.grids, real, 2, limits)
    np.testing.assert_array_equal(made.combination, every.combination)
    found = sieve.measured(made.spectrograms.astype(np.float32), people.grids)[:, 2]
    assert found.max() <= middle + 1e-2 < widths.max()  # measured before they are stored in half precision
    never = Limits({key: {**wide, "torso_mps": (98.0, 99.0)} for key in limits.of})
    message = r"^augment\.sieve: expected 6 spectrograms of 1 fall within limits among 120 that were drawn, got 0$"
    with pytest.raises(InputError, match=message):
        curves.generated(sampler, people.grids, real, 1, never)


def test_the_classical_rival_alters_each_sample_of_each_step_by_itself(people):
    crops = people.grids.target_batch(people.grids.frames("train")[:4]).astype(np.float16)
    alter = curves.classical(people.grids, P.classical, 0, 0)
    whole = alter(crops, MicroBatch(5, np.arange(4), 0, 4))
    halves = [alter(crops[i : i + 2], MicroBatch(5, np.arange(2), i, 4)) for i in (0, 2)]
    np.testing.assert_array_equal(whole, np.concatenate(halves))
    assert (np.abs(whole - crops).max(axis=(1, 2, 3)) > 0).all()
    assert not np.array_equal(whole, alter(crops, MicroBatch(6, np.arange(4), 0, 4)))
    twins = alter(crops[[0, 0]], MicroBatch(5, np.arange(2), 0, 2))
    assert not np.array_equal(*twins)


def test_only_the_train_and_the_test_split_are_read(people, sampler):
    class Watched(Spectrograms):
        seen: set = set()  # noqa: RUF012

        def target_batch(self, frames):
            self.seen.update(np.asarray(frames).tolist())
            return super().target_batch(frames)

    short = replace(P, counts=(), multiples=(), repeats=1)
    curves.report(Watched(people.grids.path), sampler, short)
    assert Watched.seen == {*people.grids.frames("train").tolist(), *people.grids.frames("test").tolist()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"counts": [2, 1]}, r"counts: expected numbers from 1 on that increase, got \[2, 1\]"),
        ({"multiples": [0]}, r"multiples: expected numbers from 1 on that increase, got \[0\]"),
        ({"repeats": 0}, "repeats: expected at least 1, got 0"),
        ({"classical": tracks.UNALTERED}, "classical: expected one that alters something"),
        ({"resamples": 5}, "resamples: expected at least 40"),
    ],
)
def test_a_section_that_measures_nothing_is_refused(change, message):
    with pytest.raises(InputError, match=rf"^people\.augment\.{message}"):
        params.build(AugmentParams, {**SECTION, **change}, "people.augment")


def test_more_recordings_than_there_are_and_clouds_are_refused(people, track, sampler):
    message = r"^augment\.counts: expected at most 3, the training recordings of 1 fall, got 4$"
    with pytest.raises(InputError, match=message):
        curves.report(people.grids, sampler, replace(P, counts=(1, 4)))
    with pytest.raises(InputError, match=r"grids\.zarr: expected a track of labelled spectrograms, got one of radar"):
        curves.require_spectrograms(track.grids)


def test_the_stage_writes_the_numbers_of_a_track(people, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "people").symlink_to(people.data)
    short = {**SECTION, "counts": [], "multiples": [1], "repeats": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"people": {"augment": short}}))
    monkeypatch.chdir(tmp_path)
    test_end_to_end.run("augment", "people")
    found = metrics.read(tmp_path / "metrics" / "people" / "augment.json")
    assert found["recordings_all"] == 15
    assert 0 <= found["conv_all_generated_1x_accuracy"] <= 1
