"""Threshold and second step are the best there are on the validation split; nothing of the test split is seen."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from echoes import params
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.evaluation.clouds import evaluate_frame
from echoes.models import denoisers, students
from echoes.models.conditions import straight
from echoes.models.methods import Decoder
from echoes.models.radar import calibration, clouds, familiarity, reconstruction, validation
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.readout import Readout
from echoes.models.radar.thresholds import THRESHOLDS, Validation

SHAPE = (4, 2, 4, 2)


@pytest.fixture(scope="module")
def decoder(track):
    return CloudDecoder(Decoder(track.vae, denoisers.whitening(track.latents.header)), track.grids.scaling, 0.5)


def iou(track, made):
    """Mean IoU of cells over the validation split."""
    targets = [clouds.target(track.grids, int(frame)) for frame in track.grids.frames("val")]
    pairs = zip(made, targets, strict=True)
    return np.mean([evaluate_frame(cloud.predicted(), t, track.grids.grid)["iou_3d"] for cloud, t in pairs])


def sampled(track, generator, decoder, threshold):
    frames = track.grids.frames("val")
    cond = track.conditions(frames, straight(frames))
    return decoded_clouds(generator, replace(decoder, threshold=threshold), cond, frames.tolist(), SHAPE, 0)[0]


def test_the_threshold_is_the_best_of_the_candidates_over_samples_and_reconstructions(track, decoder):
    generator = students.cd(track.model, track.cd_params.sigmas, [], 0)
    found = Validation(decoder, track.grids, track.conditions, SHAPE, 0).threshold(generator)
    scores = {}
    for threshold in THRESHOLDS:
        repeated = reconstruction.reconstruct(track.vae, track.grids, track.grids.frames("val"), threshold)
        scores[threshold] = iou(track, sampled(track, generator, decoder, threshold)) + iou(track, repeated)
    assert scores[found] == pytest.approx(max(scores.values()))
    assert len(set(scores.values())) > 5


def test_the_threshold_of_a_method_is_the_best_of_the_candidates_on_the_frames_asked_for(track, decoder):
    generator = students.cd(track.model, track.cd_params.sigmas, [], 0)
    choice = Validation(decoder, track.grids, track.conditions, SHAPE, 0)
    found = choice.best(choice.sampler(generator))
    scores = {level: iou(track, sampled(track, generator, decoder, level)) for level in THRESHOLDS}
    assert scores[found] == pytest.approx(max(scores.values()))
    assert choice.iou(generator, found) == pytest.approx(scores[found])
    asked = []
    Validation(decoder, track.grids, track.conditions, SHAPE, 0, 2).best(
        lambda frames: asked.extend(frames.tolist()) or choice.repeated(frames)
    )
    assert asked == [7, 9]


def test_the_second_step_starts_from_the_best_level_of_the_schedule(track, decoder):
    p = replace(track.cd_params, sigmas=SigmaRange(18, 0.004, 160.0, 7.0, "karras", 1.0))
    found = validation.middle(Validation(decoder, track.grids, track.conditions, SHAPE, 0), track.model, p, 0.4)
    levels = [level for level in karras_sigmas(p.sigmas).tolist() if 1 / 8 <= level <= 8]
    scores = {
        level: iou(track, sampled(track, students.cd(track.model, p.sigmas, [level], 0), decoder, 0.4))
        for level in levels
    }
    assert scores[found] == pytest.approx(max(scores.values()))
    assert len(set(scores.values())) > 2


def test_all_that_was_settled_is_what_the_stage_keeps(track, decoder):
    found = validation.chosen(track.model, track.cd_params, decoder.decoder, track.grids, track.conditions, SHAPE)
    choice = Validation(decoder, track.grids, track.conditions, SHAPE, track.cd_params.schedule.seed)
    generator = students.cd(track.model, track.cd_params.sigmas, [], track.cd_params.schedule.seed)
    threshold = choice.threshold(generator)
    middle = validation.middle(choice, track.model, track.cd_params, threshold)
    call = OneCall(generator, decoder.decoder, SHAPE, 0)
    say = of_frames(call, track.grids, track.conditions, True)
    readout = calibration.fit(say, track.grids, call.names, torch.device("cpu"), 0)
    assert set(found) == {"threshold", "middle", "readout", "seen"}
    assert (found["threshold"], found["middle"]) == (threshold, middle)
    assert params.build(Readout, json.loads(json.dumps(found["readout"])), "readout") == readout
    assert found["seen"] == asdict(familiarity.of_training(track.grids))
