"""Where the tokens of a transformer lie: waves added to them, and rotations of what they ask and offer."""

import torch
from torch import Tensor

BASE = 10000.0  # the longest wavelength over the shortest (Vaswani et al. 2017, Sec. 3.5)


def angles(sizes: tuple[int, ...], count: int, device: torch.device) -> Tensor:
    """(tokens, count): index along an axis times a frequency, `count // rank` frequencies from 1 to 1 / BASE per axis.

    What the axes cannot share evenly stays 0.
    """
    each = count // len(sizes)
    frequencies = BASE ** -(torch.arange(each, device=device) / each)
    index = torch.meshgrid(*(torch.arange(s, device=device) for s in sizes), indexing="ij")
    table = torch.cat([axis.flatten()[:, None] * frequencies for axis in index], dim=1)
    return torch.nn.functional.pad(table, (0, count - table.shape[1]))


def waves(sizes: tuple[int, ...], features: int, device: torch.device) -> Tensor:
    """(tokens, features): sin and cos of the place along each axis (Vaswani et al. 2017, Sec. 3.5)."""
    table = angles(sizes, features // 2, device)
    return torch.cat([table.sin(), table.cos()], dim=1)


def rotation(sizes: tuple[int, ...], features: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Two factors (tokens, features) of rotary positions over all axes (Su et al. 2021, Eq. 34), see `rotated`."""
    table = angles(sizes, features // 2, device)
    cos, sin = table.cos(), table.sin()
    return torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)


def rotated(x: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """x (..., tokens, features): feature i and i + features / 2 turn as a pair, by an angle of the token's place.

    The product of two rotated tokens then depends on the difference of their places alone.
    """
    own, other = own.to(x.dtype), other.to(x.dtype)
    return x * own + x.roll(x.shape[-1] // 2, -1) * other
