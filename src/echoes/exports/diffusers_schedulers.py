"""How samples are drawn, as schedulers of the diffusers library: the noise levels, the solver, the guidance.

A solver may call the network several times a step, and remember the step before. So a scheduler here gives the
whole way from noise to latents, and has no `step` of its own.
"""

from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config

from echoes import params
from echoes.diffusion.samplers import SolverConfig, solve
from echoes.models import methods, students
from echoes.models.methods import Generator
from echoes.models.students import CdArchitecture
from echoes.models.trained import SampleParams

CONFIG = "scheduler_config.json"


class Scheduler(Protocol):
    """What the pipeline asks of its scheduler."""

    def generator(self, model: Any, steps: int | None, guidance_scale: float | None) -> Generator:
        """None stands for what the track was evaluated with."""
        ...


class SolverScheduler(SchedulerMixin, ConfigMixin):
    """From the highest noise level down to 0. sample: the section `<track>.sample`."""

    @register_to_config
    def __init__(self, sample: dict[str, Any]) -> None:
        self.params: SampleParams = params.build(SampleParams, sample, f"{CONFIG}: sample")

    def generator(self, model: Any, steps: int | None, guidance_scale: float | None) -> Generator:
        """Raises InputError for a number of steps, or a scale, that no sampler takes."""
        p = self.params
        levels = p.sigmas if steps is None else replace(p.sigmas, steps=steps)
        guidance = p.guidance if guidance_scale is None else replace(p.guidance, weight=guidance_scale)
        return methods.ldm(model, partial(solve, SolverConfig(p.solver, p.dopri5)), levels, guidance, p.seed)


class ConsistencyScheduler(SchedulerMixin, ConfigMixin):
    """From the highest noise level to the end at once, or by way of `middle`. cd: the architecture of a cd."""

    @register_to_config
    def __init__(self, cd: dict[str, Any], middle: float) -> None:
        self.of: CdArchitecture = params.build(CdArchitecture, cd, f"{CONFIG}: cd")
        self.middle = middle

    def generator(self, model: Any, steps: int | None, guidance_scale: float | None) -> Generator:
        """Raises ValueError for more than 2 steps, and for guidance: the student has learned its teacher's."""
        if steps not in (None, 1, 2):
            raise ValueError(f"num_inference_steps: expected 1 or 2 of a consistency model, got {steps}")
        if guidance_scale is not None:
            raise ValueError(f"guidance_scale: expected none, because guidance is distilled, got {guidance_scale}")
        return students.cd(model, self.of.sigmas, [self.middle] if steps == 2 else [], self.of.seed)
