"""Threshold and second step are the best there are on the validation split; nothing of the test split is seen."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

import tracks
from echoes import params
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.evaluation.clouds import evaluate_frame
from echoes.models import second_step
from echoes.models.conditions import unmirrored
from echoes.models.radar import calibration, clouds, familiarity, reconstruction, validation
from echoes.models.radar.onecall import OneCall, of_frames
from echoes.models.radar.readout import Readout
from echoes.models.radar.thresholds import THRESHOLDS, Validation


def iou(track, made):
    """Mean IoU of cells over the validation split."""
    targets = [clouds.target(track.grids, int(frame)) for frame in track.grids.frames("val")]
    pairs = zip(made, targets, strict=True)
    return np.mean([evaluate_frame(cloud.predicted(), t, track.grids.grid)["iou_3d"] for cloud, t in pairs])


def sampled(track, sampler, threshold):
    frames = track.grids.frames("val")
    cond = track.conditions(frames, unmirrored(frames))
    return clouds.from_decoded(sampler(cond, frames.tolist()), threshold, track.grids)


def test_the_threshold_is_the_best_of_the_candidates_over_samples_and_reconstructions(track):
    once = tracks.consistent(track)
    found = Validation(track.vae, track.grids, track.conditions).threshold(once)
    scores = {}
    for threshold in THRESHOLDS:
        repeated = reconstruction.reconstruct(track.vae, track.grids, track.grids.frames("val"), threshold)
        scores[threshold] = iou(track, sampled(track, once, threshold)) + iou(track, repeated)
    assert scores[found] == pytest.approx(max(scores.values()))
    assert len(set(scores.values())) > 5


def test_the_threshold_of_a_method_is_the_best_of_the_candidates_on_the_frames_asked_for(track):
    once = tracks.consistent(track)
    choice = Validation(track.vae, track.grids, track.conditions)
    found = choice.best(choice.sampled(once))
    scores = {level: iou(track, sampled(track, once, level)) for level in THRESHOLDS}
    assert scores[found] == pytest.approx(max(scores.values()))
    assert choice.iou(once, found) == pytest.approx(scores[found])
    asked = []
    Validation(track.vae, track.grids, track.conditions, 2).best(
        lambda frames: asked.extend(frames.tolist()) or choice.repeated(frames)
    )
    assert asked == [7, 9]


def test_the_second_step_starts_from_the_best_level_of_the_schedule(track):
    distilled = SigmaRange(18, 0.004, 160.0, 7.0, "karras", 1.0)
    two_steps = second_step.two_steps(track.model, distilled, tracks.consistent(track))
    found = validation.second_sigma(Validation(track.vae, track.grids, track.conditions), two_steps, 0.4)
    levels = [level for level in karras_sigmas(distilled).tolist() if 1 / 8 <= level <= 8]
    assert list(two_steps) == levels
    scores = {level: iou(track, sampled(track, tracks.consistent(track, level), 0.4)) for level in levels}
    assert scores[found] == pytest.approx(max(scores.values()))
    assert len(set(scores.values())) > 2


def test_all_that_was_settled_is_what_the_stage_keeps(track):
    once = tracks.consistent(track)
    found = validation.calibrate(track.model, track.cd_params.sigmas, once, track.grids, track.conditions)
    choice = Validation(track.vae, track.grids, track.conditions)
    threshold = choice.threshold(once)
    middle = validation.second_sigma(
        choice, second_step.two_steps(track.model, track.cd_params.sigmas, once), threshold
    )
    call = OneCall(once)
    say = of_frames(call, track.grids, track.conditions, True)
    readout = calibration.fit(say, track.grids, call.names, torch.device("cpu"), 0)
    assert set(found) == {"threshold", "second_sigma", "readout", "seen"}
    assert (found["threshold"], found["second_sigma"]) == (threshold, middle)
    assert params.build(Readout, json.loads(json.dumps(found["readout"])), "readout") == readout
    assert found["seen"] == asdict(familiarity.of_training(track.grids))
