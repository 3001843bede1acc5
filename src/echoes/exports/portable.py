"""The one-call path of a track -> one file for a runtime without echoes, ONNX or PyTorch's, and a JSON that tells how.

The batch is of any size; all else is as the track was trained. In single precision, unless `exports.quantized` follows.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from echoes import weights
from echoes.errors import InputError
from echoes.evaluation.bands import BANDS_M
from echoes.exports.networks import CellNetworks, EnhancingNetworks, SpectrogramNetworks
from echoes.inference.cloud_models import CloudModels
from echoes.inference.enhancer import Enhancer
from echoes.inference.generator import SpectrogramGenerator
from echoes.inference.loading import load
from echoes.models.radar.readout import NEAR
from echoes.models.radar.regressor import outputs
from echoes.tasks import KINDS

Target = Literal["onnx", "torch"]
FORMAT = 1  # of the JSON
OPSET = 18  # of ONNX
FILES: Mapping[Target, str] = {"onnx": "network.onnx", "torch": "network.pt2"}
TOLD = "network.json"
CPU = torch.device("cpu")
EXAMPLE = 2  # samples of the example: of one, a size would be taken for a fixed one
NOISE = "independent normal numbers of mean 0 and deviation 1; the same ones give the same sample"
OFFSET = "cells, from the middle of the cell"
HOW = (
    "decide: the cells of the best overlap. fused: the radar's returns in cells of at least `keep`, and all outside of "
    "the grid, whose probability is `outside`; beside them each cell without a return that has at least `near` where a "
    "return lies within near_cells (z, y, x) around it, else at least `far`, in those `bands` of range that are true"
)
UNITS = {
    "mask": "0 or 1; of an output its logit",
    "decibel": "power_db[0]..power_db[1] -> -1..1, linear, not clipped",
    "fraction": "0..1 -> -1..1",
    "velocity": "m/s, positive = receding, divided by doppler_mps",
    "variance": "square root of (m/s)^2, divided by doppler_mps",
    "age": "s",
}


@dataclass(frozen=True)
class Portable:
    """networks of tensors; example: inputs of EXAMPLE samples; inputs, outputs: names; told: what the JSON says."""

    networks: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    told: dict[str, Any]


def of_folder(folder: Path) -> Portable:
    """The model of a trained track, or of a pack; raises InputError where there is none."""
    made = load(folder, device=CPU)
    identity = weights.header(folder / "cd.safetensors", "cd").identity
    if isinstance(made, SpectrogramGenerator):
        return _of_spectrograms(made, identity)
    return _of_clouds(made, identity) if isinstance(made, Enhancer) else _of_cells(made.models, identity)


def write(portable: Portable, program: ExportedProgram, to: Target, folder: Path) -> None:
    """Write the file and its JSON into a folder; program: of the networks."""
    path = folder / FILES[to]
    told = {**portable.told, "file": path.name, "made_with": f"torch {torch.__version__}"}
    if to == "torch":
        torch.export.save(program, path, extra_files={TOLD: json.dumps(told)})
    else:
        told["opset"] = OPSET
        write_onnx(program, portable, {"echoes": json.dumps(told), "opset": str(OPSET)}, path)
    (folder / TOLD).write_text(json.dumps(told, indent=1, allow_nan=False) + "\n")


def exported(portable: Portable) -> ExportedProgram:
    """The networks as a graph whose first axis is of any size; raises InputError for networks that have none."""
    batch = {0: Dim("batch", min=1)}
    shapes = tuple(batch for _ in portable.example)
    try:
        # Strict, or `len(x)` would make the size of the example's batch that of all.
        return torch.export.export(portable.networks.eval(), portable.example, dynamic_shapes=shapes, strict=True)
    except (RuntimeError, AssertionError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(f"{portable.told['model'][:12]}: expected networks of fixed sizes, got {first}") from error


def write_onnx(program: ExportedProgram, portable: Portable, metadata: Mapping[str, str], path: Path) -> None:
    made = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=portable.inputs,
        output_names=portable.outputs,
        verbose=False,
    )
    assert made is not None, "dynamo gives a program"
    made.model.metadata_props.update(metadata)
    for node in made.model.graph:
        node.metadata_props.clear()  # lines of the sources, with the paths of this machine
    made.save(path, external_data=False)


def _of_spectrograms(made: SpectrogramGenerator, identity: str) -> Portable:
    sampler = made.sampler
    noise = torch.zeros(EXAMPLE, *sampler.latent_shape)
    labels = torch.zeros(EXAMPLE, len(made.kinds), dtype=torch.int64)
    networks = SpectrogramNetworks(sampler).eval()
    told = {
        "format": FORMAT,
        "makes": "spectrograms",
        "model": identity,
        "inputs": {
            "labels": _tensor(labels, "of each kind of label the number of its name in the lists of `names`"),
            "noise": _tensor(noise, NOISE),
        },
        "outputs": {
            "spectrogram": {
                "axes": ["batch", "channel", "velocity", "time"],
                "range": "-1..1 -> range_db, linear" if made.stft is None else "real and imaginary part, see stft",
            }
        },
        "kinds": made.kinds,
        "names": made.names,
        "combinations": made.combinations,
        "axes": [asdict(made.velocity), asdict(made.time)],
        "range_db": made.range_db,
        **({} if made.stft is None else {"stft": asdict(made.stft)}),
    }
    return Portable(networks, (labels, noise), ("labels", "noise"), ("spectrogram",), told)


def _of_clouds(made: Enhancer, identity: str) -> Portable:
    models, settled = made.models, made.fusion.readout
    networks = EnhancingNetworks(models.sampler, models.through_vae, made.task, made.fusion).eval()
    example, inputs, told = _cells(models, identity)
    numbers = {name: getattr(settled, name) for name in ("decide", "keep", "near", "far", "outside")}
    told |= {
        "makes": "clouds",
        "outputs": {
            "probability": {"axes": ["batch", "z", "y", "x"], "is": "that a cell is occupied, calibrated"},
            "measured": {
                "axes": ["batch", "channel", "z", "y", "x"],
                "channels": {name: UNITS[KINDS[name]] if name in KINDS else OFFSET for name in outputs(made.task)},
            },
            "latent": {"axes": ["batch", "z", "y", "x"], "is": "logit of the latent model's sample"},
        },
        "thresholds": {
            **numbers,
            "sample": made.threshold,
            "bands": dict(zip(BANDS_M, settled.bands, strict=True)),
            "near_cells": NEAR,
            "how": HOW,
        },
    }
    return Portable(networks, example, inputs, ("probability", "measured", "latent"), told)


def _of_cells(models: CloudModels, identity: str) -> Portable:
    task = models.placement.task
    networks = CellNetworks(models.sampler, models.through_vae, task).eval()
    example, inputs, told = _cells(models, identity)
    channels = {name: UNITS[KINDS[name]] for name in task.target}
    told |= {
        "makes": "radar",
        "outputs": {"decoded": {"axes": ["batch", "channel", "z", "y", "x"], "channels": channels}},
        "thresholds": {"sample": models.header.content.get("threshold")},
    }
    return Portable(networks, example, inputs, ("decoded",), told)


def _cells(models: CloudModels, identity: str) -> tuple[tuple[Tensor, Tensor], tuple[str, str], dict[str, Any]]:
    """The example, the names and what is told of what goes in of a cloud."""
    grid, task = models.placement.grid, models.placement.task
    cells = torch.zeros(EXAMPLE, len(task.input), *grid.shape)
    noise = torch.zeros(EXAMPLE, *models.sampler.latent_shape)
    told: dict[str, Any] = {
        "format": FORMAT,
        "model": identity,
        "inputs": {
            "cells": {
                **_tensor(cells, "cells in network range; 0 in all channels of a cell without a return"),
                "channels": {name: UNITS[KINDS[name]] for name in task.input},
                "of": f"the mean over the returns of the {task.given} in a cell, in the sensor's frame",
            },
            "noise": _tensor(noise, NOISE),
        },
        "axes": grid.header(),
        "scaling": asdict(models.placement.scaling),
        "ego_motion": models.ego_motion,
        "doppler": "relative to the radar" if models.ego_motion == "none" else "over ground",
        "sweeps": None if models.sweeps is None else asdict(models.sweeps),
    }
    return (cells, noise), ("cells", "noise"), told


def _tensor(example: Tensor, meaning: str) -> dict[str, Any]:
    dtype = str(example.dtype).removeprefix("torch.")
    return {"dtype": dtype, "shape": ["batch", *example.shape[1:]], "is": meaning}
