"""Writes below the name of each preset what its trainings take: by `python tools/preset_estimates.py [FAMILY/CARD]...`.

Of the tracks at full size, in bfloat16. Without arguments of all presets, which takes minutes; after a change of a
preset or of networks. No part of a training: nothing depends on these lines.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from echoes import imports, params
from echoes.autoencoder.fitting import VaeParams
from echoes.commands import presets, sources, stand_ins, stepping, trainings
from echoes.commands.trainings import STAGES, Sections
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.voxelization.sections import Layout

PRESETS, PARAMS = imports.ROOT / "presets", imports.ROOT / "params.yaml"
TRACKS = {"clouds": "vod", "spectrograms": "images"}
KINDS = {"grid": Layout, "vae": VaeParams, "ldm": LdmParams, "cd": CdParams}
PRECISION = "bfloat16"


def with_preset(track: str, preset: Path) -> Sections:
    """The sections of a track with the values of a preset."""
    document = params.document(PARAMS)
    values, _ = presets.leaves(params.document(preset), document[track])
    section = presets.replaced(document, track, values)[track]
    built = {name: params.build(kind, section[name], f"{track}.{name}") for name, kind in KINDS.items()}
    found = Sections(sources.load(track, PARAMS), **built)
    for stage in STAGES:
        found = found.with_schedule(stage, precision=PRECISION)
    return found


def told(track: str, preset: Path) -> str:
    """The line below the name."""
    p = with_preset(track, preset)
    with TemporaryDirectory() as folder:
        made = trainings.stand_ins_of(p, stand_ins.LABELS, Path(folder))
        peaks = {stage: stepping.memory(stage, p, made, torch.device("cpu")).peak for stage in STAGES}
    listed = ", ".join(f"{stage} {peak / 1e9:.2g} GB" for stage, peak in peaks.items())
    return f"# Of {track}, in {PRECISION}: {listed}"


def main(wanted: list[str]) -> None:
    for preset in [PRESETS / f"{name}.yaml" for name in wanted] or sorted(PRESETS.glob("*/*.yaml")):
        name, _, *rest = preset.read_text().splitlines()
        preset.write_text("\n".join([name, told(TRACKS[preset.parent.name], preset), *rest]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
