"""The trained networks of a track as models of the diffusers library, rebuilt from the headers of their artifacts."""

from pathlib import Path
from typing import Any

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from echoes.distillation.consistency import ConsistencyModel
from echoes.models import autoencoders, denoisers, students
from echoes.nets.conditions import Condition
from echoes.provenance import Header, migrated

CONFIG = Path("config.json")


class Autoencoder(ModelMixin, ConfigMixin):
    """Spectrograms in network range <-> latents, of any variant: kl, vq, fsq.

    header   of vae.safetensors, as `vars(header)`; the weights of a new object are random.
    """

    @register_to_config
    def __init__(self, header: dict[str, Any]) -> None:
        super().__init__()
        self.header = migrated(Header(**header))
        self.model = autoencoders.from_header(self.header, CONFIG)

    def decode(self, raw_latents: Tensor) -> Tensor:
        """(B, Z, *S') -> (B, C, *S)."""
        decoded: Tensor = self.model.decode(raw_latents)
        return decoded


class LatentDenoiser(ModelMixin, ConfigMixin):
    """A denoiser of whitened latents, or the consistency model that was distilled from one.

    header   of ldm.safetensors or cd.safetensors, as `vars(header)`.
    """

    @register_to_config
    def __init__(self, header: dict[str, Any]) -> None:
        super().__init__()
        self.header = migrated(Header(**header))
        self.model: nn.Module
        if self.header.kind == "cd":
            of = students.architecture(self.header, CONFIG)
            self.model = ConsistencyModel(students.build(self.header, of), of.sigmas.low)
        else:
            self.model = denoisers.build(self.header, denoisers.architecture(self.header, CONFIG))

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """noisy (B, Z, *S'), sigma (B,) -> what the model takes the clean latents for."""
        denoised: Tensor = self.model(noisy, sigma, condition)
        return denoised
