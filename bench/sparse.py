"""A convolution of all cells beside that of the occupied ones: time and memory of a forward and a backward pass.

python bench/sparse.py

Prints the tables of bench/README.md. Occupied are random cells, or a surface, whose cells have more neighbours.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

import machine
import torch
from torch import Tensor, nn
from torch.profiler import profile

from echoes.nets import stem
from echoes.nets.sparse import SubmanifoldConv, rulebook
from echoes.nets.stem import StemConfig

SIZES, CHANNELS = (32, 128, 128), 16
SHARES = (0.001, 0.01, 0.05)
INPUTS, FEATURES, LAYERS = 5, 8, 2  # channels in and out of a stem, and its layers, which share a rulebook
RUNS = 3


def seconds(*turns: Callable[[], object]) -> list[float]:
    """Median of each of several functions that take turns, after one turn that does not count."""
    times: list[list[float]] = [[] for _ in turns]
    for _ in range(RUNS + 1):
        for turn, found in zip(turns, times, strict=True):
            start = perf_counter()
            turn()
            found.append(perf_counter() - start)
    return [median(found[1:]) for found in times]


def peak_bytes(what: Callable[[], object]) -> int:
    """Most memory that is allocated at once beyond what there was before."""
    with profile(profile_memory=True) as found:
        what()
    held = most = 0
    changes = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    for change in sorted(changes, key=lambda event: event.start_ns()):
        held += change.nbytes()
        most = max(most, held)
    return most


def passes(forward: Callable[[], Tensor]) -> None:
    """Forward and backward."""
    out = forward()
    out.backward(torch.ones_like(out))


def scattered(batch: int, share: float) -> Tensor:
    """(B, *S) bool, so many random cells."""
    return torch.rand(batch, *SIZES, generator=torch.Generator().manual_seed(0)) < share


def surface(batch: int) -> Tensor:
    """(B, *S) bool, a slope that rises by one cell in 8: one occupied cell above each of the ground."""
    height = torch.arange(SIZES[2]) // 8 + SIZES[0] // 4
    active = torch.arange(SIZES[0])[:, None, None] == height
    return active.expand(batch, *SIZES)


def layer(name: str, active: Tensor) -> None:
    """A layer on features that are there already, beside the dense one; the rulebook alone; both together."""
    dense, sparse = nn.Conv3d(CHANNELS, CHANNELS, 3, padding=1), SubmanifoldConv(3, CHANNELS, CHANNELS)
    rules = rulebook(active)
    x = (torch.randn(len(active), CHANNELS, *SIZES) * active[:, None]).requires_grad_()
    features = rules.take(x).detach().requires_grad_()
    turns = (
        lambda: passes(lambda: dense(x)),
        lambda: passes(lambda: sparse(features, rules)),
        lambda: rulebook(active),
        lambda: passes(lambda: sparse(features, rulebook(active))),
    )
    whole, alone, rules_s, _ = seconds(*turns)
    amortised = alone + rules_s / LAYERS
    memory = [peak_bytes(turn) for turn in turns]
    times = [f"{1e3 * found:.1f}" for found in (whole, alone, rules_s, amortised)]
    row(name, *times, f"{whole / amortised:.0f}", *(f"{memory[i] / 1e6:.1f}" for i in (0, 1, 3)))


def whole_stem(name: str, active: Tensor) -> None:
    """All that a stem does to a grid: finding its cells, features taken, convolved and put back, joined to the grid."""
    x = torch.randn(len(active), INPUTS, *SIZES) * active[:, None]
    x[:, 0] = active
    dense, sparse = (stem.build(StemConfig(kind, FEATURES, LAYERS), 3, INPUTS, "stem") for kind in ("dense", "sparse"))
    turns = (lambda: passes(lambda: dense(x)), lambda: passes(lambda: sparse(x)))
    (whole, alone), memory = seconds(*turns), [peak_bytes(turn) for turn in turns]
    times = [f"{1e3 * found:.1f}" for found in (whole, alone)]
    row(name, *times, f"{whole / alone:.0f}", *(f"{found / 1e6:.1f}" for found in memory))


def row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def heading(*cells: str) -> None:
    print()
    row(*cells)
    row("---", *["---:"] * (len(cells) - 1))


def main() -> None:
    machine.tell()
    memory = "dense, MB", "sparse, MB"
    heading("layer", "dense, ms", "sparse", "rulebook", "sparse + half", "dense / that", *memory, "with rulebook")
    for share in SHARES:
        layer(f"{share:.1%}", scattered(1, share))
    layer("surface, 3.1%", surface(1))
    layer("1.0%, batch of 4", scattered(4, 0.01))
    heading("stem", "dense, ms", "sparse, ms", "dense / sparse", *memory)
    whole_stem("1.0%", scattered(1, 0.01))


if __name__ == "__main__":
    main()
