"""What the loss of occupancy may weigh and add: hard cells, borders, coarser grids, edges. All is off as shipped."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from echoes.errors import InputError
from echoes.nets.layers import space_to_depth

POOL = {2: F.max_pool2d, 3: F.max_pool3d}


@dataclass(frozen=True)
class OccupancyTerms:
    """focal       exponent of the focal loss, 0 for plain cross-entropy.
    occupied, border  what an occupied cell counts in the cross-entropy, and an empty one that touches one; others
                count 1.
    coarse      weight of the same loss in grids whose cells are `factors` times as long, their mean.
    structure   weight of the error of the gradients of the probability.
    """

    focal: float
    occupied: float
    border: float
    coarse: float
    factors: tuple[int, ...]
    structure: float

    def __post_init__(self) -> None:
        if self.focal != 0 and self.focal < 1:  # in between, its gradient has no end where a cell is nearly right
            raise InputError(f"focal: expected 0 (none), or 1 or more, got {self.focal}")
        for name in ("occupied", "border", "coarse", "structure"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if not self.factors or min(self.factors) < 2:
            raise InputError(f"factors: expected whole numbers from 2 on, got {list(self.factors)}")

    @property
    def emphasises(self) -> bool:
        """Whether some cells count more than others."""
        return self.focal > 0 or self.occupied != 1 or self.border != 1


def emphasis(logit: Tensor, occupied: Tensor, p: OccupancyTerms) -> Tensor:
    """(B, *S) what the cross-entropy of each cell counts; logit, occupied (B, *S)."""
    counts = cell_weights(occupied, p.occupied, p.border)
    return counts * focal(logit, occupied, p.focal) if p.focal else counts


def focal(logit: Tensor, occupied: Tensor, gamma: float) -> Tensor:
    """(1 - p_t)^gamma (Lin et al. 2017, Eq. 4), p_t the probability of what is true.

    For a chance between 0 and 1, as Mixup makes them, it is the distance to it (Li et al. 2020, Eq. 4).
    """
    return (occupied - logit.sigmoid()).abs() ** gamma


def cell_weights(occupied: Tensor, full: float, border: float) -> Tensor:
    """(B, *S): `full` in occupied cells, `border` in empty ones that touch one, be it by a corner, 1 in all others."""
    near = POOL[occupied.ndim - 1](occupied[:, None], 3, 1, 1)[:, 0]
    return 1 + (full - 1) * occupied + (border - 1) * (near - occupied)


def pooled(x: Tensor, factor: int) -> Tensor:
    """(B, *S) -> (B, *S / factor): the largest of each block of cells; raises InputError where blocks do not fit."""
    if any(size % factor for size in x.shape[1:]):
        raise InputError(f"occupancy.factors: expected divisors of {list(x.shape[1:])} cells, got {factor}")
    return space_to_depth(x[:, None], factor).amax(1)


def coarse_rate(rate: float, cells: int) -> float:
    """The share of occupied blocks of so many cells, were cells occupied independently with the chance `rate`."""
    return 1 - (1 - rate) ** cells
