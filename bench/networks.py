"""A step of the networks on latents of (4, 16, 16) cells: each choice beside the default, in time, weights and memory.

python bench/networks.py [GROUP [VARIANT ...]]

Forward, backward and AdamW on batches of 16 of noise, in bfloat16 where the processor has it. The variants of a group
take turns, step by step, so that all share what else the machine does.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import Any

import machine
import torch
from torch import nn

from echoes import params
from echoes.commands.live_memory import LiveMemory
from echoes.compute.precision import autocast
from echoes.models.denoisers import LdmArchitecture
from echoes.nets.conditions import Condition
from echoes.nets.dit import DiT, DiTConfig
from echoes.nets.unet import UNet
from echoes.nets.unet_config import UNetConfig

CHANNELS, FIELDS, SIZES, BATCH = 4, 32, (4, 16, 16), 16
WARM, RUNS = 2, 6
CPU = torch.device("cpu")
SECTION = asdict(params.load(LdmArchitecture, "astyx.ldm.architecture"))


def unet(size: Mapping[str, Any] | str, **others: Any) -> nn.Module:
    """The U-Net of the track `astyx` with other values; size: a name, or those inside of its size."""
    section = SECTION["unet"]
    changed = size if isinstance(size, str) else {**section["size"], **size}
    config: UNetConfig = params.build(UNetConfig, {**section, "size": changed, **others}, "unet")
    return UNet(3, CHANNELS + FIELDS, CHANNELS, config.written_out(SIZES, "unet"), 0)


def dit(**others: Any) -> nn.Module:
    config: DiTConfig = params.build(DiTConfig, {**SECTION["dit"], **others}, "dit")
    return DiT(3, CHANNELS + FIELDS, CHANNELS, config, 0)


def levels(*attention: str) -> nn.Module:
    return unet({"attention": list(attention)})


Network = Callable[[], nn.Module]
KINDS = ("full", "window", "axial", "height", "linear", "sparse")
GROUPS: dict[str, dict[str, Network]] = {
    "lowest": {
        "full (default)": lambda: unet({}),
        **{kind: lambda kind=kind: levels("none", kind) for kind in ("none", *KINDS[1:])},
    },
    "upper": {
        "none (default)": lambda: unet({}),
        **{kind: lambda kind=kind: levels(kind, "full") for kind in KINDS},
    },
    "blocks": {
        "default": lambda: unet({}),
        **{
            kind: lambda kind=kind: unet({"norm": {"kind": kind, "groups": 8}})
            for kind in ("layer", "instance", "rms", "adaptive")
        },
        "depthwise": lambda: unet({"convolution": "depthwise"}),
        "xy_only": lambda: unet({}, strides="xy_only"),
    },
    "sizes": {
        "numbers (default)": lambda: unet({}),
        **{
            size: lambda size=size: unet(size, strides="xy_only")
            for size in ("ldm_default", "ultra_lightweight", "lightweight", "balanced")
        },
    },
    "dit": {
        "full (default)": lambda: dit(),
        **{kind: lambda kind=kind: dit(attention=kind) for kind in KINDS[1:]},
    },
}


class Trial:
    """A network that trains on noise."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.optimiser = network.train(), torch.optim.AdamW(network.parameters(), lr=1e-4)
        self.x, self.field = torch.randn(BATCH, CHANNELS, *SIZES), torch.randn(BATCH, FIELDS, *SIZES)
        self.c_noise, self.taken_s = torch.randn(BATCH), list[float]()

    def gradients(self) -> None:
        self.optimiser.zero_grad()
        with autocast(CPU):
            out = self.network(self.x, self.c_noise, Condition(self.field, None))
        (out.float() - self.x).square().mean().backward()

    def step(self) -> None:
        start = perf_counter()
        self.gradients()
        self.optimiser.step()
        self.taken_s.append(perf_counter() - start)

    def peak_bytes(self) -> int:
        """Of activations and gradients of a step, beside weights."""
        self.optimiser.zero_grad()
        with LiveMemory(CPU) as live:
            live.hold(self.network)
            weights = live.bytes
            self.gradients()
        return live.peak - weights

    def row(self, name: str, default_s: float) -> str:
        count = sum(p.numel() for p in self.network.parameters()) / 1e6
        taken_s = median(self.taken_s[WARM:])
        numbers = f"{count:.2f} | {1000 * taken_s:.0f} | {taken_s / default_s:.2f} | {self.peak_bytes() / 1e6:.0f}"
        return f"| {name} | {numbers} |"


def compare(group: str, variants: list[str]) -> None:
    """Prints a row for the default of a group, its first one, and for each of the variants."""
    torch.manual_seed(0)
    default, *others = GROUPS[group]
    trials = {name: Trial(GROUPS[group][name]()) for name in (default, *(variants or others))}
    for _ in repeat(None, WARM + RUNS):
        for trial in trials.values():
            trial.step()
    default_s = median(trials[default].taken_s[WARM:])
    print(f"| {group} | weights, M | step, ms | of the default's | peak, MB |\n|---|---:|---:|---:|---:|")
    for name, trial in trials.items():
        print(trial.row(name, default_s), flush=True)


def main(group: str = "", *variants: str) -> None:
    machine.tell()
    for each in [group] if group else GROUPS:
        compare(each, list(variants))


if __name__ == "__main__":
    main(*sys.argv[1:])
