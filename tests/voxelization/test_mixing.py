"""Of several sources one is divided, the others are trained on in the share that their weights say."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from echoes import params
from echoes.errors import InputError
from echoes.readers import mixed
from echoes.readers.frames import Entry
from echoes.readers.splits import BySequence, assign
from echoes.voxelization.mixing import assigned
from readers import test_mixed

SPLIT = BySequence("sequence", 0.2, 0.2, 0)
REAL = [Entry(f"town-{i // 10}", i / 10, f"town/{i}") for i in range(100)]
OTHERS = [Entry(f"suburb-{i // 10}", i / 10, f"suburb/{i}") for i in range(70)]


def source(weight: float, unpaired: tuple[str, ...] = ()) -> mixed.Source:
    section = {**test_mixed.SECTION, "weights": {"town": 2.0, "suburb": weight}, "unpaired": list(unpaired)}
    built: mixed.Source = params.build(mixed.Source, section, "real.source")
    return built


def test_the_measured_frames_are_split_as_if_they_were_alone():
    splits = assigned([*OTHERS, *REAL], source(0.5), SPLIT)
    assert splits[len(OTHERS) :] == assign(REAL, SPLIT)


@pytest.mark.parametrize(("weight", "frames"), [(0.5, 15), (1.0, 30), (2.0, 60)])
def test_the_others_are_trained_on_in_their_share_evenly_spaced(weight, frames):
    splits = assigned([*REAL, *OTHERS], source(weight), SPLIT)
    assert Counter(splits[: len(REAL)])["train"] == 60
    others = splits[len(REAL) :]
    assert Counter(others) == Counter(train=frames, purged=len(OTHERS) - frames)
    kept = [i for i, split in enumerate(others) if split == "train"]
    assert (kept[0], kept[-1]) == (0, len(OTHERS) - 1)
    gaps = {b - a for a, b in pairwise(kept)}
    assert max(gaps) - min(gaps) <= 1


def test_frames_of_an_unpaired_source_are_no_training_frames_of_the_pairs():
    paired, unpaired = (assigned([*REAL, *OTHERS], source(1.0, names), SPLIT) for names in ((), ("suburb",)))
    assert unpaired[: len(REAL)] == paired[: len(REAL)]
    told = {"train": "unpaired", "purged": "purged"}
    assert unpaired[len(REAL) :] == [told[split] for split in paired[len(REAL) :]]


@pytest.mark.parametrize("weight", [2.4, 0.001])
def test_a_source_with_too_few_frames_for_its_weight_is_refused(weight):
    told = (
        r"^source\.weights\.suburb: expected at most 2\.33 and enough for a frame, for 70 frames beside 60 of town, got"
    )
    with pytest.raises(InputError, match=told):
        assigned([*REAL, *OTHERS], source(weight), SPLIT)


def test_a_single_source_is_split_as_ever():
    assert assigned(REAL, replace(source(1.0).sources["town"]), SPLIT) == assign(REAL, SPLIT)
