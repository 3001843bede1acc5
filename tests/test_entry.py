"""A user's error is one line and a status of 2; anything else is a traceback."""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest

from echoes import entry
from echoes.errors import InputError

NEW = "echoes.models.new"  # a module that no stage depends on


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The stages run in a folder of their own."""
    monkeypatch.chdir(tmp_path)


def test_a_stage_gets_the_track(monkeypatch):
    monkeypatch.setattr("sys.argv", ["stages/voxelize.py", "radar"])
    seen = []
    entry.run(seen.append)
    assert seen == ["radar"]


def test_what_a_stage_took_is_told_when_it_has_ended_and_by_the_first_of_several_processes(monkeypatch):
    costs = Path("logs/radar/voxelize.json")
    monkeypatch.setattr("sys.argv", ["stages/voxelize.py", "radar"])
    monkeypatch.setenv("RANK", "1")
    entry.run(lambda track: None)
    assert not costs.exists()
    monkeypatch.setenv("RANK", "0")
    entry.run(lambda track: time.sleep(0.05))
    told = json.loads(costs.read_text())
    assert set(told) == {"seconds", "peak_memory_mb"}
    assert 0.05 <= told["seconds"] < 5
    assert 10 < told["peak_memory_mb"] < 10_000


def test_a_wrong_input_is_one_line_and_status_2(monkeypatch, capsys):
    def main(track):
        raise InputError(f"{track}.ldm.lr: expected a number, got 'fast'")

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(SystemExit) as raised:
        entry.run(main)
    assert raised.value.code == 2
    assert capsys.readouterr().err == "train_ldm: radar.ldm.lr: expected a number, got 'fast'\n"


def test_a_loss_that_is_not_finite_is_one_line_too(monkeypatch, capsys):
    def main(track):
        raise FloatingPointError("the loss is nan at step 7")

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(SystemExit):
        entry.run(main)
    assert capsys.readouterr().err.count("\n") == 1


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    def main(track):
        raise ZeroDivisionError

    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(ZeroDivisionError):
        entry.run(main)


@pytest.mark.parametrize("words", [[], ["radar", "astyx"]])
def test_anything_but_one_track_is_answered_with_the_usage(monkeypatch, words):
    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", *words])
    with pytest.raises(SystemExit, match=r"usage: python stages/train_ldm\.py TRACK"):
        entry.run(print)


def write_pipeline(*deps: str) -> None:
    lines = [f"      - {dep}\n" for dep in ("data/${item.track}/latents", *deps)]
    Path("dvc.yaml").write_text("stages:\n  train_ldm:\n    deps:\n" + "".join(lines))


def refused(monkeypatch, capsys, main) -> list[str]:
    """What a stage prints that ends with status 2."""
    monkeypatch.setattr("sys.argv", ["stages/train_ldm.py", "radar"])
    with pytest.raises(SystemExit) as raised:
        entry.run(main)
    assert raised.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_a_stage_does_not_start_that_has_imported_what_it_does_not_depend_on(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, NEW, ModuleType(NEW))
    known = {name.split(".")[1] for name in sys.modules if name.startswith("echoes.")} - {"models"}
    write_pipeline(*(f"src/echoes/{name}{suffix}" for name in known for suffix in ("", ".py")))
    seen = []
    (told,) = refused(monkeypatch, capsys, seen.append)
    assert told.startswith("train_ldm: dvc.yaml: stages.train_ldm.deps: expected src/echoes/models/")
    assert seen == []


def test_a_stage_ends_as_failed_that_has_imported_such_a_module_on_its_way(monkeypatch, capsys):
    known = sorted(name for name in sys.modules if name.startswith("echoes."))
    write_pipeline(*(f"src/{name.replace('.', '/')}.py" for name in known))
    (told,) = refused(monkeypatch, capsys, lambda track: monkeypatch.setitem(sys.modules, NEW, ModuleType(NEW)))
    assert told.startswith("train_ldm: dvc.yaml: stages.train_ldm.deps: expected src/echoes/models/new.py, ")


@pytest.mark.parametrize("dep", ["src/echoes", "src/echoes/models/new.py"])
def test_a_dep_covers_a_module_by_its_file_or_by_a_folder_of_it(monkeypatch, dep):
    monkeypatch.setattr("sys.modules", {"echoes": ModuleType("echoes"), NEW: ModuleType(NEW), "echoesque": None})
    write_pipeline(dep)
    entry.require_listed("train_ldm", "radar")


def test_the_deps_of_a_stage_for_each_of_a_list_are_those_of_what_it_repeats(monkeypatch):
    Path("dvc.yaml").write_text("stages: {train_ldm: {foreach: [radar], do: {deps: [src/echoes/entry.py]}}}\n")
    with pytest.raises(InputError, match=r"^dvc\.yaml: stages\.train_ldm\.deps: expected src/echoes/"):
        entry.require_listed("train_ldm", "radar")


def test_what_a_track_leads_to_is_listed_in_a_file_of_its_own(monkeypatch):
    monkeypatch.setattr("sys.modules", {"echoes": ModuleType("echoes"), NEW: ModuleType(NEW)})
    write_pipeline("data/${item.track}/code/train_ldm.json")
    with pytest.raises(InputError, match=r"^data/radar/code/train_ldm\.json: no such file; .* select_code@radar`"):
        entry.require_listed("train_ldm", "radar")
    listed = Path("data", "radar", "code", "train_ldm.json")
    listed.parent.mkdir(parents=True)
    for modules, covered in (({}, False), ({"src/echoes/models/new.py": "sha"}, True)):
        listed.write_text(json.dumps(modules))
        with nullcontext() if covered else pytest.raises(InputError, match=r"expected src/echoes/models/new\.py"):
            entry.require_listed("train_ldm", "radar")


def test_where_no_pipeline_names_the_stage_its_imports_are_not_asked_for(monkeypatch):
    entry.require_listed("train_ldm", "radar")
    write_pipeline()
    entry.require_listed("train_toy", "radar")
