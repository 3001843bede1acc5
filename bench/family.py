"""Each choice of a track changed alone against what is shipped, at equal steps, through the stage itself.

python bench/family.py TRACK STEPS [VARIANT ...]

After `dvc repro extract_latents@TRACK`. Each variant trains in a folder of its own, .dvc/tmp/family, on the grids and
latents that are there; nothing of the track changes. Prints a row for each: weights, milliseconds of a step, peak
memory and what validation measures. A choice that the track cannot take is told by the line that refuses it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import machine
import pandas as pd
import yaml
from safetensors import safe_open

from echoes.commands import presets

PLACE = Path(".dvc", "tmp", "family")
NEEDED = {
    "train_vae": ("init", "code", "grids.zarr"),
    "train_ldm": ("init", "code", "grids.zarr", "vae.safetensors", "latents"),
    "distill_cd": ("init", "code", "grids.zarr", "vae.safetensors", "latents", "ldm.safetensors"),
}
SECTIONS = {"train_vae": "vae", "train_ldm": "ldm", "distill_cd": "cd"}
MADE = {"train_vae": "vae.safetensors", "train_ldm": "ldm.safetensors"}
VAE, LDM, UNET = "vae.architecture", "ldm.architecture", "ldm.architecture.unet"


@dataclass(frozen=True)
class Variant:
    """What of a track is changed, by the path of the key within its section."""

    stage: str
    name: str
    changes: Mapping[str, Any]


def attention(kind: str, *, lowest: bool) -> Variant:
    name = f"attention {kind}, {'lowest' if lowest else 'upper'} level"
    return Variant("train_ldm", name, {f"{UNET}.size.attention.{-1 if lowest else 0}": kind})


VARIANTS = [
    Variant("train_vae", "autoencoder as shipped", {}),
    *(Variant("train_vae", f"autoencoder: {kind}", {f"{VAE}.variant": kind}) for kind in ("vq", "fsq")),
    *(
        Variant("train_vae", f"autoencoder: {size}", {f"{VAE}.size": size})
        for size in ("ultra_lightweight", "lightweight")
    ),
    *(Variant("train_vae", f"stem: {kind}", {f"{VAE}.stem.convolution": kind}) for kind in ("dense", "sparse")),
    Variant("train_ldm", "denoiser as shipped", {}),
    *(attention(kind, lowest=True) for kind in ("none", "window", "axial", "height", "linear", "sparse")),
    *(attention(kind, lowest=False) for kind in ("full", "window", "axial", "height", "linear", "sparse")),
    *(
        Variant("train_ldm", f"norm {kind}", {f"{UNET}.size.norm.kind": kind})
        for kind in ("layer", "instance", "rms", "adaptive")
    ),
    Variant("train_ldm", "depthwise", {f"{UNET}.size.convolution": "depthwise"}),
    *(Variant("train_ldm", f"strides {kind}", {f"{UNET}.strides": kind}) for kind in ("xy_only", "z_half", "adaptive")),
    *(Variant("train_ldm", kind, {f"{LDM}.parameterization": kind}) for kind in ("edm", "flow", "ddpm")),
    Variant("train_ldm", "transformer", {f"{LDM}.network": "dit"}),
]


def main(track: str, steps: str, *names: str) -> None:
    machine.tell()
    numbers = yaml.safe_load(Path("params.yaml").read_text())
    print("| variant | weights, M | step, ms | peak, MB | validation |\n|---|---:|---:|---:|---|", flush=True)
    for variant in VARIANTS:
        if not names or variant.name in names:
            print(f"| {variant.name} | {' | '.join(row(numbers, track, int(steps), variant))} |", flush=True)


def row(numbers: Mapping[str, Any], track: str, steps: int, variant: Variant) -> Iterator[str]:
    wanted = changed(numbers, track, steps, variant)
    root, batch = project(wanted, track, variant), wanted[track][SECTIONS[variant.stage]]["schedule"]["batch"]
    command = [sys.executable, f"stages/{variant.stage}.py", track]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "src"})
    if done.returncode:
        yield from ("-", "-", "-", done.stderr.strip().splitlines()[-1])
        return
    yield f"{weights(root / 'data' / track / MADE[variant.stage]) / 1e6:.2f}"
    told = json.loads((root / "metrics" / track / f"{variant.stage}.json").read_text())
    yield f"{1000 * seconds(root, track, variant.stage, batch):.0f}"
    del told["seconds"]
    yield f"{told.pop('peak_memory_mb'):.0f}"
    yield ", ".join(f"{name} {value:.4g}" for name, value in told.items())


def changed(numbers: Mapping[str, Any], track: str, steps: int, variant: Variant) -> dict[str, Any]:
    """params.yaml with a variant of the track, trained for so many steps."""
    counts = {"steps": steps, "warmup": min(5, steps // 2)}
    short = {f"{part}.schedule.{key}": value for part in SECTIONS.values() for key, value in counts.items()}
    made: dict[str, Any] = presets.replaced(numbers, track, {**short, **variant.changes}) | {"tracks": [track]}
    made["runtime"] = {**made["runtime"], "previews": 0, "checkpoint": {"steps": 0, "minutes": 0.0}}
    return made


def project(numbers: Mapping[str, Any], track: str, variant: Variant) -> Path:
    """A folder in which the stage of a variant runs: code and input are those of the project around it."""
    root = PLACE / track
    shutil.rmtree(root, ignore_errors=True)
    (root / "data" / track).mkdir(parents=True)
    for name in ("src", "stages", "dvc.yaml", *(f"data/{track}/{each}" for each in NEEDED[variant.stage])):
        (root / name).symlink_to(Path(name).resolve())
    (root / "params.yaml").write_text(yaml.safe_dump(dict(numbers), sort_keys=False))
    return root


def weights(path: Path) -> int:
    with safe_open(path, "pt") as held:
        return sum(prod(held.get_slice(name).get_shape()) for name in held.keys())  # noqa: SIM118 (no mapping)


def seconds(root: Path, track: str, stage: str, batch: int) -> float:
    """Median of a step, without those of the first half, in which caches fill."""
    table = pd.read_csv(root / "metrics" / track / f"live/{stage}/plots/metrics/samples_per_s.tsv", sep="\t")
    return batch / float(table["samples_per_s"].iloc[len(table) // 2 :].median())


if __name__ == "__main__":
    main(*sys.argv[1:])
