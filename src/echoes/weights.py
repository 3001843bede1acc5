"""Module weights with the params that rebuild the module, in safetensors. Nothing is unpickled."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from echoes import files, provenance
from echoes.errors import InputError
from echoes.provenance import Header

PART = "tensors"


def save(tensors: dict[str, Tensor], header: Header, path: Path) -> None:
    """Write tensors and their sealed header atomically; the same input gives the same bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One metadata key only: with several their order, and so the file, changes from run to run.
    with files.replacing(path) as temporary:
        save_file(plain, temporary, metadata={"echoes": header.sealed({PART: _part(plain)}).text()})


def _part(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """What the header says of all tensors together."""
    hashed = sha256()
    for name, tensor in sorted(tensors.items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.flatten().view(torch.uint8).numpy().data)
    return {"bytes": sum(tensor.nbytes for tensor in tensors.values()), "sha256": hashed.hexdigest()}


def header(path: Path, kind: str) -> Header:
    """The header alone of a file written by `save`; raises InputError where the file is missing, foreign or other."""
    return _opened(path, kind, lambda file: {})[1]


def load(path: Path, kind: str) -> tuple[dict[str, Tensor], Header]:
    """The tensors and the header of a file written by `save`.

    Raises InputError where the file is missing, damaged, foreign or of another kind.
    """
    tensors, header = _opened(path, kind, lambda file: {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    found, expected = _part(tensors), header.parts.get(PART, {"bytes": 0, "sha256": "nothing"})
    if found != expected:
        raise InputError(
            f"{path}: expected the tensors {expected['sha256'][:12]} as written, got {found['sha256'][:12]}"
        )
    return tensors, header


def _opened(path: Path, kind: str, take: Callable[[Any], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Header]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the weights of kind {kind}")
    try:
        with safe_open(path, framework="pt") as file:
            header = provenance.parse((file.metadata() or {}).get("echoes", ""), kind, path)
            return take(file), header
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: expected a safetensors file, got {error}") from error


def restore(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Load `tensors` into `module`, strictly: raises InputError naming `path` where names or shapes differ."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit the network: {' '.join(str(error).split())}") from error
