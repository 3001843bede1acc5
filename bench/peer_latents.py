"""An epoch of latents from the disk in shuffled batches: our two formats, and what others keep samples in."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from turns import Work, optional, table

from echoes import latentstore
from echoes.latentstore import Format
from echoes.provenance import Header
from echoes.seeds import rng

COUNT, BATCH = 2048, 16
SHAPE = (4, 4, 16, 16)  # of the track radar
SHARD = 256  # samples of a tar file
NAMES = ("latents", "std")
ROUNDS = 7


def made() -> dict[str, np.ndarray]:
    """(COUNT, *SHAPE) float16 each."""
    return {name: rng(0, "bench", name).normal(size=(COUNT, *SHAPE)).astype(np.float16) for name in NAMES}


def batches() -> Iterator[np.ndarray]:
    """Row numbers of the batches of one epoch."""
    return iter(rng(0, "bench", "order").permutation(COUNT).reshape(-1, BATCH))


def epoch(rows: Callable[[str, np.ndarray], np.ndarray]) -> None:
    for indices in batches():
        for name in NAMES:
            _require(rows(name, indices))


def _require(batch: np.ndarray) -> None:
    assert batch.shape == (BATCH, *SHAPE), batch.shape
    assert batch.dtype == np.float32


def ours(arrays: dict[str, np.ndarray], form: Format, folder: Path) -> Work:
    pieces = ({name: rows[i : i + SHARD] for name, rows in arrays.items()} for i in range(0, COUNT, SHARD))
    header = Header("latents", {}, {}, {"latent_shape": list(SHAPE)})
    latentstore.write(folder / form, form, pieces, lambda: header)
    return Work(f"latentstore, {form}", partial(epoch, latentstore.read(folder / form).rows), "any order")


def plain_npz(arrays: dict[str, np.ndarray], folder: Path) -> Work:
    for i in range(COUNT):
        np.savez(folder / f"{i}.npz", **{name: rows[i] for name, rows in arrays.items()})

    def run() -> None:
        for indices in batches():
            files = [np.load(folder / f"{i}.npz") for i in indices]
            for name in NAMES:
                _require(np.stack([file[name] for file in files]).astype(np.float32))
            for file in files:
                file.close()

    return Work("NumPy, a .npz for each sample", run, "any order")


def mapped_npy(arrays: dict[str, np.ndarray], folder: Path) -> Work:
    for name, rows in arrays.items():
        np.save(folder / f"{name}.npy", rows)
    files = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in NAMES}
    run = partial(epoch, lambda name, indices: files[name][indices].astype(np.float32))
    return Work("NumPy, one .npy, memory-mapped", run, "any order; nothing checked")


def webdataset(arrays: dict[str, np.ndarray], folder: Path) -> Work:
    import webdataset as wds

    paths = [str(folder / f"{i:03d}.tar") for i in range(COUNT // SHARD)]
    for shard, path in enumerate(paths):
        with wds.TarWriter(path) as writer:
            for i in range(shard * SHARD, (shard + 1) * SHARD):
                writer.write({"__key__": f"{i:06d}", **{f"{name}.npy": rows[i] for name, rows in arrays.items()}})

    def run() -> None:
        data = wds.WebDataset(paths, shardshuffle=len(paths)).shuffle(SHARD).decode()
        for batch in data.to_tuple(*(f"{name}.npy" for name in NAMES)).batched(BATCH):
            for rows in batch:
                _require(np.asarray(rows).astype(np.float32))

    return Work("webdataset", run, "shuffled within a buffer of 256")


def sample_of(folder: Path, i: int) -> dict[str, np.ndarray]:
    return {name: np.load(folder / f"{name}.npy", mmap_mode="r")[i].copy() for name in NAMES}


def litdata(folder: Path) -> Work:
    from litdata import StreamingDataLoader, StreamingDataset, optimize

    output = str(folder / "litdata")
    with contextlib.redirect_stdout(io.StringIO()):
        optimize(
            partial(sample_of, folder),
            list(range(COUNT)),
            output,
            chunk_bytes="8MB",
            num_workers=1,
            start_method="fork",
            verbose=False,
        )
    data = StreamingDataset(output, shuffle=True)

    def run() -> None:
        for batch in StreamingDataLoader(data, batch_size=BATCH, num_workers=0):
            for name in NAMES:
                _require(np.asarray(batch[name]).astype(np.float32))

    return Work("litdata", run, "chunk by chunk in another order")


def main() -> None:
    os.environ.setdefault("DISABLE_OPTIMIZED_PROGRESS_BAR", "1")
    arrays = made()
    with TemporaryDirectory() as name:
        folder = Path(name)
        works = [
            ours(arrays, "safetensors", folder),
            ours(arrays, "zarr", folder),
            plain_npz(arrays, folder),
            mapped_npy(arrays, folder),
            optional("webdataset", partial(webdataset, arrays, folder)),
            optional("litdata", partial(litdata, folder)),
        ]
        title = f"{COUNT} latents {SHAPE} and their deviations, in shuffled batches of {BATCH}, in memory's file cache"
        print(f"\n{table(title, works, ROUNDS)}", flush=True)
