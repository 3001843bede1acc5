"""Command export: a trained track -> a folder that another library loads."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from echoes import files, params
from echoes.commands.folders import check_replaceable
from echoes.errors import InputError

INDEX = "model_index.json"  # of a diffusers pipeline


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
