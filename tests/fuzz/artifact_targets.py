"""The artifacts of a track under the fuzzer: grids, latents, and the weights of each model."""

import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file

import artifacts
import tracks
import vits
from echoes import latentstore, params, weights
from echoes.autoencoder import backbone, pretrained
from echoes.autoencoder.autoencoder_kl import AutoencoderKl, KlShape
from echoes.autoencoder.loss_weights import TeacherFile
from echoes.autoencoder.pretrained_compvis import CompVisFile
from echoes.autoencoder.pretrained_tensors import IN_COMPVIS, named
from echoes.dataset import catalog
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.models import autoencoders, denoisers, students
from echoes.models.radar import familiarity, readout
from echoes.provenance import Header
from fuzz.cases import Target
from fuzz.checks import finite
from fuzz.mutations import Files, damaged, tree_damaged

CPU = torch.device("cpu")
TEACHER = params.build(TeacherFile, vits.FILE, "file")


def _nested(tree: Any, rng: Random) -> Any:
    """A tree whose text `echoes` or `header`, itself a JSON document, may be damaged inside."""
    for holder in (tree, tree.get("attributes", {}), tree.get("__metadata__", {})):
        for key in ("echoes", "header"):
            if isinstance(holder.get(key), str) and rng.random() < 0.6:
                holder[key] = json.dumps(tree_damaged(json.loads(holder[key]), rng))
                return tree
    return tree_damaged(tree, rng)


def document(data: bytes, rng: Random) -> bytes:
    """A JSON document with a header of echoes in it."""
    return json.dumps(_nested(json.loads(data), rng)).encode()


def safetensors(data: bytes, rng: Random) -> bytes:
    """The JSON header of a safetensors file, or what is behind it."""
    (length,) = struct.unpack("<Q", data[:8])
    header, body = data[8 : 8 + length], data[8 + length :]
    if rng.random() < 0.3:
        return data[: 8 + length] + damaged(body, rng)
    header = document(header, rng)
    return struct.pack("<Q", len(header)) + header + body


@cache
def _radar() -> Files:
    """The files of a small track of radar clouds."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        tracks.radar(data)
        return {p.relative_to(data).as_posix(): p.read_bytes() for p in data.rglob("*") if p.is_file()}


def part(name: str) -> Callable[[Path], None]:
    """Writes the artifact `name`, a file or a folder, of that track."""

    def write(root: Path) -> None:
        for path, content in _radar().items():
            if path.split("/")[0] == name:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(content or b"")

    return write


def _grids(root: Path) -> None:
    artifacts.write_grids(root / "grids.zarr", ("train", "val", "test"))


def _spectrograms(root: Path) -> None:
    artifacts.write_spectrograms(root / "grids.zarr")


def _zarr_latents(root: Path) -> None:
    content = {"latent_shape": [4, 2, 4, 2]}
    rows = {"latents": np.ones((3, 4, 2, 4, 2), np.float32), "label": np.arange(3, dtype=np.int32)}
    latentstore.write(root / "latents", "zarr", iter([rows]), lambda: Header("latents", {}, {}, content))


def _latent_diffusion() -> dict[str, torch.Tensor]:
    """An autoencoder of one level, by the names of a checkpoint."""
    shape = KlShape("shape", 1, (4,), 1, (True,), True, 2, 3, 3, True, True, 1.0, 0.0)
    state = AutoencoderKl(shape).state_dict()
    return {named(name, IN_COMPVIS): tensor for name, tensor in state.items()}


def read_grids(root: Path) -> Any:
    data = catalog.read(root / "grids.zarr")
    frames = np.arange(len(data))
    parts = [data.frames(split) for split in ("train", "val", "test")]
    batches = [data.target_batch(frames[:2]), data.stamps()]
    if isinstance(data, Grids):
        batches += [data.input_batch(frames[:2]), data.observed_batch(frames[:2]), data.offsets_batch(frames[:2])]
        batches += [data.stretches().astype(np.float32), np.array([data.ground(int(f)) for f in frames])]
        batches += [data.points(name, int(parts[2][0])) for name in ("input", "target")]
    else:
        batches += [data.labels(frames).astype(np.float32)]
    return data, parts, batches


def check_grids(found: tuple[Grids | Spectrograms, list[np.ndarray], list[np.ndarray]]) -> None:
    data, parts, batches = found
    assert len(np.concatenate(parts)) == len(data) > 0
    finite(batches[0], (None, data.channels, *data.shape), np.float32)
    finite(batches[1], (len(data),), np.float64)
    for batch in batches[2:]:
        assert np.isfinite(batch).all()


def read_latents(name: str) -> Callable[[Path], Any]:
    def read(root: Path) -> np.ndarray:
        return latentstore.read(root / "latents").rows(name, np.array([2, 0]))

    return read


def check_latents(found: np.ndarray) -> None:
    finite(found, (2, 4, 2, 4, 2), np.float32)


def read_cd(root: Path) -> torch.nn.Module:
    """With what travels with it: how clouds are read out, and what was seen in training."""
    model, _, header = students.load_cd(root / "cd.safetensors", CPU)
    readout.told(students.readout(header))
    familiarity.stored(header)
    return model


def check_module(found: torch.nn.Module) -> None:
    for name, tensor in found.state_dict().items():
        assert torch.isfinite(tensor.float()).all(), name


def _resealed(text: str, parts: dict[str, Any]) -> str:
    """The text of a header, whatever it says, that lists `parts` and tells its own identity."""
    tree = {**json.loads(text), "parts": parts, "identity": ""}
    return json.dumps({**tree, "identity": sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()})


def _folder_sealed(files: Files) -> Files:
    """An artifact that is a folder: its zarr.json or index.json lists all other files in it."""
    carrier = min(files, key=lambda name: (name.count("/"), name.split("/")[-1] not in ("zarr.json", "index.json")))
    above = carrier.rpartition("/")[0] + "/"
    others = {name.removeprefix(above): data for name, data in files.items() if name != carrier and data is not None}
    parts = {name: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for name, data in others.items()}
    tree = json.loads(files[carrier] or b"")
    if carrier.endswith("index.json"):
        return {**files, carrier: _resealed(json.dumps(tree), parts).encode()}
    tree["attributes"]["echoes"] = _resealed(tree["attributes"]["echoes"], parts)
    return {**files, carrier: json.dumps(tree).encode()}


def _weights_sealed(files: Files) -> Files:
    """An artifact that is a safetensors file."""
    ((name, data),) = files.items()
    assert data is not None
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    parts = {weights.PART: weights._part(load_tensors(data))}
    header["__metadata__"]["echoes"] = _resealed(header["__metadata__"]["echoes"], parts)
    text = json.dumps(header).encode()
    return {name: struct.pack("<Q", len(text)) + text + data[8 + length :]}


def sealed(seal: Callable[[Files], Files]) -> Callable[[Files], Files]:
    """`seal`, for files that may be too damaged for it and then stay as they are."""

    def attempt(files: Files) -> Files:
        try:
            return seal(files)
        except Exception:
            return files

    return attempt


FOLDER, WEIGHTS = sealed(_folder_sealed), sealed(_weights_sealed)
SAFE = {".safetensors": safetensors, ".json": document}
ARTIFACTS = (
    Target("grids of clouds", _grids, read_grids, check_grids, {".json": document}, weight=0.3, sealed=FOLDER),
    Target(
        "grids of spectrograms", _spectrograms, read_grids, check_grids, {".json": document}, weight=0.3, sealed=FOLDER
    ),
    Target("latents in safetensors", part("latents"), read_latents("latents"), check_latents, SAFE, sealed=FOLDER),
    Target("latents in zarr", _zarr_latents, read_latents("latents"), check_latents, SAFE, sealed=FOLDER),
    Target(
        "vae",
        part("vae.safetensors"),
        lambda r: autoencoders.load(r / "vae.safetensors", CPU)[0],
        check_module,
        SAFE,
        weight=0.5,
        sealed=WEIGHTS,
    ),
    Target(
        "ldm",
        part("ldm.safetensors"),
        lambda r: denoisers.load_ldm(r / "ldm.safetensors", CPU)[0],
        check_module,
        SAFE,
        weight=0.5,
        sealed=WEIGHTS,
    ),
    Target(
        "cd",
        part("cd.safetensors"),
        read_cd,
        check_module,
        SAFE,
        keys=("cd: readout", "cd: seen"),
        weight=0.5,
        sealed=WEIGHTS,
    ),
)
# Weights that others wrote, which have no header of echoes.
FOREIGN = (
    Target(
        "teacher",
        lambda root: save_file(vits.tensors(), root / "teacher.safetensors"),
        lambda root: backbone.load(replace(TEACHER, path=str(root / "teacher.safetensors")), 1, CPU),
        check_module,
        {".safetensors": safetensors},
        weight=0.25,
    ),
    Target(
        "pretrained",
        lambda root: save_file(_latent_diffusion(), root / "kl.safetensors"),
        lambda root: pretrained.build(CompVisFile("compvis", str(root / "kl.safetensors"), 2, 1.0, 0.0), 2, 1),
        check_module,
        {".safetensors": safetensors},
        keys=("vae.architecture.pretrained",),
        weight=0.25,
    ),
)
