"""The network of a denoiser by tiles, where latents do not fit into memory whole; what conditions it is still whole."""

from torch import nn

from echoes.compute.tiles import Tiles
from echoes.errors import InputError
from echoes.nets.dit import DiT
from echoes.nets.layers import Factor, along
from echoes.nets.unet import UNet


def tile(network: nn.Module, tiles: Tiles, compression: Factor, sizes: tuple[int, ...], key: str) -> None:
    """Answer by tiles from now on; a tile that holds an axis whole leaves it as it is.

    compression  cells of the grid along each axis that share one latent; sizes: of the latents along each axis.

    Raises InputError, naming the parameter `key`, for tiles that do not lie on what the network takes together, and
    along an axis over all of which it looks: a cell would attend to its tile in place of the grid.
    """
    if not tiles.cells:
        return
    assert isinstance(network, UNet | DiT), "what models.denoisers builds"
    unit = along(compression, len(sizes))
    tiles.require(unit, key)
    together = []
    for cells, size, of, latents in zip(tiles.cells, sizes, unit, network.cuts(), strict=True):
        cut = cells < size * of
        if cut and latents is None:
            told = f"attention none or window along an axis of {size * of} cells that tiles of {cells} cut"
            raise InputError(f"{key}.cells: expected {told}, got {list(network.kinds)}, which looks along all of it")
        together.append(of * latents if cut and latents is not None else 1)
    tiles.require(together, key)
    network.tile(tiles, unit)
