"""The trained networks of a track as models of the diffusers library, rebuilt from the headers of their artifacts."""

from pathlib import Path
from typing import Any

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from echoes import params
from echoes.distillation.consistency import ConsistencyModel
from echoes.models import autoencoders, denoisers
from echoes.models.autoencoders import VaeParams
from echoes.models.students import CdParams
from echoes.nets.conditions import Condition
from echoes.provenance import Header


class Autoencoder(ModelMixin, ConfigMixin):
    """Spectrograms in network range <-> latents, of any variant: kl, vq, fsq.

    header   of vae.safetensors, as `vars(header)`; the weights of a new object are random.
    """

    @register_to_config
    def __init__(self, header: dict[str, Any]) -> None:
        super().__init__()
        self.header = Header(**header)
        p: VaeParams = params.build(VaeParams, self.header.params, "config.json: params")
        content = self.header.content
        self.model = autoencoders.build(p, rank=len(content["axes"]), channels=content["channels"])

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
        self.header = Header(**header)
        self.model: nn.Module = denoisers.build(self.header, denoisers.ldm_params(self.header, Path("config.json")))
        if self.header.kind == "cd":
            p: CdParams = params.build(CdParams, self.header.params, "config.json: params")
            self.model = ConsistencyModel(self.model, p.sigmas.low)

    def forward(self, noisy: Tensor, sigma: Tensor, condition: Condition) -> Tensor:
        """noisy (B, Z, *S'), sigma (B,) -> what the model takes the clean latents for."""
        denoised: Tensor = self.model(noisy, sigma, condition)
        return denoised
