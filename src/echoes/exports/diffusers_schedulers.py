"""How samples are drawn, as schedulers of the diffusers library: the noise levels, the solver, the guidance.

A solver may call the network several times a step, and remember the step before. So a scheduler here gives the
whole way from noise to latents, and has no `step` of its own.
"""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config

from echoes import params
from echoes.diffusion.guidance import Guidance
from echoes.models import students
from echoes.models.sampler import UNGUIDED, Steps
from echoes.models.students import CdArchitecture
from echoes.models.trained import SampleParams

CONFIG = "scheduler_config.json"
# What folders of an earlier version do not tell of a cd.
LATER_OF_CD = {"student": "consistency"}
# What folders of an earlier version do not tell of `<track>.sample`, because none of what they do asks for it.
LATER = {
    "tiles": {"cells": [], "overlap": 0},
    "euler_ancestral": {"eta": 0.0},
    "stochastic_heun": {"churn": 0.0, "churn_low": 0.0, "churn_high": 1.0, "churn_noise": 1.0},
}


@runtime_checkable
class Scheduler(Protocol):
    """What the pipeline asks of its scheduler; None stands for what the track was evaluated with."""

    @property
    def seed(self) -> int:
        """Of the noise that is added on the way."""
        ...

    def steps(self, model: Any, count: int | None) -> Steps: ...

    def guidance(self, scale: float | None) -> Guidance: ...


class SolverScheduler(SchedulerMixin, ConfigMixin):
    """From the highest noise level down to 0. sample: the section `<track>.sample`."""

    @register_to_config
    def __init__(self, sample: dict[str, Any]) -> None:
        self.params: SampleParams = params.build(SampleParams, LATER | sample, f"{CONFIG}: sample")

    @property
    def seed(self) -> int:
        return self.params.seed

    def steps(self, model: Any, count: int | None) -> Steps:
        """Raises InputError for a number of steps that no solver takes."""
        p = self.params
        return (p if count is None else replace(p, sigmas=replace(p.sigmas, steps=count))).steps(model)

    def guidance(self, scale: float | None) -> Guidance:
        """Raises InputError for a negative scale."""
        return self.params.guidance if scale is None else replace(self.params.guidance, weight=scale)


class ConsistencyScheduler(SchedulerMixin, ConfigMixin):
    """From the highest noise level to the end at once, or by way of `middle`. cd: the architecture of a cd."""

    @register_to_config
    def __init__(self, cd: dict[str, Any], middle: float) -> None:
        self.of: CdArchitecture = params.build(CdArchitecture, LATER_OF_CD | cd, f"{CONFIG}: cd")
        self.middle = middle

    @property
    def seed(self) -> int:
        return self.of.seed

    def steps(self, model: Any, count: int | None) -> Steps:
        """Raises ValueError for more than 2, and for more than 1 where the student has no second call."""
        if count not in (None, 1, 2):
            raise ValueError(f"num_inference_steps: expected 1 or 2 of a consistency model, got {count}")
        if count == 2 and not self.of.has_second_call:
            raise ValueError(f"num_inference_steps: expected 1 of a student of kind {self.of.student}, got 2")
        return students.steps(self.of.sigmas, [self.middle] if count == 2 else [])

    def guidance(self, scale: float | None) -> Guidance:
        """Raises ValueError for any: the student has learned its teacher's."""
        if scale is not None:
            raise ValueError(f"guidance_scale: expected none, because guidance is distilled, got {scale}")
        return UNGUIDED
