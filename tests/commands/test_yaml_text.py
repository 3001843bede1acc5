"""Numbers are replaced where they stand; all else keeps its bytes."""

import yaml

from echoes.commands import yaml_text

TEXT = """# a street
ego: {speed: 4.0}
radar:
  range_m: [1.5, 78.0]   # near, far
  clutter:
    alarms: 12.0         # mean
  power: 1
"""


def test_values_change_in_place_and_comments_stay():
    changed = yaml_text.with_values(
        TEXT, {"radar.power": 2.5, "radar.range_m": (2.0, 9.0), "radar.clutter.alarms": 3.0}
    )
    assert changed == (
        TEXT.replace("power: 1", "power: 2.5").replace("[1.5, 78.0]", "[2.0, 9.0]").replace("12.0 ", "3.0 ")
    )


def test_a_key_comes_first_in_its_section_in_either_layout():
    block = yaml_text.with_key(TEXT, "radar", "spread", {"a": 0.5, "b": 1.0})
    assert "radar:\n  spread: {a: 0.5, b: 1.0}\n  range_m: [1.5, 78.0]   # near, far\n" in block
    flow = yaml_text.with_key(TEXT, "ego", "spread", {"a": 0.5})
    assert yaml.safe_load(flow)["ego"] == {"spread": {"a": 0.5}, "speed": 4.0}


def test_whether_a_text_has_a_key():
    assert yaml_text.has(TEXT, "radar.clutter.alarms")
    assert not yaml_text.has(TEXT, "radar.spread")
    assert yaml_text.has(TEXT.replace("power: 1", "spread: null"), "radar.spread")


def test_a_key_comes_last_in_its_section_in_either_layout():
    block = yaml_text.with_last_key(TEXT, "radar", "spread", "none")
    assert block == TEXT + "  spread: none\n"
    inner = yaml_text.with_last_key(TEXT, "radar.clutter", "spread", 1.5)
    assert "    alarms: 12.0         # mean\n    spread: 1.5\n  power: 1\n" in inner
    assert yaml_text.with_last_key(TEXT, "ego", "spread", None) == TEXT.replace("4.0}", "4.0, spread: null}")
    assert yaml_text.with_last_key(TEXT.rstrip("\n"), "radar", "spread", "none") == block


def test_values_on_one_line_read_back_as_they_were():
    values = {"a": [1, 2.5, True, None], "b": "", "c": "true", "d": "tcp://10.0.0.1:8786", "e": "plain/word", "f": "1"}
    assert yaml.safe_load(yaml_text.flow(values)) == values
    assert yaml_text.flow(values).startswith('{a: [1, 2.5, true, null], b: "", c: "true", ')
    assert "e: plain/word" in yaml_text.flow(values)
