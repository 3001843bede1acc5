"""Module weights with the params that rebuild the module, in safetensors. Nothing is unpickled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from echoes import files, provenance
from echoes.errors import InputError, one_line
from echoes.provenance import Header

PART = "tensors"
CONSTANT_BYTES = 64 << 20  # most that a network computes from its params alone, such as a table of noise levels
# What layers raise on sizes that are none.
UNBUILDABLE = (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError)
Module = TypeVar("Module", bound=nn.Module)


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


def rebuilt(build: Callable[[], Module], tensors: dict[str, Tensor], path: Path) -> Module:
    """The module that `build` makes from the params of the file `path`, with the tensors of that file.

    It is made on the meta device first, because a stranger's params may ask for any size and there it costs nothing.
    Raises InputError where it cannot be made, is not the network of these tensors, or one of them is not finite.
    """
    try:
        with torch.device("meta"), _parameters_up_to(len(tensors)):
            claimed = build()
    except UNBUILDABLE as error:
        raise InputError(f"{path}: expected params of a network, got {one_line(error)}") from error
    state = claimed.state_dict()
    _require_same(state, tensors, path)
    constants = sum(b.nbytes for name, b in claimed.named_buffers() if name not in state)
    if constants > CONSTANT_BYTES:
        raise InputError(f"{path}: expected tables of at most {CONSTANT_BYTES} bytes beside weights, got {constants}")
    _require_finite(tensors, path)
    module = build()
    module.load_state_dict(tensors)
    return module


def fill(module: nn.Module, path: Path, kind: str) -> None:
    """Give a module the weights of a file written by `save`: all of them, each in its own shape.

    Raises InputError where they are not those of this very network, naming the first that differs; what surrounds it,
    such as a schedule or the grid, may be another.
    """
    tensors, _ = load(path, kind)
    _require_same(module.state_dict(), tensors, path)
    _require_finite(tensors, path)
    module.load_state_dict(tensors)


def _require_same(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Raises InputError, for the first by name, unless both have the same tensors in type and shape."""
    for name in sorted(expected.keys() | found.keys()):
        wanted, got = (_layout(some[name]) if name in some else None for some in (expected, found))
        if wanted != got:
            raise InputError(
                f"{path}: weights do not fit the network: expected {name} to be {wanted or 'missing'}, "
                f"got {got or 'none'}"
            )


def _layout(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...]]:
    return tensor.dtype, tuple(tensor.shape)


def _require_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise InputError(f"{path}: expected finite weights, got others in {name}")


@contextmanager
def _parameters_up_to(most: int) -> Iterator[None]:
    """Raises InputError for a module of more parameters: even empty blocks take for ever where there are billions.

    One that a layer takes over from another one counts once.
    """
    found: dict[int, Any] = {}

    def counted(module: nn.Module, name: str, parameter: Any) -> None:
        found[id(parameter)] = parameter  # held, or another one could get its number
        if len(found) > most:
            raise InputError(f"more weights than the {most} tensors of the file")

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()
