"""What has an effect by what is chosen, what an identity holds of it, and what stands in for the rest."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import pytest

from echoes import imports, params
from echoes.autoencoder.fitting import VaeParams
from echoes.choices import autoencoder, denoiser
from echoes.choices.rules import Choice, idle, in_force, leaves, only, settled, under, unless, without_idle
from echoes.models.objectives import LdmParams

NUMBERS = params.document(imports.ROOT / "params.yaml")
TRACKS = [name for name, section in NUMBERS.items() if isinstance(section, dict) and "source" in section]
SECTION = {
    "kind": "a",
    "a": {"n": 1, "m": {"k": 2}},
    "b": {"n": 3},
    "lists": ["x", "y"],
    "no": [],
    "weight": 0.0,
    "other": 0,
}


@pytest.mark.parametrize(
    ("choice", "without"),
    [
        (only("kind", ["a"], "a"), {}),
        (only("kind", ["a", "c"], "a"), {}),
        (only("kind", ["b"], "b"), {"b.n": "kind is a"}),
        (only("kind", ["b"], "a.m", "b"), {"a.m.k": "kind is a", "b.n": "kind is a"}),
        (only("lists", ["y", "z"], "b"), {}),
        (only("lists", ["z"], "b"), {"b.n": "lists is [x, y]"}),
        (unless("kind", "a", "b"), {"b.n": "kind is a"}),
        (unless("kind", "b", "b"), {}),
        (unless("lists", "x", "b"), {}),
        (unless("no", (), "b"), {"b.n": "no is []"}),
        (unless("lists", (), "b"), {}),
        (unless("weight", 0, "b"), {"b.n": "weight is 0.0"}),
        (unless(["weight", "other"], 0, "b"), {"b.n": "weight is 0.0 and other is 0"}),
        (unless(["weight", "a.n"], 0, "b"), {}),
        (only("nowhere", ["b"], "b"), {}),  # nothing is chosen
        (only("kind", ["b"], "nothing", "a.nothing"), {}),
    ],
)
def test_a_key_has_an_effect_where_what_it_belongs_to_is_chosen(choice: Choice, without: dict) -> None:
    assert idle(SECTION, [choice]) == without
    assert idle({"deep": SECTION}, under("deep", [choice])) == {
        f"deep.{key}": " and ".join(f"deep.{part}" for part in why.split(" and ")) for key, why in without.items()
    }
    kept = leaves(without_idle(SECTION, [choice]))
    assert {key: value for key, value in kept.items() if value != {}} == {
        key: value for key, value in leaves(SECTION).items() if key not in without
    }


def test_a_whole_section_that_is_not_chosen_is_gone_and_other_values_stay_as_they_are() -> None:
    assert without_idle(SECTION, [only("kind", ["b"], "b", "a.m.k")]) == {
        **{key: value for key, value in SECTION.items() if key != "b"},
        "a": {"n": 1, "m": {}},
    }
    assert without_idle(SECTION, []) == SECTION


def test_what_has_no_effect_stands_at_one_value() -> None:
    choices, stands = [only("kind", ["b"], "b", "b.n", "a.n")], {"b": {"n": 9}, "b.n": 7}
    assert settled(SECTION, choices, stands) == {**SECTION, "b": {"n": 9}}  # `a.n` has none
    assert settled({**SECTION, "kind": "b"}, choices, stands) == {**SECTION, "kind": "b"}


@dataclass(frozen=True)
class Chosen:
    CHOICES: ClassVar = (only("kind", ["b"], "b"),)
    kind: str
    b: int


def test_a_section_is_identified_by_what_has_an_effect() -> None:
    assert in_force(Chosen("a", 1)) == in_force(Chosen("a", 2)) == {"kind": "a"}
    assert in_force(Chosen("b", 1)) == {"kind": "b", "b": 1}


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize(
    ("section", "cls", "of"), [("vae", VaeParams, autoencoder), ("ldm", LdmParams, denoiser)], ids=["vae", "ldm"]
)
def test_an_architecture_in_which_something_stands_in_is_one_and_builds_the_same(track, section, cls, of) -> None:
    p = params.build(cls, NUMBERS[track][section], f"{track}.{section}").architecture
    told = settled(asdict(p), of.ARCHITECTURE, of.STANDS)
    again = params.build(type(p), told, "architecture")
    assert without_idle(asdict(again), of.ARCHITECTURE) == without_idle(asdict(p), of.ARCHITECTURE)
    assert params.build(type(p), settled(asdict(again), of.ARCHITECTURE, of.STANDS), "again") == again
    hanging = {key for choice in of.ARCHITECTURE for key in choice.keys}
    assert hanging == set(of.STANDS)  # each has a value that stands in for it
