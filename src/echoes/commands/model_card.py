"""What a packed model tells of itself to people: what it is, what it learned from, how good it is, and where not."""

from collections.abc import Mapping
from dataclasses import dataclass

from echoes.inference.loading import Makes
from echoes.models.radar import readout
from echoes.models.radar.readout import Readout

IS = {
    "clouds": "It makes a dense, LiDAR-like cloud of a frame of a 4D radar, in one network call.",
    "spectrograms": "It makes micro-Doppler spectrograms of given labels, in one network call.",
    "radar": "It makes frames of a radar that might have stood beside a LiDAR, in one network call.",
}
LIMITS = {
    "clouds": (
        "It adds points that no sensor has measured. Each has a probability, which was calibrated on frames of the "
        "same recordings and promises nothing for another sensor or another kind of road.",
        "It was trained on one sensor in one place on the vehicle. `echoes enhance` tells, by numbers, where a "
        "recording is unlike what it was trained on; profile.json has these numbers.",
        "It adds nothing outside of its grid.",
    ),
    "spectrograms": (
        "Its spectrograms are generated, not measured.",
        "It repeats what its recordings had: their people, their rooms, their radar.",
    ),
    "radar": (
        "Its frames are generated, not measured.",
        "It makes returns of the radar that it was trained on, where that radar saw what the LiDAR sees.",
        "It makes nothing outside of its grid.",
    ),
}
USE = {
    "clouds": "echoes enhance --model FOLDER RECORDING CLOUDS",
    "spectrograms": "echoes generate --model FOLDER --count 16 OUTPUT",
    "radar": "echoes generate --model FOLDER RECORDING OUTPUT",
}
NO_LICENCE = "not told by who packed this. Ask before you use it or pass it on."
NO_TABLE = "Nothing that belongs to this model was there when it was packed."


@dataclass(frozen=True)
class Facts:
    """model, autoencoder  identities; versions: of what trained the model.
    axes      of the grid, in words; doppler: what it is relative to, None for spectrograms.
    frames    that were trained on; raw: digest of the recordings; None where this is not known.
    licence   of the recordings, in the words of who packed this; table: in Markdown; limits: of this very model.
    """

    track: str
    makes: Makes
    model: str
    autoencoder: str
    versions: Mapping[str, str]
    axes: tuple[str, ...]
    doppler: str | None
    reader: str
    frames: int | None
    raw: str | None
    licence: str | None
    table: str | None
    limits: tuple[str, ...]


def text(of: Facts) -> str:
    """The card in Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in of.versions.items())
    rows = {
        "model": f"cd `{of.model}`",
        "autoencoder": f"vae `{of.autoencoder}`",
        "trained with": versions,
        "grid": "; ".join(of.axes),
        **({} if of.doppler is None else {"Doppler": f"{of.doppler}, positive = receding"}),
    }
    frames = "a number that is not known here" if of.frames is None else str(of.frames)
    return "\n".join(
        [
            f"# {of.track}",
            "",
            f"{IS[of.makes]} Made with echoes, track `{of.track}`.",
            "",
            "| | |",
            "| --- | --- |",
            *(f"| {name} | {told} |" for name, told in rows.items()),
            "",
            f"    {USE[of.makes]}",
            "",
            "## Trained on",
            "",
            f"- frames of the training split: {frames}",
            f"- recordings: read by `{of.reader}`, sha256 {'not known here' if of.raw is None else f'`{of.raw}`'}",
            f"- licence of the recordings, and of what is derived from them: {of.licence or NO_LICENCE}",
            "",
            "## Measured",
            "",
            of.table or NO_TABLE,
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in (*LIMITS[of.makes], *of.limits)),
            "",
            "## How to cite",
            "",
            f"Name echoes {of.versions.get('echoes', '')}, the track `{of.track}` and the model `cd {of.model[:12]}`, "
            "whose identity is the sha256 of all that made it. Cite the recordings as their authors ask.",
            "",
        ]
    )


def of_readout(found: Readout) -> list[str]:
    """What validation found of range bands."""
    return [f"By range, {line}." for line in readout.told(found)]
