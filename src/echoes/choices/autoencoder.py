"""What has an effect in the architecture of an autoencoder by its choices, and what stands in for what has none."""

from echoes.choices.nets import STEM, STEM_STANDS
from echoes.choices.rules import only, under

ARCHITECTURE = (
    only("variant", ["vq"], "vq"),
    only("variant", ["fsq"], "fsq"),
    *under("stem", STEM),
)
STANDS = {
    "vq": {"codes": 128},
    "fsq": {"levels": [8, 5, 5, 5]},
    **{f"stem.{key}": value for key, value in STEM_STANDS.items()},
}
