"""A training stage that is killed under DVC goes on when the same command runs again, to the same bytes."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from echoes import files
from repository import TRACK, Repository

STAGES = {"train_vae": "vae", "train_ldm": "ldm", "distill_cd": "cd"}
STEPS = 24
EVERY = 2  # steps between two saved states
MOMENTS = ("imports", "steps", "saving", "last step", "artifact")
VICTIMS = ("stage", "group")
MACHINE = ("seconds.tsv", "samples_per_s.tsv", "peak_memory_mb.tsv")  # curves that are not of the training alone
HOW = "run the same command again to go on from its saved state"
PATIENCE_S = 600.0


def lengthen(checkout: Repository) -> None:
    """Trainings of some seconds, whose state is saved at every second step."""
    path = checkout.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["runtime"] |= {"checkpoint": {"steps": EVERY, "minutes": 0.0}, "previews": 10}
    for section in STAGES.values():
        params[TRACK][section]["schedule"] |= {
            "steps": STEPS,
            "validation": {"every": 10, "patience": 0, "keep": "best"},
        }
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def left(checkout: Repository, stage: str) -> dict[str, Any]:
    """What a stage made, less what was measured of the machine."""
    metrics = checkout.root / "metrics" / TRACK
    numbers = json.loads((metrics / f"{stage}.json").read_text())
    live = metrics / "live" / stage / "plots"
    curves = {name: (live / "metrics" / name).read_text() for name in files.names(live / "metrics")}
    assert {"loss.tsv", "lr.tsv", "val_error.tsv", *MACHINE} <= set(curves)
    assert all(curves.pop(name).count("\n") == STEPS + 1 for name in MACHINE)
    return {
        "weights": files.digest(checkout.root / "data" / TRACK / f"{STAGES[stage]}.safetensors"),
        "numbers": {name: value for name, value in numbers.items() if name not in ("seconds", "peak_memory_mb")},
        "curves": curves,
        "pictures": files.digest(live / "images"),
    }


@pytest.fixture(scope="module")
def straight(built: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A checkout whose longer trainings were never killed; not to be changed."""
    checkout = built.copy(tmp_path_factory.mktemp("straight"))
    lengthen(checkout)
    checkout.dvc("repro", f"distill_cd@{TRACK}")
    return checkout


@dataclass(frozen=True)
class Run:
    """A DVC command that runs a training stage, in a session of its own."""

    checkout: Repository
    stage: str
    dvc: subprocess.Popen
    output: Path

    def child(self) -> int | None:
        """The process of the stage, None where there is none."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                    ours = os.getsid(int(entry.name)) == self.dvc.pid
                except OSError:  # it has ended
                    continue
                if ours and b"python" in command[0] and f"stages/{self.stage}.py".encode() in command[1:2]:
                    return int(entry.name)
        return None

    def state(self) -> Path | None:
        """The saved state."""
        states = self.checkout.root.glob(f".dvc/tmp/scratch/{self.stage}@{TRACK}/*/state.safetensors")
        return next(iter(sorted(states, key=lambda path: path.stat().st_mtime_ns)[-1:]), None)

    def wait(self, reached: Callable[[], Any]) -> Any:
        """What `reached` gives once it is true."""
        ends = time.monotonic() + PATIENCE_S
        while not (found := reached()):
            assert time.monotonic() < ends, f"{self.stage}: waited too long"
            assert self.dvc.poll() is None, f"{self.stage} ended before it was killed\n{self.said()}"
            time.sleep(0.0005)
        return found

    def saved_anew(self) -> None:
        """Wait for a state of this run."""
        before = _version(self.state())
        self.wait(lambda: _version(self.state()) not in (before, None))

    def said(self) -> str:
        """What the command and its stage have printed."""
        return self.output.read_text()

    def end(self) -> int:
        """The status with which the command ended."""
        return self.dvc.wait(timeout=PATIENCE_S)


def _version(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_mtime_ns
    except FileNotFoundError:  # the training has ended meanwhile
        return None


@contextmanager
def running(checkout: Repository, stage: str, *command: str) -> Iterator[Run]:
    """`dvc repro` of a stage, or another DVC command; killed at the end if it still runs."""
    command = command or ("repro", f"{stage}@{TRACK}")
    output = checkout.home / f"{time.monotonic_ns()}.log"
    with output.open("w") as said:
        dvc = subprocess.Popen(
            ["dvc", *command],
            cwd=checkout.root,
            env=checkout.variables(),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    run = Run(checkout, stage, dvc, output)
    try:
        yield run
    finally:
        if dvc.poll() is None:
            os.killpg(dvc.pid, signal.SIGKILL)
            dvc.wait()


def last_step(run: Run) -> bool:
    """Whether the state of the last step is saved."""
    state = run.state()
    return state is not None and f'\\"step\\":{STEPS - 1}'.encode() in _head(state)


def _head(path: Path) -> bytes:
    """Where safetensors has the header of a file."""
    try:
        with path.open("rb") as file:
            return file.read(int.from_bytes(file.read(8), "little")).replace(b" ", b"")
    except FileNotFoundError:
        return b""


def writing(run: Run, place: Path, name: str) -> None:
    """Wait until a file is being written; what killed writers have left does not count."""
    left = set(place.glob(f".{name}.????????.partial"))
    run.wait(lambda: set(place.glob(f".{name}.????????.partial")) - left)


def reach(run: Run, moment: str, rng: random.Random) -> None:
    """Wait for a random moment of a part of a run."""
    if moment == "imports":
        time.sleep(rng.uniform(0.0, 2.0))
    elif moment == "steps":
        for _ in range(rng.randint(1, 2)):
            run.saved_anew()
        time.sleep(rng.uniform(0.0, 0.3))
    elif moment == "saving":
        run.saved_anew()
        state = run.state()
        assert state is not None
        writing(run, state.parent, state.name)
    else:  # while the picture is drawn, or about when the artifact is written
        if last_step(run):
            run.wait(lambda: f"going on from step {STEPS}" in run.said())
        run.wait(lambda: last_step(run))
        time.sleep(rng.uniform(0.0, 0.2) if moment == "last step" else rng.uniform(0.15, 0.4))


def kill(checkout: Repository, stage: str, moment: str, victim: str, rng: random.Random, *command: str) -> str:
    """SIGKILL to the stage, or to it and DVC; gives what they had said."""
    with running(checkout, stage, *command) as run:
        child = run.wait(run.child)
        reach(run, moment, rng)
        assert run.child() == child, f"{stage} ended before it was killed at: {moment}\n{run.said()}"
        if victim == "group":
            os.killpg(run.dvc.pid, signal.SIGKILL)
        else:
            os.kill(child, signal.SIGKILL)
        assert run.end() != 0
        return run.said()


def through(checkout: Repository, straight: Repository, kills: dict[str, list[tuple[str, str]]]) -> tuple[int, int]:
    """Kill each stage at its moments, one run after the other, and then let it end.

    returns (kills, those after which the next run went on from a saved state).
    """
    lengthen(checkout)
    killed = resumed = 0
    for stage, moments in kills.items():
        said = []
        for moment, victim in moments:
            said.append(kill(checkout, stage, moment, victim, random.Random(killed)))
            killed += 1
        said.append(checkout.dvc("repro", f"{stage}@{TRACK}"))
        resumed += sum("going on from step" in text for text in said)
        assert left(checkout, stage) == left(straight, stage), f"{stage} after {moments}\n" + "\n".join(said)
        assert not list(checkout.root.glob(f".dvc/tmp/scratch/{stage}@{TRACK}/*/state.safetensors"))
    return killed, resumed


@pytest.mark.slow
def test_each_stage_goes_on_after_a_kill_to_the_same_bytes(checkout: Repository, straight: Repository) -> None:
    kills = {
        "train_vae": [("saving", "group")],
        "train_ldm": [("steps", "stage")],
        "distill_cd": [("last step", "group")],
    }
    assert through(checkout, straight, kills) == (3, 3)


@pytest.mark.slow
def test_thirty_kills_at_random_moments_leave_the_same_bytes(checkout: Repository, straight: Repository) -> None:
    each = [(moment, victim) for moment in MOMENTS for victim in VICTIMS]
    killed, resumed = through(checkout, straight, dict.fromkeys(STAGES, each))
    print(f"{killed} kills, {resumed} runs that went on from a saved state, the same bytes of {len(STAGES)} stages")
    assert killed == 30
    assert resumed >= 15


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stage_that_is_asked_to_stop_under_dvc_says_how_to_go_on(
    checkout: Repository, straight: Repository, number: signal.Signals
) -> None:
    lengthen(checkout)
    with running(checkout, "train_vae") as run:
        child = run.wait(run.child)
        run.saved_anew()
        if number == signal.SIGINT:
            os.killpg(run.dvc.pid, number)  # as a terminal does
        else:
            os.kill(child, number)
        assert run.end() != 0
        assert f"stopped by {number.name} after step" in run.said()
        assert HOW in run.said()
    assert "going on from step" in checkout.dvc("repro", f"train_vae@{TRACK}")
    assert left(checkout, "train_vae") == left(straight, "train_vae")


@pytest.mark.slow
def test_a_stage_that_outlives_dvc_hands_over_to_the_next_run(checkout: Repository, straight: Repository) -> None:
    lengthen(checkout)
    with running(checkout, "train_vae") as run:
        orphan = run.wait(run.child)
        run.saved_anew()
        os.kill(orphan, signal.SIGSTOP)  # else it might end before the next run is there
        os.kill(run.dvc.pid, signal.SIGKILL)
        run.end()
        with running(checkout, "train_vae") as following:
            asked = f"process {orphan} still runs in this folder and is asked to stop"
            following.wait(lambda: asked in following.said())
            os.kill(orphan, signal.SIGCONT)
            assert following.end() == 0
    assert "going on from step" in following.said()
    assert not Path("/proc", str(orphan)).exists()
    assert left(checkout, "train_vae") == left(straight, "train_vae")


@pytest.mark.slow
def test_other_params_begin_afresh_and_say_so(checkout: Repository) -> None:
    lengthen(checkout)
    kill(checkout, "train_vae", "steps", "stage", random.Random(0))
    checkout.change("vae.schedule", seed=1, steps=4)
    said = checkout.dvc("repro", f"train_vae@{TRACK}")
    assert re.search(
        r"beginning afresh, for the state in \S+ is of other params.schedule.seed, params.schedule.steps$",
        said,
        re.MULTILINE,
    )
    assert "going on" not in said


@pytest.mark.slow
@pytest.mark.parametrize("beside", [(), ("--temp",)])
def test_an_experiment_goes_on_after_a_kill(
    checkout: Repository, straight: Repository, beside: tuple[str, ...]
) -> None:
    lengthen(checkout)
    command = ("exp", "run", *beside, "--name", "long", f"train_vae@{TRACK}")
    kill(checkout, "train_vae", "steps", "group", random.Random(0), *command)
    checkout.run("git", "switch", "main")  # as docs/experiments.md says
    assert "going on from step" in checkout.dvc(*command)
    checkout.dvc("exp", "apply", "long")
    assert left(checkout, "train_vae") == left(straight, "train_vae")
