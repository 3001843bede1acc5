"""Sections become dataclasses strictly, and every message names the full path of the key."""

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import params
from echoes.errors import InputError


@dataclass(frozen=True)
class Noise:
    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.std <= 0:
            raise InputError(f"std: expected more than 0, got {self.std}")


@dataclass(frozen=True)
class Stage:
    lr: float
    steps: int
    mirror: bool
    solver: Literal["heun", "euler"]
    channels: tuple[int, ...]
    power_db: tuple[float, float]
    noise: Noise
    span: float | None
    size: Literal["tiny"] | Noise
    shares: dict[str, float]


STAGE = """
radar:
  ldm:
    lr: 5e-05
    steps: 10
    mirror: true
    solver: heun
    channels: [64, 128]
    power_db: [40, 100.5]
    noise: {mean: -0.4, std: 1}
    span: null
    size: tiny
    shares: {val: 0.1, test: 0.2}
"""


@dataclass(frozen=True)
class Simulated:
    reader: Literal["simulated"]
    frames: int


@dataclass(frozen=True)
class Astyx:
    reader: Literal["astyx"]
    tolerance_s: float


def load(tmp_path, text, cls=Stage, section="radar.ldm"):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return params.load(cls, section, path)


def test_a_section_becomes_a_dataclass_of_the_annotated_types(tmp_path):
    found = load(tmp_path, STAGE)
    assert found == Stage(
        5e-05, 10, True, "heun", (64, 128), (40.0, 100.5), Noise(-0.4, 1.0), None, "tiny", {"val": 0.1, "test": 0.2}
    )
    assert type(found.noise.std) is float  # a whole number where a number is asked for


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-05", 5e-05),
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-2e3", -2000.0),
        ("+0.25", 0.25),
        ("-7", -7),
        ("0", 0),
        ("012", "012"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-01-01", "2024-01-01"),
        ("1e", "1e"),
        ('"5e-05"', "5e-05"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path, text, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"key: {text}\n")
    found = params.document(path)["key"]
    assert found == value
    assert type(found) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(tmp_path_factory, number):
    path = tmp_path_factory.mktemp("params") / "a.yaml"
    path.write_text(f"key: {number!r}\n")
    found = params.document(path)["key"]
    assert (found, type(found)) == (number, float)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    steps: 10\n", "", "radar.ldm.steps: missing; radar.ldm needs lr, steps, "),
        ("steps: 10", "steps: 10\n    stepz: 3", "radar.ldm.stepz: unknown; radar.ldm takes lr, steps, "),
        ("steps: 10", "steps: 10\n    std: 3", "radar.ldm.std: unknown; it is radar.ldm.noise.std$"),
        ("steps: 10", "steps: 10.0", "radar.ldm.steps: expected a whole number, got 10.0"),
        ("steps: 10", "steps: true", "radar.ldm.steps: expected a whole number, got True"),
        ("steps: 10", "steps:", "radar.ldm.steps: expected a whole number, got None"),
        ("lr: 5e-05", "lr: fast", "radar.ldm.lr: expected a number, got 'fast'"),
        ("lr: 5e-05", "lr: .inf", "radar.ldm.lr: expected a finite number, got inf"),
        ("lr: 5e-05", "lr: .nan", "radar.ldm.lr: expected a finite number, got nan"),
        ("lr: 5e-05", "lr: 1e999", "radar.ldm.lr: expected a finite number, got inf"),
        ("lr: 5e-05", "lr: [1]", r"radar.ldm.lr: expected a number, got \[1\]"),
        ("mirror: true", "mirror: yes", "radar.ldm.mirror: expected true or false, got 'yes'"),
        ("mirror: true", "mirror: 1", "radar.ldm.mirror: expected true or false, got 1"),
        ("solver: heun", "solver: rk4", "radar.ldm.solver: expected one of heun, euler, got 'rk4'"),
        ("[64, 128]", "[64, wide]", r"radar.ldm.channels\[1\]: expected a whole number, got 'wide'"),
        ("[64, 128]", "64", "radar.ldm.channels: expected a list, got 64"),
        ("[40, 100.5]", "[40]", r"radar.ldm.power_db: expected 2 entries, got \[40\]"),
        ("{mean: -0.4, std: 1}", "{mean: -0.4}", "radar.ldm.noise.std: missing"),
        ("{mean: -0.4, std: 1}", "{mean: -0.4, std: 0}", "radar.ldm.noise.std: expected more than 0, got 0.0"),
        ("{mean: -0.4, std: 1}", "3", "radar.ldm.noise: expected a mapping, got 3"),
        ("span: null", "span: wide", "radar.ldm.span: expected a number or null, got 'wide'"),
        ("size: tiny", "size: {mean: 1}", "radar.ldm.size.std: missing"),
        ("size: tiny", "size: huge", "radar.ldm.size: expected .*tiny.* or a mapping, got 'huge'"),
        ("val: 0.1", "val: much", "radar.ldm.shares.val: expected a number, got 'much'"),
    ],
)
def test_a_wrong_key_is_named_with_its_full_path(tmp_path, old, new, message):
    assert old in STAGE
    with pytest.raises(InputError, match=f"^{message}") as raised:
        load(tmp_path, STAGE.replace(old, new, 1))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("lidar.ldm", "lidar: missing in .*params.yaml, which has radar there"),
        ("radar.vae", "radar.vae: missing in .*params.yaml, which has ldm there"),
        ("radar.ldm.lr.deeper", "radar.ldm.lr.deeper: missing in .*params.yaml, which has nothing there"),
    ],
)
def test_a_missing_section_is_named_with_its_file(tmp_path, section, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        load(tmp_path, STAGE, section=section)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' occurs twice"),
        ("a: {b: 1, b: 1}", "the key 'b' occurs twice"),
        ("a: [1", "expected YAML"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("? [a, b]\n: c", "a key is no single word"),
        ("a: " + "9" * 5000, "expected YAML"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        params.document(path)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{path}: expected YAML")


def test_a_binary_and_a_missing_file_are_refused(tmp_path):
    path = tmp_path / "params.yaml"
    with pytest.raises(InputError, match="no such file"):
        params.document(path)
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(InputError, match="expected YAML"):
        params.document(path)


def test_a_file_that_changed_is_read_again(tmp_path):
    assert load(tmp_path, "a: {mean: 1, std: 2}", Noise, "a") == Noise(1.0, 2.0)
    assert load(tmp_path, "a: {mean: 3, std: 2}", Noise, "a") == Noise(3.0, 2.0)


def test_of_a_union_the_class_is_built_that_the_reader_names():
    union = Simulated | Astyx
    assert params.build(union, {"reader": "astyx", "tolerance_s": 1}, "a.source") == Astyx("astyx", 1.0)
    assert params.build(union, {"reader": "simulated", "frames": 2}, "a.source") == Simulated("simulated", 2)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"reader": "vod"}, r"a.source.reader: expected one of simulated, astyx, got 'vod'"),
        ({"frames": 2}, r"a.source.reader: missing"),
        ({"reader": "astyx", "frames": 2}, r"a.source.tolerance_s: missing"),
        ({"reader": "astyx", "tolerance_s": 1, "frames": 2}, r"a.source.frames: unknown"),
        ("astyx", r"a.source: expected \{reader: astyx, tolerance_s: \.\.\.\}, got 'astyx'"),
        ("vod", r"a.source: expected a mapping, got 'vod'"),
    ],
)
def test_a_union_reports_against_the_class_that_was_meant(value, message):
    with pytest.raises(InputError, match=f"^{message}"):
        params.build(Simulated | Astyx, value, "a.source")


HOSTILE = {
    "lists without end": "[" * 100_000,
    "mappings without end": "{a: " * 50_000,
    "points without end": "- " * 50_000,
    "megabytes": "a: 1\n" * 300_000,
    "a date that is none": "a: !!timestamp x",
    "a whole number that is none": "a: !!int",
    "a truth that is none": "a: !!bool x",
    "a program": "a: !!python/object/apply:os.system [id]",
    "a merge that grows": "!!merge <<: [{a: 1}]",
    "a character that is none": 'a: "\\U00110000"',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_yaml_of_a_stranger_is_refused_in_one_line(tmp_path, name):
    path = tmp_path / "params.yaml"
    path.write_text(HOSTILE[name])
    with pytest.raises(InputError, match=r"params\.yaml: expected YAML"):
        params.document(path)


def test_a_value_that_repeats_itself_is_shown_short(tmp_path):
    path = tmp_path / "params.yaml"
    lists = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 30)]
    path.write_text("\n".join(["l0: &l0 [1]", *lists]))
    with pytest.raises(InputError, match=r"^l29: expected a mapping, got \[\[\["):
        params.load(Noise, "l29", path)
