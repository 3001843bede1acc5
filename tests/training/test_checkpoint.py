"""A training that goes on from a saved state ends as one that never stopped; another training never takes it."""

import fcntl
import logging
import multiprocessing
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch

import trainings
from echoes import weights
from echoes.errors import InputError
from echoes.training.checkpoint import Checkpoints
from trainings import STAGE, StoppedError, content, fit, network, runtime, schedule

SAVING = runtime()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A project of its own, with the script of a stage."""
    trainings.enter(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="echoes")
    return lambda: " ".join(record.getMessage() for record in caplog.records)


def states():
    return sorted(Path(".dvc/tmp/scratch/train_toy@toys").glob("*/state.safetensors"))


def stopped(p, stop, r=SAVING, parents=None, size=1.0):
    with pytest.raises(StoppedError):
        fit(p, r, parents, stop, size=size)


@pytest.mark.parametrize("stop", [1, 4, 11])
@pytest.mark.parametrize("every", [1, 3])
def test_a_training_that_goes_on_ends_with_the_bytes_of_one_that_never_stopped(stop, every, tmp_path):
    p = schedule()
    straight = fit(p, SAVING)
    stopped(p, stop, runtime(checkpoint={"steps": every, "minutes": 0.0}))
    again = fit(p, SAVING)
    assert again.seen[0] == stop // every * every
    assert content(again) == content(straight)


def test_several_stops_are_no_different_from_one():
    p = schedule(accumulate=2)
    straight = fit(p, SAVING)
    for stop in (2, 3, 7):
        stopped(p, stop)
    assert content(fit(p, SAVING)) == content(straight)


@pytest.mark.parametrize("stop", [4, 7, 11])
def test_a_training_on_a_plateau_goes_on_with_the_learning_rate_that_it_had(stop):
    plateau = {"kind": "plateau", "factor": 0.5, "patience": 0, "threshold": 0.5, "floor": 0.0}
    p = schedule(decay=plateau, validation={"every": 2, "patience": 0, "keep": "best"})
    straight = fit(p, SAVING)
    rates = [row["lr"] for row in straight.log.state()["rows"] if "lr" in row]
    assert rates[-1] < rates[stop] < rates[3] if stop < 11 else rates[-1] < rates[3]
    stopped(p, stop)
    assert content(fit(p, SAVING)) == content(straight)


@pytest.mark.parametrize("stop", [1, 4, 11])
def test_a_training_in_float16_goes_on_with_the_scale_that_its_loss_had(stop):
    """Of a loss so large that the first scales are too."""
    p = schedule(precision="float16")
    straight = fit(p, SAVING, size=1e3)
    told = [(row["loss_scale"], row["skipped"]) for row in straight.log.state()["rows"] if "skipped" in row]
    assert told[0] == (2.0**16, 1)
    assert told[-1][0] < 2**14
    assert [scale for scale, _ in told[1:]] == [scale / 2 if skipped else scale for scale, skipped in told[:-1]]
    stopped(p, stop, size=1e3)
    assert content(fit(p, SAVING, size=1e3)) == content(straight)


def test_how_often_the_state_is_saved_changes_nothing():
    p = schedule()
    never = fit(p, runtime(checkpoint={"steps": 0, "minutes": 0.0}))
    assert content(fit(p, SAVING)) == content(never)
    assert content(fit(p, runtime(checkpoint={"steps": 0, "minutes": 1e-9}))) == content(never)


class Slow:
    """What takes a moment to save."""

    def tensors(self):
        time.sleep(0.05)
        return {}

    def state(self):
        return None

    def restore(self, tensors, state):
        pass


@pytest.mark.parametrize(
    ("config", "due"), [({"steps": 0, "minutes": 1e-9}, False), ({"steps": 1, "minutes": 0.0}, True)]
)
def test_a_state_that_takes_long_to_save_is_saved_less_often_by_the_clock(config, due):
    p, module = schedule(), network()
    checkpoints = Checkpoints(STAGE, "toys", p, {}, runtime(checkpoint=config).checkpoint, {"slow": Slow()})
    assert checkpoints.due(0)
    with checkpoints:
        checkpoints.save(0, module, torch.optim.AdamW(module.parameters()), torch.amp.GradScaler("cpu", enabled=False))
        assert checkpoints.due(1) == due


def saving(config=None):
    """The saved states of a small network, and what saves one of them."""
    module = network()
    optimizer, scaler = torch.optim.AdamW(module.parameters()), torch.amp.GradScaler("cpu", enabled=False)
    checkpoints = Checkpoints(STAGE, "toys", schedule(), {}, (config or SAVING).checkpoint, {})
    return checkpoints, module, lambda step: checkpoints.save(step, module, optimizer, scaler), optimizer, scaler


def test_a_state_is_that_of_its_step_however_soon_the_training_goes_on():
    checkpoints, module, save, *others = saving()
    module.big = torch.nn.Parameter(torch.ones(1 << 22))  # takes longer to hash than the weights to change
    with checkpoints:
        save(3)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
        checkpoints.wait()
        assert checkpoints.restore(module, *others) == 4
    assert all(parameter.any() for parameter in module.parameters())


def test_one_state_is_written_at_a_time_and_the_clock_asks_for_none_meanwhile():
    checkpoints, _, save, *_ = saving(runtime(checkpoint={"steps": 0, "minutes": 1e-9}))
    gate = threading.Event()
    with checkpoints:
        checkpoints._writing = checkpoints._writer.submit(gate.wait, 2.0)
        assert not checkpoints.due(0)
        threading.Timer(0.1, gate.set).start()
        save(1)
        assert gate.is_set()
        checkpoints.wait()
        assert len(states()) == 1


def unwritable(checkpoints):
    """Put a file where the folder of the states was."""
    checkpoints.wait()
    (state,) = states()
    shutil.rmtree(state.parent)
    state.parent.write_text("")


def failing(wait, raised=None):
    """A state that can not be written, steps of a training for as long as `wait` says [s], and maybe another error."""
    checkpoints, _, save, *_ = saving()
    with checkpoints:
        save(0)
        unwritable(checkpoints)
        save(1)
        ends = time.monotonic() + wait
        while time.monotonic() < ends:
            checkpoints.due(2)
            time.sleep(0.01)
        if wait:
            raise AssertionError("no step was ended")
        if raised:
            raise raised


def test_an_error_of_the_writer_ends_the_next_step():
    with pytest.raises(OSError, match="train_toy@toys"):
        failing(5.0)


def test_an_error_of_the_last_writer_ends_the_training_unless_another_one_did():
    with pytest.raises(OSError, match="train_toy@toys"):
        failing(0.0)
    next(Path(".dvc/tmp/scratch/train_toy@toys").iterdir()).unlink()
    with pytest.raises(StoppedError):
        failing(0.0, StoppedError())


def test_a_kill_while_a_state_is_written_leaves_it_or_the_one_before():
    """Of a training that saves each step, so that a state is nearly always being written."""
    p = schedule(steps=4000, validation={"every": 0, "patience": 0, "keep": "last"})
    for moment in (0.2, 0.35):
        training = multiprocessing.get_context("fork").Process(target=fit, args=(p, SAVING))
        training.start()
        for _ in range(1000):
            if states():
                break
            time.sleep(0.01)
        time.sleep(moment)
        training.kill()
        training.join()
    (state,) = states()
    tensors, header = weights.load(state, "checkpoint")
    assert header.content["step"] > 0
    assert {float(value) for name, value in tensors.items() if name.endswith("/step")} == {header.content["step"] + 1.0}


def test_the_state_is_removed_once_the_training_has_left_its_artifact():
    stopped(schedule(), 5)
    assert len(states()) == 1
    fit(schedule(), SAVING)
    assert states() == []


def test_a_state_that_is_complete_trains_no_further_step():
    """A stage that is killed after its last step, before its artifact is there."""
    p = schedule()
    straight = fit(p, SAVING)
    stopped(p, p.steps)
    again = fit(p, SAVING)
    assert again.seen == []
    assert content(again) == content(straight)


@pytest.mark.parametrize(
    ("change", "parents", "named"),
    [({"lr": 0.03}, None, "params.schedule.lr"), ({}, {"grids": "other"}, "parents.grids")],
)
def test_other_params_or_data_begin_afresh_and_say_what_changed(change, parents, named, said):
    stopped(schedule(), 5)
    found = fit(schedule(**change), SAVING, parents)
    assert found.seen[0] == 0
    assert f"beginning afresh, for the state in {states()[0].parent} is of other {named}" in said()


def test_going_back_to_the_old_params_goes_on_with_their_state(said):
    stopped(schedule(), 5)
    fit(schedule(lr=0.03), SAVING)
    assert fit(schedule(), SAVING).seen[0] == 5
    assert "going on from step 5" in said()


def test_other_code_begins_afresh():
    stopped(schedule(), 5)
    Path("stages", "train_toy.py").write_text("# another idea\n")
    assert fit(schedule(), SAVING).seen[0] == 0


def test_states_lie_in_the_main_repository_also_where_dvc_runs_a_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "main"))
    stopped(schedule(), 5)
    assert states() == []
    assert len(list((tmp_path / "main" / ".dvc" / "tmp" / "scratch").rglob("state.safetensors"))) == 1


def test_a_twin_goes_on_from_the_state_and_leaves_the_writing_to_the_first(said):
    stopped(schedule(), 5)
    (state,) = states()
    with (state.parent / "lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = state.read_bytes()
        assert fit(schedule(), SAVING).seen[0] == 5
        assert state.read_bytes() == before
    assert "another run of the same training saves its state" in said()


def test_a_damaged_state_is_refused_by_name():
    stopped(schedule(), 5)
    (state,) = states()
    damaged = bytearray(state.read_bytes())
    damaged[-3] ^= 1
    state.write_bytes(damaged)
    with pytest.raises(InputError, match=rf"^{state}: .*; remove {state.parent} to begin afresh$"):
        fit(schedule(), SAVING)


def test_a_state_of_another_number_of_threads_goes_on_with_a_warning(said):
    stopped(schedule(), 5)
    torch.set_num_threads(2)
    try:
        fit(schedule(), SAVING)
    finally:
        torch.set_num_threads(1)
    assert "bytes may differ" in said()
