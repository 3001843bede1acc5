"""What tiles give is what the whole gives, as far as a network sees."""

from itertools import product

import pytest
import torch
from torch import nn

from echoes.compute.tiles import Tiles, tiled
from echoes.errors import InputError


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size", "tile", "overlap"), list(product((8, 16, 20, 36), (8, 12), (0, 4))))
def test_a_function_of_single_cells_gives_what_it_gives_of_the_whole(size, tile, overlap):
    x = noise(2, 3, size, 12)
    torch.testing.assert_close(tiled(torch.tanh, x, Tiles((tile, 8), overlap), (1, 1)), x.tanh())


@pytest.mark.parametrize("scale", [0.25, 2])
def test_so_does_one_that_makes_grids_coarser_or_finer(scale):
    def scaled(x):
        return nn.functional.interpolate(x, scale_factor=scale, mode="nearest")

    x = noise(1, 2, 16, 24, 32)
    torch.testing.assert_close(tiled(scaled, x, Tiles((8, 16, 16), 4), (1, 1, 1)), scaled(x))


def test_convolutions_that_see_no_farther_than_a_quarter_of_the_overlap_give_what_they_give_of_the_whole():
    torch.manual_seed(0)
    two = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))
    x = noise(1, 2, 40, 24)
    with torch.no_grad():
        torch.testing.assert_close(tiled(two, x, Tiles((16, 16), 8), (1, 1)), two(x))
        assert (tiled(two, x, Tiles((16, 16), 4), (1, 1)) - two(x)).abs().max() > 1e-4


def test_no_call_takes_more_than_a_tile_and_a_grid_that_fits_is_taken_whole():
    taken = []

    def seen(x):
        taken.append(tuple(x.shape[2:]))
        return x

    tiled(seen, noise(1, 1, 20, 8), Tiles((8, 8), 4), (1, 1))
    assert set(taken) == {(8, 8)}
    taken.clear()
    tiled(seen, noise(1, 1, 8, 6), Tiles((8, 8), 4), (1, 1))
    tiled(seen, noise(1, 1, 90, 6), Tiles((), 0), (1, 1))
    assert taken == [(8, 6), (90, 6)]


@pytest.mark.parametrize(
    ("cells", "overlap", "told"),
    [
        ((8, 8), 5, r"^cells: expected at least twice the overlap of 5, got \[8, 8\]$"),
        ((8, 8), -1, r"^overlap: expected 0 or more, and 0 where there are no tiles, got -1$"),
        ((), 4, r"^overlap: expected 0 or more, and 0 where there are no tiles, got 4$"),
    ],
)
def test_tiles_that_cover_nothing_are_refused(cells, overlap, told):
    with pytest.raises(InputError, match=told):
        Tiles(cells, overlap)


def test_tiles_that_do_not_lie_on_the_blocks_of_latents_are_refused():
    Tiles((8, 16), 4).require((4, 4), "tiles")
    Tiles((), 0).require((4, 4, 4), "tiles")
    with pytest.raises(InputError, match=r"^tiles: expected multiples of \[4, 4\] cells, .* got cells \[8, 18\]"):
        Tiles((8, 18), 4).require((4, 4), "tiles")
    with pytest.raises(InputError, match=r"^tiles\.cells: expected one number for each of 3 axes, got \[8, 16\]$"):
        Tiles((8, 16), 4).require((4, 4, 4), "tiles")


def test_tiles_are_told_in_cells_of_the_grid_and_latents_share_some_along_each_axis():
    def finer(latents):
        return nn.functional.interpolate(latents, scale_factor=(4.0, 2.0), mode="nearest")

    taken, latents = [], noise(1, 1, 10, 20)

    def seen(part):
        taken.append(tuple(part.shape[2:]))
        return finer(part)

    torch.testing.assert_close(tiled(seen, latents, Tiles((16, 16), 8), (4, 2)), finer(latents))
    assert set(taken) == {(4, 8)}
