"""What surrounds the steps of a training stage: averages, curves, measurements, pictures and saved states."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import Field, asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import nn

from echoes.choices import telling
from echoes.choices.rules import choices_of
from echoes.compute import distributed
from echoes.compute.precision import computing
from echoes.training import trackers
from echoes.training.checkpoint import Checkpoints, Stateful
from echoes.training.clock import Clock
from echoes.training.ema import Ema
from echoes.training.lock import single_run
from echoes.training.log import Log
from echoes.training.rate import LearningRate
from echoes.training.runtime import Runtime
from echoes.training.schedule import StageSchedule
from echoes.training.selection import Selection


@dataclass(frozen=True)
class TrainingRun:
    """A training of a stage and all that goes on with it. averages: the last one is measured, pictured and selected."""

    averages: tuple[Ema, ...]
    log: Log
    selection: Selection
    rate: LearningRate
    checkpoints: Checkpoints

    def fit(
        self,
        steps: Iterable[tuple[int, dict[str, float]]],
        draw: Callable[[nn.Module, Path], None],
        live: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """Go through the (step, numbers) that `train` yields, to the last or until the weights no longer get better.

        draw  a picture of a model; live: () -> further numbers of a step.
        """
        for step, numbers in steps:
            for average in self.averages:
                average.update(step)
            self.log.add(step, **numbers, **live())
            measured = self.selection.after(step)
            self.log.note(step, measured)
            if measured:
                self.rate.measured(measured["val_error"])
            if self.log.pictured(step):
                self.log.draw(step, partial(draw, self.averages[-1].model))
            if self.selection.exhausted:
                break


class Section(Protocol):
    """The section of a training stage in params.yaml, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def schedule(self) -> StageSchedule: ...


@contextmanager
def training_run(
    script: Path,
    track: str,
    p: Section,
    runtime: Runtime,
    parents: Mapping[str, str],
    averages: Mapping[str, Ema],
    error: Callable[[Any], float],
) -> Iterator[TrainingRun]:
    """Within, a training is logged and its state is saved; a training whose artifact is left begins afresh next time.
    Another one of the same stage that still runs in this folder is ended first. Measurements and pictures have the
    precision of the schedule.

    script    of the stage; p: its section of params.yaml; changes that have an effect begin it afresh, others are told.
    parents   kind -> identity of what is trained on.
    averages  name -> average; the last one is measured and selected.
    error     model of the last average -> its error on the validation split.
    """
    telling.tell(script.stem, track, lambda section: choices_of(p))
    schedule, told = p.schedule, trackers.chosen(runtime.trackers, script.stem, track, asdict(p))
    log = Log(script.stem, track, schedule.steps, runtime.previews, told, Clock(schedule.batch))
    rate = LearningRate(schedule)
    models = tuple(averages.values())
    measured = models[-1].model
    selection = Selection(measured, schedule.validation, schedule.steps, lambda: error(measured))
    kept: dict[str, Stateful] = {**averages, "log": log, "selection": selection, "rate": rate}
    only = single_run(Path("logs", track, f"{script.stem}.lock")) if distributed.is_first() else nullcontext()
    with (
        only,
        log,
        computing(schedule.precision),
        Checkpoints(script, track, p, parents, runtime.checkpoint, kept) as checkpoints,
    ):
        yield TrainingRun(models, log, selection, rate, checkpoints)
