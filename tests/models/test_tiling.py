"""A network by tiles says what it says of the whole, as far as its cells see."""

import pytest
import torch

import networks
import tracks
from echoes.compute.tiles import Tiles
from echoes.errors import InputError
from echoes.models import tiling
from echoes.nets.conditions import Condition
from echoes.nets.dit import DiT
from echoes.nets.unet import UNet

LATENT = 4  # cells of the grid along each axis
# Cut is the first axis of two, the second of three. The U-Nets see at most 32 latents far, the transformers 12.
SIZES = {2: (512, 4), 3: (2, 512, 4)}


def unet(rank, norm="rms", attention=("none", "window")):
    return tracks.shaken(UNet(rank, 4, 2, networks.unet((4, 8), attention=attention, norm=norm, strides="xy_only"), 0))


def dit(rank):
    return tracks.shaken(DiT(rank, 4, 2, networks.dit(attention="window"), 0))


def tiles(rank, along=256, overlap=128):
    return Tiles(tuple(LATENT * n for n in (2 * overlap, along, 2 * overlap)[3 - rank :]), LATENT * overlap)


def answers(network, rank, into):
    """Of the whole, and of tiles."""
    generator = torch.Generator().manual_seed(0)
    x, field = (torch.randn(1, 2, *SIZES[rank], generator=generator) for _ in range(2))
    given = x, torch.zeros(1), Condition(field, None)
    whole = network(*given)
    tiling.tile(network, into, LATENT, SIZES[rank], "tiles")
    return whole, network(*given)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("made", [unet, dit])
def test_a_network_that_sees_no_farther_than_a_quarter_of_the_overlap_says_what_it_says_of_the_whole(made, rank):
    network, seen = made(rank), []
    whole, tiled = answers(network, rank, tiles(rank))
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-5)
    first = network.stem if made is unet else network.blocks[0]
    first.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].numel()))
    answers(network, rank, tiles(rank))
    assert len(seen) == 2 * 3  # three tiles each time, as it stays tiled
    assert torch.equal(*answers(made(rank), rank, Tiles((), 0)))


def test_where_it_sees_farther_or_norms_take_means_it_differs_by_a_part_of_its_deviation():
    for norm, overlap in (("rms", 8), ("group", 128)):
        whole, tiled = answers(unet(2, norm), 2, tiles(2, overlap=overlap))
        assert 1e-5 < (tiled - whole).square().mean().sqrt() < 0.3 * whole.std(), norm


@pytest.mark.parametrize("attention", ["full", "linear", "sparse", "axial", "y"])
def test_attention_along_an_axis_that_tiles_cut_is_refused(attention):
    with pytest.raises(
        InputError,
        match=rf"^tiles\.cells: expected attention none or window along an axis of 2048 cells that tiles of 1024 cut, "
        rf"got \['none', '{attention}'\], which looks along all of it$",
    ):
        tiling.tile(unet(3, attention=("none", attention)), tiles(3), LATENT, SIZES[3], "tiles")


@pytest.mark.parametrize("attention", ["z", "x"])
def test_along_an_axis_that_a_tile_holds_whole_attention_may_look(attention):
    whole, tiled = answers(unet(3, attention=("none", attention)), 3, tiles(3))
    torch.testing.assert_close(tiled, whole, rtol=1e-4, atol=1e-5)


def test_tiles_begin_where_the_windows_of_the_lowest_level_do():
    """Windows of two latents of a level that is half as fine."""
    assert unet(3).cuts() == (2, 4, 4)
    assert dit(2).cuts() == (4, 4)
    with pytest.raises(InputError, match=r"^tiles: expected multiples of \[16, 1\] cells, .* overlap 8$"):
        tiling.tile(unet(2), Tiles((1024, 16), 8), LATENT, SIZES[2], "tiles")
