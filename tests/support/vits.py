"""A small vision transformer as its file lies on disk: tensors under the names of timm, in the shapes of DINOv2."""

import torch
from torch import Tensor

WIDTH, HEADS, PATCH, SIDE, DEPTH, HIDDEN = 12, 3, 2, 3, 5, 20
# For spectrograms of 16 x 16: 4 x 5 patches.
FILE = {"path": "", "heads": HEADS, "places": [4, 5], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}


def tensors(registers: int = 0, placed: bool = True) -> dict[str, Tensor]:
    """Random ones. placed: whether the class has a position, as in DINOv2 and not in timm's with registers."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return 0.3 * torch.randn(*shape, generator=generator)

    found = {
        "cls_token": drawn(1, 1, WIDTH),
        "mask_token": drawn(1, WIDTH),
        "pos_embed": drawn(1, SIDE**2 + placed, WIDTH),
        "patch_embed.proj.weight": drawn(WIDTH, 3, PATCH, PATCH),
        "patch_embed.proj.bias": drawn(WIDTH),
        "norm.weight": 1 + drawn(WIDTH),
        "norm.bias": drawn(WIDTH),
    }
    if registers:
        found["reg_token"] = drawn(1, registers, WIDTH)
    for i in range(DEPTH):
        of_block = {"attn.qkv": (3 * WIDTH, WIDTH), "attn.proj": (WIDTH, WIDTH)}
        of_block |= {"mlp.fc1": (HIDDEN, WIDTH), "mlp.fc2": (WIDTH, HIDDEN)}
        for name, shape in of_block.items():
            found |= {f"blocks.{i}.{name}.weight": drawn(*shape), f"blocks.{i}.{name}.bias": drawn(shape[0])}
        for name in ("norm1", "norm2"):
            found |= {f"blocks.{i}.{name}.weight": 1 + drawn(WIDTH), f"blocks.{i}.{name}.bias": drawn(WIDTH)}
        found |= {f"blocks.{i}.{name}.gamma": 1 + drawn(WIDTH) for name in ("ls1", "ls2")}
    return found
