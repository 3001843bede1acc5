"""What is chosen on the validation split with the sampler that is deployed, and then is a constant."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from echoes.dataset.grids import Grids
from echoes.diffusion.schedules import SigmaRange
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import second_step, students
from echoes.models.conditions import Conditions
from echoes.models.radar import calibration, familiarity, returns
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.returns import Returns
from echoes.models.radar.thresholds import Validation
from echoes.models.sampler import Sampler


def error(once: Sampler, grids: Grids, conditions: Conditions) -> float:
    """1 - mean IoU of the cells of one-step samples at probability 0.5."""
    return 1 - Validation(once.decoder.vae, grids, conditions).iou(once, 0.5)


def calibrate(
    student: ConsistencyModel, distilled: SigmaRange, once: Sampler, grids: Grids, conditions: Conditions
) -> dict[str, Any]:
    """What travels with the model: the occupancy `threshold` of one-step samples, the noise level `second_sigma` of the
    second step; of a student with two times, the `mean_threshold` of its posterior mean; where the task enhances what
    goes in, the `readout` of these clouds, and what the training frames were like (`seen`); where it makes a radar, how
    its `returns` are drawn.

    distilled  the noise levels across which the student was; once: how it is sampled in one call.
    """
    validation = Validation(once.decoder.vae, grids, conditions)
    threshold = validation.threshold(once)
    levels = {
        "threshold": threshold,
        "second_sigma": second_sigma(validation, second_step.two_steps(student, distilled, once), threshold),
    }
    if student.has_two_times:
        levels["mean_threshold"] = validation.best(validation.sampled(students.mean(once, student, distilled)))
    if grids.task.makes_radar:
        settled = Returns(validation.as_many(validation.sampled(once)), returns.counted(grids))
        return {**levels, "returns": asdict(settled)}
    if not grids.task.enhances:
        return levels
    call = OneCall(once)
    readout = calibration.fit(of_frames(call, grids, conditions, True), grids, call.names, once.device, once.seed)
    return {**levels, "readout": asdict(readout), "seen": asdict(familiarity.of_training(grids))}


def second_sigma(validation: Validation, two_steps: Mapping[float, Sampler], threshold: float) -> float:
    """The noise level from which the second step has the best mean IoU of cells. two_steps: level -> sampler."""
    scores = [validation.iou(sampler, threshold) for sampler in two_steps.values()]
    return list(two_steps)[int(np.argmax(scores))]
