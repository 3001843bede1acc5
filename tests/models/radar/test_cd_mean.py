"""The posterior mean of a student with two times: its threshold, its row, what enhance makes of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tracks
from echoes import params
from echoes.diffusion.denoiser import bind
from echoes.errors import InputError
from echoes.inference import Enhancer, columns
from echoes.inference.enhancer import RadarFrame
from echoes.models import distilling, sampler, students, trained
from echoes.models.conditions import unmirrored
from echoes.models.distilling import CdParams
from echoes.models.radar import clouds, validation
from echoes.models.radar.sampling import Sampling
from echoes.models.radar.thresholds import Validation
from echoes.models.trained import SampleParams

CPU = torch.device("cpu")
P: CdParams = params.build(CdParams, tracks.BOTH_ENDS, "cd")


def said(model, noisy, cond, level):
    return bind(model, model.condition(cond))(noisy, torch.full((len(noisy),), level))


def test_the_threshold_of_the_mean_is_the_best_for_it_and_travels_with_a_student_that_has_one(lidar_track):
    p = replace(lidar_track.cd_params, student=P.student)
    student, once = tracks.shaken(distilling.student_of(lidar_track.denoiser, p)), tracks.consistent(lidar_track)
    once = replace(once, model=student)
    grids, conditions = lidar_track.grids, lidar_track.conditions
    found = validation.calibrate(student, p.sigmas, once, grids, conditions)
    choice = Validation(lidar_track.vae, grids, conditions)
    assert set(found) == {"threshold", "second_sigma", "mean_threshold", "returns"}
    assert found["mean_threshold"] == choice.best(choice.sampled(students.mean(once, student, p.sigmas)))


@pytest.fixture(scope="module")
def running(both_ends):
    p = params.build(SampleParams, tracks.SAMPLE, "radar.sample")
    return Sampling(trained.load(both_ends.data, both_ends.grids, CPU), both_ends.grids, p)


def decoded_mean(track, frames):
    """What the decoder makes of g(x, t, t) at the highest noise level."""
    once, high = tracks.consistent(track), track.cd_params.sigmas.high
    cond, noise = track.conditions(frames, unmirrored(frames)), once.noise(frames.tolist(), "sample")
    with torch.no_grad():
        return once.decoder(said(track.model.denoiser, high * noise, cond, high))


def test_the_mean_of_the_student_is_a_row_of_one_call(running, both_ends):
    assert running.methods[3:8] == ["posterior_mean", "ldm", "cd_1", "cd_2", "cd_mean"]
    frames = running.frames
    cond = both_ends.conditions(frames, unmirrored(frames))
    assert sampler.calls(running._samplers["cd_mean"], cond) == 1
    expected = clouds.from_decoded(decoded_mean(both_ends, frames), running.thresholds["cd_mean"], both_ends.grids)
    for made, cloud in zip(running.clouds("cd_mean"), expected, strict=True):
        a, b = ({tuple(cell) for cell in found.indices.tolist()} for found in (made.cells, cloud))
        assert len(a & b) >= 0.9 * max(len(a), len(b))  # bfloat16 rounds by the batch


def test_enhance_reads_out_the_mean_of_a_student_that_has_one(both_ends, track):
    frames, grids = np.array([10, 11]), both_ends.grids
    radar = [RadarFrame(grids.cells("input", f), grids.points("input", f)) for f in frames.tolist()]
    enhancer = Enhancer.load(both_ends.data, readout="mean", precision="float32", device=CPU)
    found, _ = enhancer.timed(radar, frames.tolist())
    expected = clouds.from_decoded(decoded_mean(both_ends, frames), 0.3, grids)
    for cloud, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(columns.rows(cloud)[:, :3], grids.grid.centres(wanted.indices), atol=1e-5)
    with pytest.raises(
        InputError, match=r"cd\.safetensors: expected cd\.student trajectory for .* mean, got consistency$"
    ):
        Enhancer.load(track.data, readout="mean", device=CPU)
    with pytest.raises(InputError, match=r"^steps: expected 1 with the readout mean, got 2$"):
        Enhancer.load(both_ends.data, readout="mean", steps=2, device=CPU)
