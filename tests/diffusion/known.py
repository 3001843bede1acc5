"""Networks that say, in the words of each parameterization, what an exact denoiser knows."""

import torch
from torch import nn

from echoes.diffusion.ddpm import Ddpm, DdpmConfig, DdpmLoss
from echoes.diffusion.denoiser import Denoiser, expand
from echoes.diffusion.edm import Edm, EdmConfig, EdmLoss, preconditioning
from echoes.diffusion.flow import Flow, FlowLoss, LogitNormal


def edm(sigma_data=1.0):
    return Edm(EdmConfig(sigma_data))


def ddpm(prediction="v", schedule="squaredcos_cap_v2", steps=1000):
    return Ddpm(DdpmConfig(steps, schedule, prediction))


def times(mean=0.0, std=1.0, cosine=0.0):
    return FlowLoss(LogitNormal(mean, std), cosine)


ALL = {"edm": edm(0.5), "flow": Flow(), "epsilon": ddpm("epsilon"), "v": ddpm("v")}


LOSSES = {"edm": EdmLoss(0.3, 1.2, "karras"), "flow": times(), "epsilon": DdpmLoss(0.0), "v": DdpmLoss(5.0)}


class Known(nn.Module):
    """The network behind an exact denoiser; `words` makes its answer of (state, sigma, noisy, clean)."""

    def __init__(self, denoise, scale, words):
        super().__init__()
        self.denoise, self.scale, self.words = denoise, scale, words

    def forward(self, x, c_noise, condition):
        sigma = (4 * c_noise).exp()
        level = expand(sigma, x)
        noisy = x / self.scale(level)
        return self.words(noisy, self.denoise(noisy, sigma), level)


def behind(denoise, name, sigma_data=0.5):
    """The network of a parameterization whose denoiser is `denoise` (each formula solved for the network)."""

    def edm_words(noisy, clean, level):
        c_skip, c_out, _, _ = preconditioning(level, sigma_data)
        return (clean - c_skip * noisy) / c_out

    words = {
        "edm": (lambda level: 1 / (level**2 + sigma_data**2).sqrt(), edm_words),
        "flow": (lambda level: 1 / (1 + level), lambda noisy, clean, level: clean - (noisy - clean) / level),
        "epsilon": (lambda level: 1 / (1 + level**2).sqrt(), lambda noisy, clean, level: (noisy - clean) / level),
        "v": (
            lambda level: 1 / (1 + level**2).sqrt(),
            lambda noisy, clean, level: ((noisy - clean) / level - level * clean) / (1 + level**2).sqrt(),
        ),
    }[name]
    return Known(denoise, *words)


def denoiser(denoise, name):
    """The exact denoiser, said through a parameterization."""
    return Denoiser(behind(denoise, name), ALL[name], None)


class Taking(nn.Module):
    """A network that returns the field that conditions it, or what its vector says in every cell."""

    def forward(self, x, c_noise, condition):
        if condition.field is not None:
            return condition.field
        return condition.vector.reshape(*condition.vector.shape, *[1] * (x.ndim - 2)).expand_as(x)


class Noting(nn.Module):
    """A network that says 0 and keeps what it was told."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, x, c_noise, condition):
        self.told.append((x, c_noise, condition))
        return torch.zeros_like(x)
