"""Module weights with the params that rebuild the module, in safetensors. Nothing is unpickled."""

from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from echoes import files, provenance
from echoes.errors import InputError
from echoes.provenance import Header


def save(tensors: dict[str, Tensor], header: Header, path: Path) -> None:
    """Write tensors and their sealed header atomically; the same input gives the same bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    hashed = sha256()
    for name, tensor in plain.items():
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    # One metadata key only: with several their order, and so the file, changes from run to run.
    with files.replacing(path) as temporary:
        save_file(plain, temporary, metadata={"echoes": header.sealed(hashed.hexdigest()).text()})


def load(path: Path, kind: str) -> tuple[dict[str, Tensor], Header]:
    """The tensors and the header of a file written by `save`.

    Raises InputError where the file is missing, damaged, foreign or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the weights of kind {kind}")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("echoes", "")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: expected a safetensors file, got {error}") from error
    return tensors, provenance.parse(text, kind, path)


def restore(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load `tensors` into `module`, strictly: raises InputError naming `path` where names or shapes differ."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit the network: {' '.join(str(error).split())}") from error
