"""A U-Net over the ground plane: the cells of a column are channels, so that every cell keeps its own place.

Height folded into channels, as pillars do (Lang et al. 2019, Sec. 2.2), costs two-dimensional convolutions at full
resolution along x and y.
"""

import torch
from torch import Tensor, nn

from echoes.errors import InputError
from echoes.nets.conditions import Condition
from echoes.nets.strides import factor
from echoes.nets.unet import UNet
from echoes.nets.unet_config import UNetConfig


class BirdseyeUNet(nn.Module):
    """(B, C, D, H, W) -> (B, outputs, D, H, W), at full resolution."""

    def __init__(self, depth: int, channels: int, outputs: int, config: UNetConfig) -> None:
        super().__init__()
        self.depth, self.outputs = depth, outputs
        self.network = UNet(2, channels * depth, outputs * depth, config, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Raises InputError for another depth, or lengths that the levels of the network cannot halve."""
        _, _, depth, height, width = x.shape
        of_y, of_x = factor(self.network.strides, 2)
        if depth != self.depth or height % of_y or width % of_x:
            wanted = f"({self.depth}, H, W) with H, W multiples of {of_y}, {of_x}"
            raise InputError(f"regression.unet: expected grids {wanted}, got {(depth, height, width)}")
        no_noise = torch.zeros(len(x), device=x.device)
        out: Tensor = self.network(x.flatten(1, 2), no_noise, Condition(None, None))
        return out.unflatten(1, (self.outputs, depth)).float()

    @torch.no_grad()
    def set_prior(self, output: int, rate: float) -> None:
        """Bias the logit `output` so that an untrained network gives probability `rate` (Lin et al. 2017, 4.1)."""
        bias = self.network.out.bias
        assert isinstance(bias, Tensor)
        bias[output * self.depth : (output + 1) * self.depth] = torch.logit(torch.tensor(rate))
