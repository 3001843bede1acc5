"""DDPM's tables, weights and errors against golden values; DDIM against its own formula."""

import math

import pytest
import torch

import exact
from diffusion import known
from echoes import params
from echoes.diffusion import ddpm, samplers
from echoes.diffusion.ddpm import DdpmConfig, DdpmLoss
from echoes.diffusion.denoiser import UNCONDITIONED, Denoiser
from echoes.diffusion.paths import VP
from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.errors import InputError

GAUSSIAN = exact.Gaussian(0.0, 0.5)


def levels(steps, spacing):
    return schedule(SigmaRange(steps, 1e-3, 1e6, 7.0, spacing, 1.0), known.ddpm())


def test_the_cosine_table_is_the_known_one():
    betas = ddpm.betas("squaredcos_cap_v2", 1000)
    for i, expected in {
        0: 4.128422482e-5,
        1: 4.614175274e-5,
        499: 3.145886230e-3,
        998: 0.7499993929,
        999: 0.999,
    }.items():
        assert betas[i].item() == pytest.approx(expected, rel=1e-9)
    kept = 1 / (1 + ddpm.sigmas_of("squaredcos_cap_v2", 1000) ** 2)
    known_kept = {0: 0.9999587158, 249: 0.8470121613, 499: 0.4938435904, 749: 0.1442721024, 979: 9.711930e-4}
    for i, expected in {**known_kept, 998: 2.428767e-6, 999: 2.428767e-9}.items():
        assert kept[i].item() == pytest.approx(expected, rel=1e-6)
    assert known.ddpm().sigmas[-1].item() == pytest.approx(20291, abs=1)


def test_the_linear_tables_are_those_of_their_papers_and_a_shorter_one_ends_in_the_same_noise():
    linear, scaled = ddpm.betas("linear", 1000), ddpm.betas("scaled_linear", 1000)
    assert (linear[0].item(), linear[-1].item()) == pytest.approx((1e-4, 0.02))
    assert linear[500].item() == pytest.approx(1e-4 + (0.02 - 1e-4) * 500 / 999)
    assert (scaled[0].item(), scaled[-1].item()) == pytest.approx((8.5e-4, 0.012))
    assert scaled[500].item() == pytest.approx((8.5e-4**0.5 + (0.012**0.5 - 8.5e-4**0.5) * 500 / 999) ** 2)
    for name in ("linear", "scaled_linear"):
        short, long = ddpm.sigmas_of(name, 100)[-1].log().item(), ddpm.sigmas_of(name, 1000)[-1].log().item()
        assert short == pytest.approx(long, rel=0.2)


@pytest.mark.parametrize(
    ("name", "ends"),
    [("linear", (1e-4, 0.02)), ("scaled_linear", (8.5e-4, 0.012)), ("squaredcos_cap_v2", (1e-4, 0.02))],
)
def test_the_tables_are_those_of_diffusers(name, ends):
    """It computes them in single precision; the last of the three takes no ends."""
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusers` is not installed")
    theirs = diffusers.DDPMScheduler(beta_schedule=name, beta_start=ends[0], beta_end=ends[1])
    torch.testing.assert_close(ddpm.betas(name, 1000), theirs.betas.double(), rtol=1e-5, atol=0)
    sigmas = ((1 - theirs.alphas_cumprod) / theirs.alphas_cumprod).double().sqrt()
    torch.testing.assert_close(ddpm.sigmas_of(name, 1000)[:-1], sigmas[:-1], rtol=2e-3, atol=0)


def test_steps_and_noise_levels_name_each_other_also_between_the_steps():
    table = known.ddpm()
    steps = torch.arange(1000, dtype=torch.float64)
    torch.testing.assert_close(table.step(table.sigmas), steps, rtol=0, atol=1e-9)
    middle = (table.sigmas[:-1] * table.sigmas[1:]).sqrt()
    torch.testing.assert_close(table.step(middle), steps[:-1] + 0.5, rtol=0, atol=1e-9)
    ends = torch.tensor([1e-9, 1e9], dtype=torch.float64)
    assert table.step(ends).tolist() == [0.0, 999.0]


def test_the_min_snr_weight_is_the_known_one():
    sigma = known.ddpm().sigmas[249:250]
    assert (sigma**-2).item() == pytest.approx(5.53647, rel=1e-5)
    for prediction, expected in (("epsilon", 0.903102), ("v", 0.764939)):
        assert ddpm.min_snr_weight(sigma, 5.0, prediction).item() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_a_network_that_says_nothing_starts_at_one_on_whitened_data_at_every_step(prediction):
    torch.manual_seed(0)
    table = known.ddpm(prediction)
    model, clean = Denoiser(exact.Zero(), table, None), torch.randn(4000, 1, 10, 10)
    for score in (table.loss, table.error):
        found = score(model, clean, UNCONDITIONED, DdpmLoss(0.0))
        assert found.shape == (4000,)
        assert found.mean().item() == pytest.approx(1.0, abs=0.01)
    expected = ddpm.min_snr_weight(table.sigmas, 5.0, prediction).mean().item()
    assert table.loss(model, clean, UNCONDITIONED, DdpmLoss(5.0)).mean().item() == pytest.approx(expected, rel=0.03)
    torch.manual_seed(1)
    plain = table.error(model, clean, UNCONDITIONED, DdpmLoss(0.0))
    torch.manual_seed(1)
    assert torch.equal(table.error(model, clean, UNCONDITIONED, DdpmLoss(5.0)), plain)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_the_least_error_of_gaussian_data_is_that_of_the_posterior(prediction):
    """The posterior variance of s^2 sigma^2 / (s^2 + sigma^2), in units of the prediction."""
    torch.manual_seed(0)
    table = known.ALL[prediction]
    variance = 0.25 * table.sigmas**2 / (0.25 + table.sigmas**2)
    expected = (variance * (table.sigmas**-2 if prediction == "epsilon" else 1 + table.sigmas**-2)).mean().item()
    clean = 0.5 * torch.randn(50_000, 1, 4, dtype=torch.float64)
    found = table.error(known.denoiser(GAUSSIAN.denoise, prediction), clean, UNCONDITIONED, DdpmLoss(0.0))
    assert found.mean().item() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("spacing", "ratio"), [("leading", 0.969768), ("trailing", 0.968900), ("linspace", 0.969076)])
def test_fifty_steps_of_ddim_spread_as_far_as_is_known(spacing, ratio):
    sigmas = levels(50, spacing)
    # From the deviation that noisy has at the first level, where the sampler takes data to be whitened.
    start = ((0.25 + sigmas[0] ** 2) / (1 + sigmas[0] ** 2)).sqrt().reshape(1, 1)
    found = samplers.ddim(GAUSSIAN.denoise, start, sigmas, VP, 0.0, lambda k: math.nan)
    assert found.item() / 0.5 / 1.0 == pytest.approx(ratio, abs=1e-6)


def test_250_steps_of_ddim_spread_further():
    for spacing in ("leading", "trailing", "linspace"):
        one = torch.ones(1, 1, dtype=torch.float64)
        found = samplers.ddim(GAUSSIAN.denoise, one, levels(250, spacing), VP, 0.0, lambda k: math.nan)
        assert found.item() / 0.5 == pytest.approx(0.9937, abs=2e-4)


@pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
def test_a_step_of_ddim_is_the_one_of_its_paper(eta):
    """Eq. 12 and 16 of Song et al. 2021 as they are written there, of the state and abar."""
    torch.manual_seed(0)
    sigmas, noise = levels(50, "trailing")[10:12], torch.randn(3, 1, 5, dtype=torch.float64)
    fresh = torch.randn(3, 1, 5, dtype=torch.float64)
    kept, kept_next = 1 / (1 + sigmas**2)
    state = noise  # what VP starts from
    noisy = state / kept.sqrt()
    clean = exact.MIXTURE.denoise(noisy, sigmas[:1].expand(3))
    epsilon = (state - kept.sqrt() * clean) / (1 - kept).sqrt()
    added = eta * ((1 - kept_next) / (1 - kept)).sqrt() * (1 - kept / kept_next).sqrt()
    expected = kept_next.sqrt() * clean + (1 - kept_next - added**2).sqrt() * epsilon + added * fresh
    found = samplers.ddim(exact.MIXTURE.denoise, noise, sigmas, VP, eta, lambda k: fresh)
    torch.testing.assert_close(found * kept_next.sqrt(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["epsilon", "v"])
def test_ddim_is_euler_in_sigma(name):
    torch.manual_seed(0)
    noise = torch.randn(4, 1, 5, dtype=torch.float64)
    model, sigmas = known.denoiser(exact.MIXTURE.denoise, name), levels(50, "leading")
    ddim = samplers.ddim(model, noise, sigmas, VP, 0.0, lambda k: math.nan)
    torch.testing.assert_close(ddim, samplers.euler(model, noise, sigmas, VP), rtol=0, atol=1e-12)


def test_ancestral_sampling_of_the_exact_denoiser_spreads_as_far_as_the_data():
    generator, gaussian = torch.Generator().manual_seed(0), exact.Gaussian(0.3, 0.5)

    def fresh(k):
        return torch.randn(50_000, 1, generator=generator)

    for steps, tolerance in ((50, 0.08), (200, 0.025), (1000, 0.01)):
        found = samplers.ddim(gaussian.denoise, fresh(0), levels(steps, "trailing"), VP, 1.0, fresh)
        assert found.mean().item() == pytest.approx(0.3, abs=0.01)
        assert found.std().item() == pytest.approx(0.5, rel=tolerance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 10}, r"steps: expected at least 50, got 10"),
        ({"schedule": "cosine"}, r"schedule: expected one of linear, scaled_linear, squaredcos_cap_v2, got 'cosine'"),
    ],
)
def test_a_table_without_a_meaning_is_refused(change, message):
    section = {"steps": 1000, "schedule": "linear", "prediction": "v", **change}
    with pytest.raises(InputError, match=f"^t.ldm.ddpm.{message}$"):
        params.build(DdpmConfig, section, "t.ldm.ddpm")


def test_a_weight_below_zero_is_refused():
    with pytest.raises(InputError, match=r"^t.ldm.loss.ddpm.min_snr: expected 0 \(none\) or more, got -1.0$"):
        params.build(DdpmLoss, {"min_snr": -1.0}, "t.ldm.loss.ddpm")
