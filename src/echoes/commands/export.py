"""Command export: a trained track -> a folder that another library loads, or a runtime without echoes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from echoes import files, params
from echoes.commands.folders import check_replaceable
from echoes.dataset import catalog
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.errors import InputError
from echoes.provenance import require_parent

INDEX = "model_index.json"  # of a diffusers pipeline
NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}  # packages of the extra that write the file


def export(track: str, to: Literal["diffusers"], model: Literal["ldm", "cd"], output: Path, overwrite: bool) -> str:
    """Write the pipeline of a track to the folder `output`; gives how to load it.

    Raises InputError, and leaves nothing behind, where the track or `output` cannot be used.
    """
    if find_spec(to) is None:
        raise InputError(f"{to}: expected it to be installed, got nothing; `pip install 'echoes[{to}]'` brings it")
    output = output.resolve()
    check_replaceable(output, INDEX, overwrite)
    from echoes.exports import diffusers_folder  # here, because torch and diffusers take seconds
    from echoes.models.trained import SampleParams

    made = diffusers_folder.pipeline(Path("data", track), model, params.load(SampleParams, f"{track}.sample"))
    with files.replacing(output) as folder:
        folder.mkdir()
        made.save_pretrained(folder)
    return "\n".join(
        [
            f"the {model} of {track} is in {output}; where echoes is installed, it is loaded by",
            f'  diffusers.DiffusionPipeline.from_pretrained("{output}", trust_remote_code=True)',
            f'  echoes.exports.diffusers_pipeline.SpectrogramPipeline.from_pretrained("{output}")',
        ]
    )


def portable(
    track: str, to: Literal["onnx", "torch"], precision: Literal["float32", "int8"], output: Path, overwrite: bool
) -> str:
    """Write the one-call path of a track as one file, with a JSON beside it, to the folder `output`.

    precision  int8, of ONNX, is calibrated on frames of the track's grids.

    Raises InputError, and leaves nothing behind, where the track, its networks or `output` cannot be used.
    """
    if precision == "int8" and to != "onnx":
        raise InputError(f"--precision: expected float32 with --to {to}, got int8, which is of onnx")
    for package in NEEDED[to]:
        if find_spec(package) is None:
            raise InputError(
                f"{package}: expected it to be installed, got nothing; `pip install 'echoes[{to}]'` brings it"
            )
    output = output.resolve()
    from echoes.exports import portable as networks  # here, because torch takes seconds

    check_replaceable(output, networks.TOLD, overwrite)
    made = networks.of_folder(Path("data", track))
    inputs, outputs = (", ".join(names) for names in (made.inputs, made.outputs))
    lines = [
        f"{networks.FILES[to]} ({inputs} -> {outputs}, any batch, {precision}) is in {output}; {networks.TOLD} tells "
        f"axes, channels, scaling and thresholds"
    ]
    if precision == "float32":
        program = networks.exported(made)
        with files.replacing(output) as folder:
            folder.mkdir()
            networks.write(made, program, to, folder)
        return lines[0]
    from echoes.exports import quantized  # here, because onnx may not be installed

    data, made = _grids(Path("data", track)), quantized.told(made)
    program = networks.exported(made)
    with files.replacing(output) as folder:
        folder.mkdir()
        networks.write(made, program, to, folder)
        path = folder / networks.FILES[to]
        before = path.stat().st_size
        different = quantized.quantize(path, made, data)
        lines.append(f"{path.stat().st_size / 1e6:.1f} MB in place of {before / 1e6:.1f} MB in float32")
    told = ", ".join(f"{name} {share:.3f}" for name, share in different.items())
    lines.append(f"it differs from float32, on validation frames in parts of each output's deviation: {told}")
    return "\n".join(lines)


def _grids(folder: Path) -> Grids | Spectrograms:
    """Those that a trained track was made from; raises InputError where they are not there, or are others."""
    from echoes import weights  # here, because torch takes seconds

    path, model = folder / "grids.zarr", folder / "cd.safetensors"
    if not path.is_dir():
        raise InputError(f"{path}: no such artifact, whose frames int8 is calibrated on; `dvc pull` brings it")
    grids = catalog.read(path)
    require_parent(model, weights.header(model, "cd"), path, grids.header)
    return grids
