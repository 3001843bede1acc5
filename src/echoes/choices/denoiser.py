"""What has an effect in the architecture of a denoiser by its choices, and what stands in for what has none."""

from echoes.choices.nets import DIT, DIT_STANDS, STEM, STEM_STANDS, UNET, UNET_STANDS
from echoes.choices.rules import only, under

ARCHITECTURE = (
    only("parameterization", ["edm"], "edm"),
    only("parameterization", ["ddpm"], "ddpm"),
    only("network", ["unet"], "unet"),
    only("network", ["dit"], "dit"),
    *under("unet", UNET),
    *under("dit", DIT),
    only("condition.by", ["encoder"], "condition.width", "condition.blocks", "condition.stem"),
    *under("condition.stem", STEM),
    *under("regression.unet", UNET),
)
_UNET = {
    "size": {
        "channels": [64, 128],
        "blocks": 2,
        "attention": ["none", "full"],
        "norm": {"kind": "group", "groups": 8},
        "convolution": "dense",
    },
    "strides": "full",
    "dropout": 0.0,
}
# Whole sections that a network which reads its file can be built with, whatever this one was trained with.
STANDS = {
    "edm": {"sigma_data": 1.0},
    "ddpm": {"steps": 1000, "schedule": "squaredcos_cap_v2", "prediction": "v"},
    "unet": {**_UNET, **{key: value for key, value in UNET_STANDS.items() if "." not in key}},
    "dit": {"size": "tiny", "patch": 2, "attention": "full", "dropout": 0.0, **DIT_STANDS},
    "condition.width": 64,
    "condition.blocks": 2,
    "condition.stem": {"convolution": "none", **STEM_STANDS},
    **{f"unet.{key}": value for key, value in UNET_STANDS.items()},
    **{f"dit.{key}": value for key, value in DIT_STANDS.items()},
    **{f"condition.stem.{key}": value for key, value in STEM_STANDS.items()},
    **{f"regression.unet.{key}": value for key, value in UNET_STANDS.items()},
}
