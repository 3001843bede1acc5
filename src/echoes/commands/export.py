"""Command export: a trained track -> a folder that another library loads, or a runtime without echoes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from echoes import files, params
from echoes.commands.folders import check_replaceable
from echoes.errors import InputError

INDEX = "model_index.json"  # of a diffusers pipeline
NEEDED = {"onnx": ("onnx", "onnxscript"), "torch": ()}  # packages that write the file


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


def portable(track: str, to: Literal["onnx", "torch"], output: Path, overwrite: bool) -> str:
    """Write the one-call path of a track as one file, with a JSON beside it, to the folder `output`.

    Raises InputError, and leaves nothing behind, where the track, its networks or `output` cannot be used.
    """
    for package in NEEDED[to]:
        if find_spec(package) is None:
            raise InputError(
                f"{package}: expected it to be installed, got nothing; `pip install 'echoes[{to}]'` brings it"
            )
    output = output.resolve()
    from echoes.exports import portable as networks  # here, because torch takes seconds

    check_replaceable(output, networks.TOLD, overwrite)
    made = networks.of_folder(Path("data", track))
    program = networks.exported(made)
    with files.replacing(output) as folder:
        folder.mkdir()
        networks.write(made, program, to, folder)
    inputs, outputs = (", ".join(names) for names in (made.inputs, made.outputs))
    return (
        f"{networks.FILES[to]} ({inputs} -> {outputs}, any batch, float32) is in {output}; {networks.TOLD} tells axes, "
        f"channels, scaling and thresholds"
    )
