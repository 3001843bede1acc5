"""What has an effect in the sections of networks by their choices, and what stands in for what has none."""

from echoes.choices.rules import only, unless

STEM = (unless("convolution", "none", "channels", "layers"),)
STEM_STANDS = {"channels": 8, "layers": 2}

UNET = (
    only("strides", ["adaptive"], "least"),
    unless("size.attention", "none", "heads"),
    only("size.attention", ["window", "sparse"], "window"),
    only("size.attention", ["sparse"], "keep"),
    only("size.norm.kind", ["group", "adaptive"], "size.norm.groups"),
)
UNET_STANDS = {"least": 4, "heads": 4, "window": 4, "keep": 4, "size.norm.groups": 8}

DIT = (
    only("attention", ["window", "sparse"], "window"),
    only("attention", ["sparse"], "keep"),
)
DIT_STANDS = {"window": 4, "keep": 4}
