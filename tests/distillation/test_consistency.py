"""Boundary, exact consistency functions, and what a student becomes under a teacher."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import exact
import networks
from diffusion import known
from echoes.diffusion import samplers
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser, bind
from echoes.diffusion.flow import Flow
from echoes.diffusion.guidance import Guidance, guided
from echoes.diffusion.paths import VE
from echoes.diffusion.schedules import SigmaRange, karras_sigmas
from echoes.distillation import consistency, curriculum
from echoes.distillation.consistency import ConsistencyModel
from echoes.nets.conditions import Condition, LabelConditioner
from echoes.nets.unet import UNet
from echoes.training.ema import Ema

GAUSSIAN = exact.Gaussian(0.3, 0.5)
CENTRED = exact.Gaussian(0.0, 0.5)
SMALL = networks.unet()
SHAPES = {2: (2, 8, 8), 3: (2, 4, 4, 8)}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def network(rank):
    """A network that says something, unlike a new one."""
    unet = UNet(rank, SHAPES[rank][0], SHAPES[rank][0], SMALL, 0)
    nn.init.normal_(unet.out.weight, std=1.0)
    return unet


def constants(sigma, sigma_min, sigma_data):
    """What noisy and the network of EDM are multiplied with: f for (1, F = 0) and for (0, F = 1)."""

    class Says(nn.Module):
        def forward(self, x, c_noise, condition):
            return torch.full_like(x, said)

    model = ConsistencyModel(Denoiser(Says(), known.edm(sigma_data), None), sigma_min)
    said = 0.0
    c_skip = model(torch.ones(len(sigma), 1, dtype=torch.float64), sigma).squeeze(1)
    said = 1.0
    return c_skip, model(torch.zeros(len(sigma), 1, dtype=torch.float64), sigma).squeeze(1)


def test_under_edm_the_constants_are_those_of_the_paper():
    """c_skip and c_out of Song et al. 2023, Appendix C; golden values at sigma_min and 0.5."""
    sigma = torch.cat([torch.tensor([0.002, 0.5]), torch.logspace(-2, 2, 50)]).double()
    sigma[0] = 0.002
    c_skip, c_out = constants(sigma, 0.002, 0.5)
    assert (c_skip[0].item(), c_out[0].item()) == (1.0, 0.0)
    assert (c_skip[1].item(), c_out[1].item()) == pytest.approx((0.502004, 0.352139177), abs=5e-5)
    torch.testing.assert_close(c_out, (sigma - 0.002) * 0.5 / (sigma**2 + 0.25).sqrt())
    assert ((c_skip - 0.25 / ((sigma - 0.002) ** 2 + 0.25)).abs() < 1.01 * 0.002 / (4 * 0.5)).all()


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("name", known.ALL)
@pytest.mark.parametrize("sigma_min", [0.002, 0.004, 0.0123])
def test_the_model_is_bit_for_bit_the_identity_at_sigma_min_for_any_network(rank, name, sigma_min):
    noisy = 3 * torch.randn(4, *SHAPES[rank])
    model = ConsistencyModel(Denoiser(network(rank), known.ALL[name], None), sigma_min)
    with torch.no_grad():
        found = model(noisy, torch.full((4,), sigma_min))
        assert torch.equal(found, noisy)
        assert not torch.equal(model(noisy, torch.full((4,), 1.1 * sigma_min)), noisy)


@pytest.mark.parametrize("name", known.ALL)
def test_the_model_begins_as_one_euler_step_of_its_denoiser(name):
    denoiser, noise = known.denoiser(exact.MIXTURE.denoise, name), torch.randn(4, 1, 5, dtype=torch.float64)
    model = ConsistencyModel(denoiser, 0.01)
    start = denoiser.path.start(torch.tensor(80.0, dtype=torch.float64)) * noise
    found = model(start, torch.full((4,), 80.0, dtype=torch.float64))
    levels = torch.tensor([80.0, 0.01], dtype=torch.float64)
    torch.testing.assert_close(found, samplers.euler(denoiser, noise, levels, denoiser.path))


def test_the_condition_of_the_model_is_that_of_its_denoiser():
    denoiser = Denoiser(known.Taking(), Flow(), LabelConditioner((3, 9), 6))
    model, labels, drop = ConsistencyModel(denoiser, 0.01), torch.tensor([[1, 2]]), torch.tensor([[True, False]])
    for dropped in (None, drop):
        assert torch.equal(model.condition(labels, dropped).vector, denoiser.condition(labels, dropped).vector)
    noisy, sigma = torch.randn(1, 6, 4, 4), torch.ones(1)
    condition = model.condition(labels)
    expected = 0.01 * noisy + 0.99 * denoiser(noisy, sigma, condition)
    torch.testing.assert_close(bind(model, condition)(noisy, sigma), expected)


@pytest.mark.parametrize(("x", "sigma", "expected"), [(80.0, 80.0, 0.7981192562), (1.0, 1.0, 0.6130520212)])
def test_the_exact_consistency_function_gives_the_end_of_the_path(x, sigma, expected):
    f = GAUSSIAN.consistency(0.002)
    point, level = torch.tensor([[x]], dtype=torch.float64), torch.tensor([sigma], dtype=torch.float64)
    assert f(point, level).item() == pytest.approx(expected, abs=1e-10)
    assert GAUSSIAN.path(x, sigma, 0.002) == pytest.approx(expected, abs=1e-10)


def test_the_exact_consistency_function_has_a_loss_that_vanishes_with_the_step():
    f, clean = GAUSSIAN.consistency(0.002), 0.3 + 0.5 * torch.randn(2000, 4, dtype=torch.float64)
    found = []
    for steps in (10, 20, 40, 80):
        sigmas = karras_sigmas(SigmaRange(steps, 0.002, 80.0, 7.0, "karras", 1.0))[:-1]
        high, low = curriculum.neighbours(sigmas, len(clean))
        found.append(consistency.loss(f, f, GAUSSIAN.denoise, clean, high, low, VE).mean().item())
    assert found[-1] < 1e-4
    for coarse, fine in pairwise(found):
        assert coarse / fine > 4  # of third order in the step, until the constant of the pseudo-Huber loss shows


@pytest.mark.parametrize("shape", [(6, 2, 8, 8), (6, 2, 4, 4, 8)])
@pytest.mark.parametrize("name", known.ALL)
def test_the_loss_is_one_number_per_sample(shape, name):
    rank = len(shape) - 2
    model = ConsistencyModel(Denoiser(network(rank), known.ALL[name], None), 0.004)
    high, low = torch.full((6,), 2.0), torch.full((6,), 1.5)
    found = consistency.loss(model, model, CENTRED.denoise, torch.randn(shape), high, low, known.ALL[name].path)
    assert found.shape == (6,)
    assert (found > 0).all()


def cd_loss(teacher, target=None, high=1.0):
    torch.manual_seed(0)
    f, clean = CENTRED.consistency(0.002), 0.5 * torch.randn(64, 1, 4, 4)
    levels = torch.full((64,), high), torch.full((64,), 0.8 * high)
    return consistency.loss(f, target or f, teacher, clean, *levels, VE)


def test_another_teacher_is_another_loss():
    known = cd_loss(CENTRED.denoise)
    others = {
        "of other data": exact.Gaussian(0.0, 0.25).denoise,
        "permuted over the batch": lambda noisy, sigma: CENTRED.denoise(noisy, sigma).flip(0),
        "permuted over the cells": lambda noisy, sigma: CENTRED.denoise(noisy, sigma).flip(-1),
        "that says nothing": lambda noisy, sigma: noisy,
    }
    for name, teacher in others.items():
        assert (cd_loss(teacher) > 3 * known).float().mean() > 0.9, name


def test_another_target_is_another_loss():
    changed = cd_loss(CENTRED.denoise, lambda noisy, sigma: 0 * noisy)
    assert (changed > 3 * cd_loss(CENTRED.denoise)).float().mean() > 0.9


def test_a_guided_teacher_is_another_loss():
    """Its condition shifts the data, guidance shifts it further; each sample at a noise level of its own."""

    def shifted(noisy, sigma, condition):
        return CENTRED.denoise(noisy - condition.vector[:, :, None, None], sigma) + condition.vector[:, :, None, None]

    one, none = (Condition(None, torch.full((64, 1), value)) for value in (1.0, 0.0))
    known_loss = cd_loss(bind(shifted, one))
    assert torch.equal(cd_loss(guided(shifted, one, none, Guidance(1.0, 0.0, 9.0))), known_loss)
    assert torch.equal(cd_loss(guided(shifted, one, none, Guidance(2.0, 3.0, 9.0))), known_loss)  # elsewhere
    further = cd_loss(bind(shifted, Condition(None, torch.full((64, 1), 2.0))))
    torch.testing.assert_close(cd_loss(guided(shifted, one, none, Guidance(2.0, 0.0, 9.0))), further)
    assert (further - known_loss).abs().mean() > 0.1 * known_loss.mean()


def test_only_the_student_learns():
    student, target, teacher = (Denoiser(network(2), known.edm(), None) for _ in range(3))
    model, goal = ConsistencyModel(student, 0.004), ConsistencyModel(target, 0.004)
    high, low = torch.full((3,), 2.0), torch.full((3,), 1.5)
    consistency.loss(
        model, goal, bind(teacher, UNCONDITIONED), torch.randn(3, *SHAPES[2]), high, low, VE
    ).sum().backward()
    assert all(p.grad is None for m in (target, teacher) for p in m.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in student.network.out.parameters())


def test_the_distance_is_quadratic_for_small_and_linear_for_large_errors_and_knows_no_size():
    for shape in ((1, 10), (1, 2, 5, 7)):
        small, large = torch.full(shape, 1e-6), torch.full(shape, 3.0)
        assert consistency.pseudo_huber(small.double()).item() == pytest.approx(1e-12 / (2 * 0.00054), rel=1e-4)
        assert consistency.pseudo_huber(large).item() == pytest.approx(3.0 - 0.00054, rel=1e-5)
    assert consistency.pseudo_huber(torch.zeros(4, 3)).tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("solver", "ratios"),
    [
        (samplers.euler, {10: 0.730, 18: 0.846, 20: 0.861, 40: 0.930, 80: 0.965, 160: 0.982}),
        (samplers.heun, {10: 1.220, 18: 1.055, 20: 1.044, 40: 1.0098, 80: 1.0023, 160: 1.0006}),
    ],
)
def test_an_ideal_student_spreads_as_far_as_the_steps_of_its_teacher_go(solver, ratios):
    start = torch.ones(1, 1, dtype=torch.float64)
    for steps, ratio in ratios.items():
        sigmas = karras_sigmas(SigmaRange(steps, 0.002, 80.0, 7.0, "karras", 1.0))[:-1]
        end = solver(CENTRED.denoise, start, sigmas, VE).item()
        assert end / 0.5 == pytest.approx(ratio, abs=6e-4)


def test_one_call_of_a_denoiser_collapses_where_one_call_of_a_consistency_function_does_not():
    x, sigma = (0.25 + 6400) ** 0.5 * torch.randn(100_000, 1).double(), torch.full((100_000,), 80.0).double()
    scale = x.std() / (0.25 + 6400) ** 0.5  # of this draw
    assert (CENTRED.denoise(x, sigma).std() / scale / 0.5).item() == pytest.approx(0.00625, rel=1e-3)
    assert (CENTRED.consistency(0.002)(x, sigma).std() / scale / 0.5).item() == pytest.approx(1.0, rel=1e-4)


class Gain(nn.Module):
    """gain(c_noise) x: for Gaussian data the consistency function is linear in x."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1))
        nn.init.zeros_(self.gain[-1].weight)
        nn.init.zeros_(self.gain[-1].bias)

    def forward(self, x, c_noise, condition):
        return self.gain(c_noise[:, None]) * x


def distilled(teacher, parameterization, steps=800):
    """Standard deviation of one-step samples of a student of `teacher`, data N(0, 1)."""
    levels = SigmaRange(20, 0.02, 10.0, 7.0, "karras", 1.0)
    student, sigmas = (
        ConsistencyModel(Denoiser(Gain(), parameterization, None), levels.low),
        karras_sigmas(levels)[:-1].float(),
    )
    target, average = Ema(student, 0.95), Ema(student, 0.99)
    path = student.denoiser.path
    optimizer = torch.optim.Adam(student.denoiser.network.parameters(), lr=1e-2)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        high, low = curriculum.neighbours(sigmas, 256)
        loss = consistency.loss(student, target.model, teacher, torch.randn(256, 1), high, low, path).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        target.update(step)
        average.update(step)
    noise = torch.randn(50_000, 1)
    return (average.model(levels.high * noise, torch.full((50_000,), levels.high)).std() / noise.std()).item()


@pytest.mark.parametrize("name", ["edm", "flow"])
def test_a_student_of_an_exact_teacher_spreads_as_far_as_the_data_in_one_step(name):
    parameterization = {"edm": known.edm(), "flow": Flow()}[name]
    assert 0.97 < distilled(exact.Gaussian(0.0, 1.0).denoise, parameterization) < 1.03


def test_a_student_of_a_teacher_of_narrower_data_is_narrower():
    assert 0.4 < distilled(exact.Gaussian(0.0, 0.5).denoise, known.edm()) < 0.6
