"""Each kind of artifact filled with one number, so that a reader can tell whether what it loads is whole."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from echoes import arrays, latentstore, metrics, weights
from echoes.provenance import Header

ROWS, PIECES = 300, 4


def rows(number: int) -> np.ndarray:
    """(ROWS, 128) float32 that no codec makes small, all of which hold `number` in their first column."""
    noise = np.random.default_rng(number).standard_normal((ROWS, 128), dtype=np.float32)
    noise[:, 0] = number
    return noise


def write_group(kind: str, path: Path, number: int) -> None:
    with arrays.writing(path) as writer:
        for piece in np.split(rows(number), PIECES):
            writer.append("rows", piece)
            writer.append_ragged("ragged", piece)
        writer.seal(Header(kind, {"number": number}, {}))


def read_group(kind: str, path: Path) -> set[int]:
    reader = arrays.Reader(path, kind)
    ragged = np.concatenate([reader.ragged("ragged", i) for i in range(PIECES)])
    return found(reader.header, reader.all("rows"), ragged)


def write_latents(form: latentstore.Format, path: Path, number: int) -> None:
    def batches() -> Iterator[dict[str, np.ndarray]]:
        for piece in np.split(rows(number % 2048), PIECES):  # float16 counts to 2048
            yield {"rows": piece}

    content = {"latent_shape": list(rows(0).shape[1:])}
    latentstore.write(path, form, batches(), lambda: Header("latents", {"number": number % 2048}, {}, content))


def read_latents(path: Path) -> set[int]:
    store = latentstore.read(path)
    return found(store.header, store.rows("rows", np.arange(ROWS)))


def write_weights(path: Path, number: int) -> None:
    tensors = {str(i): torch.from_numpy(piece) for i, piece in enumerate(np.split(rows(number), PIECES))}
    weights.save(tensors, Header("vae", {"number": number}, {}), path)


def read_weights(path: Path) -> set[int]:
    tensors, header = weights.load(path, "vae")
    return found(header, *(tensor.numpy() for tensor in tensors.values()))


def write_metrics(path: Path, number: int) -> None:
    metrics.write(path, {"values": {str(i): number for i in range(10 * ROWS)}})


def read_metrics(path: Path) -> set[int]:
    values = metrics.read(path)["values"]
    assert len(values) == 10 * ROWS
    return set(values.values())


def found(header: Header, *arrays: np.ndarray) -> set[int]:
    """All numbers that an artifact speaks of."""
    assert sum(map(len, arrays)) >= ROWS
    return {int(header.params["number"])}.union(*(array[:, 0].astype(int).tolist() for array in arrays))


# kind -> name of its file, how to write a number, and how to read all of them.
ARTIFACTS: dict[str, tuple[str, Callable[[Path, int], None], Callable[[Path], set[int]]]] = {
    "grids": ("grids.zarr", partial(write_group, "grids"), partial(read_group, "grids")),
    "samples": ("samples.zarr", partial(write_group, "samples"), partial(read_group, "samples")),
    "latents": ("latents", partial(write_latents, "safetensors"), read_latents),
    "zarr latents": ("latents", partial(write_latents, "zarr"), read_latents),
    "weights": ("vae.safetensors", write_weights, read_weights),
    "metrics": ("evaluate.json", write_metrics, read_metrics),
}
