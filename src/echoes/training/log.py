"""What a training says of itself while it runs: curves and pictures, a log file, and what trackers are told."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from dvclive import Live
from scmrepo.exceptions import SCMError
from torch import Tensor

from echoes import files
from echoes.compute import distributed
from echoes.errors import InputError
from echoes.training.clock import Clock
from echoes.training.trackers import Tracker

LOG = logging.getLogger(__name__)
NUMBERS = logging.getLogger(f"{__name__}.numbers")  # for the log file alone: the terminal has a progress bar
NUMBERS.propagate = False
LOGGERS = (logging.getLogger("echoes"), NUMBERS)
ROWS = 200  # at most, whatever the number of steps: enough to see, small in a diff


class Log:
    """Means over intervals of a training, one row each; a context and a part of checkpoints.

    DVCLive has them in metrics/<track>/live/<stage>, the log file is in logs/<track>.
    """

    def __init__(
        self, stage: str, track: str, steps: int, previews: int, trackers: Sequence[Tracker], clock: Clock
    ) -> None:
        """previews: steps between two pictures, 0 for none on the way."""
        self._stage, self._steps, self._previews = stage, steps, previews
        self._folder, self._logs = Path("metrics", track, "live", stage), Path("logs", track)
        self._pictures = self._folder / "plots" / "images" / "samples"
        self._every, self._trackers, self._clock = max(1, steps // ROWS), trackers, clock
        self._rows: list[dict[str, float]] = []
        self._laps: list[dict[str, float]] = []
        self._pending: list[dict[str, float]] = []
        self._live: Live | None = None
        self._file: logging.Handler | None = None

    def __enter__(self) -> "Log":
        """Raises InputError in a git repository without a commit, which DVCLive does not work in."""
        if distributed.is_first():
            # No report, no experiment and no dvc.yaml of its own: the pipeline has these.
            try:
                self._live = Live(str(self._folder), save_dvc_exp=False, dvcyaml=None)
            except SCMError as error:
                raise InputError(f"git: expected a repository with one commit or more, got {error}") from error
            self._logs.mkdir(parents=True, exist_ok=True)
            self._file = logging.FileHandler(self._logs / f"{self._stage}.log")
            self._file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
            for logger in LOGGERS:
                logger.setLevel(logging.INFO)
                logger.addHandler(self._file)
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            LOG.info("%s: ended by %s: %s", self._stage, type(error).__name__, error)
        if self._live is not None and self._file is not None:
            self._live.end()
            # Its last values, which the metrics of the stage have too.
            files.remove(Path(self._live.metrics_file))
            for logger in LOGGERS:
                logger.removeHandler(self._file)
            self._file.close()
            for tracker in self._trackers:
                tracker.close()

    def add(self, step: int, **values: float) -> None:
        """What a step gave; the rows hold means over intervals."""
        self._pending.append(values)
        if (step + 1) % self._every == 0 or step + 1 == self._steps:
            means, lap = _means(self._pending), self._clock.lap(len(self._pending))
            self._pending = []
            self._laps.append({"step": step + 1, **lap})
            self._rows.append({"step": step + 1, **means})
            self._tell(step + 1, {**means, **lap})
            self._write(step, {**means, **lap})

    def note(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of one step, as they are; none for no row."""
        if values:
            self._rows.append({"step": step + 1, **values})
            self._tell(step + 1, values)
            self._write(step, values)

    def last(self, name: str) -> float:
        """The mean over the last tenth of the rows that have this number."""
        values = [row[name] for row in self._rows if name in row]
        tail = values[-max(1, len(values) // 10) :]
        return sum(tail) / len(tail)

    def pictured(self, step: int) -> bool:
        """Whether a picture is wanted after a step; that of the last one is drawn when the weights are chosen."""
        return self._previews > 0 and (step + 1) % self._previews == 0 and step + 1 < self._steps

    def picture(self, step: int) -> Path:
        """Where the picture of a step belongs; DVC's plots and VS Code show them by step."""
        return self._pictures / f"{step + 1}.png"

    def draw(self, step: int, draw: Callable[[Path], None]) -> None:
        """The picture of a step, drawn by `draw` at a path."""
        draw(self.picture(step))
        self._show(step + 1)

    @property
    def costs(self) -> dict[str, float]:
        """For the metrics of the stage: `seconds` and `peak_memory_mb`."""
        return {"seconds": self._clock.seconds, "peak_memory_mb": self._clock.peak_mb}

    def tensors(self) -> dict[str, Tensor]:
        """The pictures so far, as bytes."""
        found = {path.name: bytearray(path.read_bytes()) for path in self._pictures.glob("*.png")}
        return {name: torch.frombuffer(content, dtype=torch.uint8) for name, content in found.items()}

    def state(self) -> dict[str, Any]:
        """`machine`: what another machine, or another hour, would have measured otherwise."""
        machine = {"laps": self._laps, **self._clock.state()}
        return {"rows": self._rows, "pending": self._pending, "machine": machine}

    def restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Tell the rows and leave the pictures so far once more, because DVC clears away what a killed run has told."""
        self._rows, self._pending = [dict(row) for row in state["rows"]], [dict(v) for v in state["pending"]]
        self._laps = [dict(row) for row in state["machine"]["laps"]]
        self._clock.restore(state["machine"])
        if self._live is None:
            return
        for name, content in tensors.items():
            with files.replacing(self._pictures / name) as temporary:
                temporary.write_bytes(content.numpy().tobytes())
        # In the order of the steps, which some trackers insist on.
        pictures = [{"step": float(Path(name).stem)} for name in tensors]
        for row in sorted([*self._rows, *self._laps, *pictures], key=lambda row: row["step"]):
            step, values = int(row["step"]), {name: value for name, value in row.items() if name != "step"}
            if values:
                self._tell(step, values)
            else:
                self._show(step)

    def _tell(self, step: int, values: Mapping[str, float]) -> None:
        """step: counted from 1, as in all that is read."""
        if self._live is None:
            return
        self._live.step = step
        for name, value in values.items():
            self._live.log_metric(name, float(f"{value:.6g}"))
        self._live.sync()
        for tracker in self._trackers:
            tracker.numbers(step, values)

    def _show(self, step: int) -> None:
        """The same of a picture that is drawn."""
        if self._live is not None:
            for tracker in self._trackers:
                tracker.picture(step, self.picture(step - 1))

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        NUMBERS.info("%s: step %d of %d: %s", self._stage, step + 1, self._steps, _words(values))


def _means(steps: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each number, over the steps that have it."""
    names = dict.fromkeys(name for values in steps for name in values)
    found = {name: [values[name] for values in steps if name in values] for name in names}
    return {name: sum(values) / len(values) for name, values in found.items()}


def _words(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in values.items())
