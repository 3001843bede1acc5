"""By how much each axis shrinks from one level of a U-Net to the next."""

from typing import Literal

Named = Literal["full", "xy_only", "z_half", "adaptive"]
NAMES: tuple[Named, ...] = ("full", "xy_only", "z_half", "adaptive")
Strides = tuple[tuple[int, ...], ...]
Sizes = tuple[int, ...]


def written_out(strides: Named | Strides, sizes: Sizes, count: int, least: int) -> Strides:
    """At most `count` steps of rank numbers each, for a grid of `sizes`.

    full      every axis is halved at each step.
    xy_only   all but z.
    z_half    the same, and z at every other step, from the first one on.
    adaptive  an axis is halved where at least `least` whole cells stay; ends where none does.

    A grid of two axes has no z, and the first three are one.
    """
    if strides == "adaptive":
        return _adaptive(sizes, count, least)
    if not isinstance(strides, str):
        return strides[:count]
    halves_z = {"full": lambda i: True, "xy_only": lambda i: False, "z_half": lambda i: i % 2 == 0}[strides]
    z = len(sizes) - 2  # how many axes come before y and x
    return tuple((1 + halves_z(i),) * z + (2, 2) for i in range(count))


def _adaptive(sizes: Sizes, count: int, least: int) -> Strides:
    found: list[tuple[int, ...]] = []
    while len(found) < count:
        step = tuple(2 if s % 2 == 0 and s // 2 >= least else 1 for s in sizes)
        if max(step) == 1:
            break
        found.append(step)
        sizes = divided(sizes, step)
    return tuple(found)


def divided(sizes: Sizes, step: tuple[int, ...]) -> Sizes:
    """The sizes of the next level."""
    return tuple(s // n for s, n in zip(sizes, step, strict=True))


def levels(sizes: Sizes, strides: Strides) -> list[Sizes]:
    """The sizes of each level, from the first to the last one that is whole."""
    found = [sizes]
    for step in strides:
        if any(s % n for s, n in zip(found[-1], step, strict=True)):
            break
        found.append(divided(found[-1], step))
    return found


def factor(strides: Strides, rank: int) -> tuple[int, ...]:
    """Cells along each axis that share one of the lowest level."""
    product = [1] * rank
    for step in strides:
        product = [p * n for p, n in zip(product, step, strict=True)]
    return tuple(product)
