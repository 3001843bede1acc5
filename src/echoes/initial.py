"""Where the trainings of a track start: from scratch, or at the weights of another track, copied beside its data."""

import shutil
from pathlib import Path

from echoes import files, provenance
from echoes.errors import InputError
from echoes.provenance import Header

SCRATCH = "scratch"  # in place of the name of a track
CARRIER = "init.json"  # of the header
WEIGHTS = ("vae.safetensors", "ldm.safetensors")


def write(source: str, models: Path, path: Path) -> None:
    """Copy the autoencoder and the denoiser of `source` from the folder `models` into the folder `path`, or nothing.

    A copy, because DVC ties one path to a track, and the source is another one for each track. Raises InputError where
    a model is not there.
    """
    with files.replacing(path) as temporary:
        temporary.mkdir()
        for name in WEIGHTS if source != SCRATCH else ():
            if not (models / name).is_file():
                raise InputError(f"{models / name}: no such file; expected the finished models of {source}")
            shutil.copyfile(models / name, temporary / name)
        header = Header("init", {"init_from": source}, {}).sealed(provenance.parts(temporary, CARRIER))
        (temporary / CARRIER).write_text(header.text())


def read(path: Path) -> Header:
    """The header of what `write` wrote; raises InputError where there is none, or a file of it is missing."""
    header = provenance.read(path / CARRIER, "init")
    provenance.require_sizes(header, path)
    return header
