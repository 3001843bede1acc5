"""Command export: a trained track -> a folder that another library loads."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from echoes import files, params
from echoes.errors import InputError

INDEX = "model_index.json"  # of a diffusers pipeline


def export(track: str, to: Literal["diffusers"], model: Literal["ldm", "cd"], output: Path, overwrite: bool) -> str:
    """Write the pipeline of a track to the folder `output`; gives how to load it.

    Raises InputError, and leaves nothing behind, where the track or `output` cannot be used.
    """
    if find_spec(to) is None:
        raise InputError(f"{to}: expected it to be installed, got nothing; `pip install 'echoes[{to}]'` brings it")
    output = output.resolve()
    check_output(output, overwrite)
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


def check_output(output: Path, overwrite: bool) -> None:
    """Raises InputError unless `output` may be replaced: it is not there, is empty, or holds an earlier export."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: expected a folder for the pipeline, got a file")
    if not output.exists() or not any(output.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"{output}: expected an empty or a new folder, got one with files; --overwrite replaces an earlier export"
        )
    if not (output / INDEX).is_file():
        raise InputError(
            f"{output}: expected an export to overwrite, got a folder without {INDEX}, which is left alone"
        )
