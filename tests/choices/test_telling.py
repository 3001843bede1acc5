"""Before a stage works a line tells what was changed although it has no effect, and no line tells anything else."""

import logging
from pathlib import Path

import pytest
import yaml

from echoes.choices import ldm, telling
from echoes.choices.rules import only

BEFORE = {"architecture": {"parameterization": "edm", "ddpm": {"steps": 1000}, "edm": {"sigma_data": 0.5}}, "lr": 1e-5}
# As DVC writes it: two stages of two tracks, numbers as ruamel spells them.
LOCK = """schema: '2.0'
stages:
  train_ldm@mine:
    cmd: env PYTHONPATH=src python stages/train_ldm.py mine
    deps:
    - path: data/mine/code/train_ldm.json
      hash: md5
      md5: 5e3c
      size: 3
    params:
      params.yaml:
        mine.ldm:
          architecture:
            parameterization: edm
            ddpm:
              steps: 1000
            edm:
              sigma_data: 0.5
          lr: 1e-05
    outs:
    - path: data/mine/ldm.safetensors
      params: [1
  train_ldm@mine_too:
    cmd: python
    params:
      params.yaml:
        mine_too.ldm:
          lr: 2e-05
"""
STEPS = "mine.ldm.architecture.ddpm.steps has no effect, as architecture.parameterization is edm"
ALONE = "; nothing else of mine.ldm has changed since the last run"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """changes of the section `ldm` -> the lines that a stage tells of them."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(LOCK)

    def lines(ldm_of_today: dict) -> list[str]:
        caplog.clear()
        Path("params.yaml").write_text(yaml.safe_dump({"mine": {"ldm": ldm_of_today}}))
        with caplog.at_level(logging.INFO):
            telling.tell("train_ldm", "mine", lambda section: ldm.CHOICES)
        return [record.getMessage() for record in caplog.records]

    return lines


def changed(lr: float = 1e-5, **architecture: object) -> dict:
    return {"architecture": {**BEFORE["architecture"], **architecture}, "lr": lr}


def test_what_changed_in_vain_is_told_in_one_line(told) -> None:
    assert told(changed(ddpm={"steps": 500})) == [f"train_ldm: {STEPS}{ALONE}"]
    assert told(changed(ddpm={"steps": 500}, lr=2e-5)) == [f"train_ldm: {STEPS}"]


def test_nothing_is_told_of_what_has_an_effect_or_did_not_change(told) -> None:
    assert told(BEFORE) == []
    assert told(changed(lr=2e-5)) == []
    assert told(changed(edm={"sigma_data": 1.0})) == []
    assert told(changed(parameterization="ddpm", ddpm={"steps": 500})) == []
    assert told(changed(flow={"steps": 500})) == []  # a key that the last run did not have


def test_a_stage_that_never_ran_tells_nothing(told) -> None:
    Path("dvc.lock").unlink()
    assert told(changed(ddpm={"steps": 500})) == []
    Path("dvc.lock").write_text(LOCK.replace("train_ldm@mine:", "train_vae@mine:"))
    assert told(changed(ddpm={"steps": 500})) == []


def test_of_a_lock_the_lines_of_the_stage_are_read_and_no_others(told) -> None:
    assert telling.last_run("train_ldm", "mine", Path("dvc.lock")) == {"mine.ldm": BEFORE}
    assert telling.last_run("train_ldm", "mine_too", Path("dvc.lock")) == {"mine_too.ldm": {"lr": 2e-5}}


def test_two_values_are_told_in_one_line() -> None:
    before = {"kind": "a", "b": 1, "c": 2}
    line = telling.changed_in_vain("t.s", before, {**before, "b": 2, "c": 3}, [only("kind", ["b"], "b", "c")])
    assert line.count("\n") == 0
    assert line.startswith("t.s.b has no effect, as kind is a; t.s.c has no effect, as kind is a; nothing else of t.s ")
