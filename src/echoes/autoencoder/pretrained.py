"""Autoencoders of latent diffusion from files that others have written: a module for each layout."""

from echoes import files
from echoes.autoencoder import pretrained_compvis, pretrained_diffusers
from echoes.autoencoder.autoencoder_kl import RANK, AutoencoderKl, KlShape
from echoes.autoencoder.pretrained_compvis import CompVisFile
from echoes.autoencoder.pretrained_diffusers import DiffusersFolder
from echoes.errors import InputError

KEY = "vae.architecture.pretrained"
Source = DiffusersFolder | CompVisFile | KlShape


def build(source: Source, rank: int, channels: int) -> AutoencoderKl:
    """The network of a source, with its weights where it is a file.

    Raises InputError unless it is of grids with so many axes and channels.
    """
    if rank != RANK:
        told = f"another one for a grid of {rank} axes"
        raise InputError(f"vae.architecture.variant: expected {told}, got pretrained, which is of {RANK}")
    if isinstance(source, KlShape):
        vae = AutoencoderKl(source)
    elif not source.path:
        raise InputError(f"{KEY}.path: expected where the autoencoder lies, got nothing")
    elif isinstance(source, DiffusersFolder):
        vae = pretrained_diffusers.read(source)
    else:
        vae = pretrained_compvis.read(source)
    if vae.shape.inputs != channels:
        raise InputError(f"{KEY}: expected an autoencoder of the grid's {channels} channels, got {vae.shape.inputs}")
    return vae


def origin(source: Source) -> dict[str, str]:
    """The digest of the weights that were read, as a parent of the artifact."""
    return {} if isinstance(source, KlShape) else {"pretrained": files.digest(source.weights)}
