"""What has an effect in the architecture of an autoencoder by its choices, and what stands in for what has none."""

from echoes.choices.nets import STEM, STEM_STANDS
from echoes.choices.rules import only, under, unless

ARCHITECTURE = (
    only("variant", ["vq"], "vq"),
    only("variant", ["fsq"], "fsq"),
    only("variant", ["identity"], "identity"),
    only("variant", ["pretrained"], "pretrained"),
    only("variant", ["kl", "vq", "fsq"], "size", "attention", "stem", "tiles"),
    unless("attention.kind", "none", "attention.heads"),
    unless("tiles.cells", (), "tiles.overlap"),
    *under("stem", STEM),
)
STANDS = {
    "vq": {"codes": 128},
    "fsq": {"levels": [8, 5, 5, 5]},
    "identity": {"patch": [1]},
    "pretrained": {"layout": "diffusers", "path": ""},
    "size": "tiny",
    "attention": {"kind": "none", "heads": 1},
    "stem": {"convolution": "none", **STEM_STANDS},
    "tiles": {"cells": [], "overlap": 0},
    "attention.heads": 1,
    "tiles.overlap": 0,
    **{f"stem.{key}": value for key, value in STEM_STANDS.items()},
}
