"""What is chosen on the validation split with the sampler that is deployed, and then is a constant."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from echoes.dataset.grids import Grids
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import middles, students
from echoes.models.conditions import Conditions
from echoes.models.distilling import CdParams
from echoes.models.methods import Decoder
from echoes.models.radar import calibration, familiarity
from echoes.models.radar.decoding import CloudDecoder
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.thresholds import Validation


def error(
    student: ConsistencyModel, p: CdParams, decoder: Decoder, grids: Grids, conditions: Conditions, shape: Sequence[int]
) -> float:
    """1 - mean IoU of the cells of one-step samples at probability 0.5."""
    validation = Validation(CloudDecoder(decoder, grids.scaling, 0.5), grids, conditions, shape, p.schedule.seed)
    return 1 - validation.iou(students.cd(student, p.sigmas, [], p.schedule.seed), 0.5)


def chosen(
    student: ConsistencyModel, p: CdParams, decoder: Decoder, grids: Grids, conditions: Conditions, shape: Sequence[int]
) -> dict[str, Any]:
    """What travels with the model: the occupancy `threshold` of one-step samples, the noise level `middle` of the
    second step, the `readout` of enhanced clouds, and what the radar of the training frames was like (`seen`).
    """
    validation = Validation(CloudDecoder(decoder, grids.scaling, 0.5), grids, conditions, shape, p.schedule.seed)
    generator = students.cd(student, p.sigmas, [], p.schedule.seed)
    threshold = validation.threshold(generator)
    call = OneCall(generator, decoder, tuple(shape), p.schedule.seed)
    place = next(student.parameters()).device
    readout = calibration.fit(of_frames(call, grids, conditions, True), grids, call.names, place, p.schedule.seed)
    return {
        "threshold": threshold,
        "middle": middle(validation, student, p, threshold),
        "readout": asdict(readout),
        "seen": asdict(familiarity.of_training(grids)),
    }


def middle(validation: Validation, model: ConsistencyModel, p: CdParams, threshold: float) -> float:
    """The noise level of the schedule from which the second step has the best mean IoU of cells."""
    levels = middles.candidates(model, p.sigmas)
    scores = [validation.iou(students.cd(model, p.sigmas, [sigma], p.schedule.seed), threshold) for sigma in levels]
    return levels[int(np.argmax(scores))]
