"""What has an effect in the section `<track>.vae` by its choices."""

from echoes.choices.autoencoder import ARCHITECTURE
from echoes.choices.rules import only, under, unless
from echoes.choices.schedule import SCHEDULE

TEACHER = ("loss.alignment.teacher", "loss.alignment.trained", "loss.alignment.file")
CHOICES = (
    *under("architecture", ARCHITECTURE),
    *under("schedule", SCHEDULE),
    only("architecture.variant", ["kl"], "loss.kl"),
    only("architecture.variant", ["vq"], "loss.vq"),
    unless("loss.perceptual.weight", 0, "loss.perceptual.vae"),
    unless("loss.occupancy.coarse", 0, "loss.occupancy.factors"),
    unless("augmentation.shift_s", 0, "augmentation.shift"),
    unless("loss.equivariance.weight", 0, "loss.equivariance.scales"),
    unless("loss.alignment.weight", 0, "loss.alignment.distance_margin", "loss.alignment.cosine_margin"),
    only("loss.alignment.teacher", ["trained"], "loss.alignment.trained"),
    only("loss.alignment.teacher", ["file"], "loss.alignment.file"),
    unless(["loss.alignment.weight", "loss.perceptual"], 0, *TEACHER),
)
