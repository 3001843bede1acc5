"""Command pack: a trained track -> a folder that works without the project, and that tells what it is."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from echoes import arrays, files, params, provenance, weights
from echoes.commands import model_card, packs, sources
from echoes.commands.packs import CARD, PROFILE, WEIGHTS
from echoes.dataset import catalog
from echoes.errors import InputError
from echoes.evaluation.unlikeness import POINTS, Seen
from echoes.inference.enhancer import Enhancer
from echoes.inference.loading import Makes, load, makes
from echoes.inference.radar_generator import RadarGenerator
from echoes.models.trained import require_files
from echoes.provenance import Header
from echoes.rasters.ground import Ground
from echoes.readers.catalog import SeveralSources
from echoes.reports import tables
from echoes.voxelization.cloud_params import GridParams


@dataclass(frozen=True)
class Packed:
    """What is known of a trained track.

    vae, cd  headers of its weights; made: the model itself.
    source   the section `source` of its sensor; ground: that of its grid, None for spectrograms.
    """

    track: str
    makes: Makes
    vae: Header
    cd: Header
    made: Any
    source: Any
    ground: Ground | None


def pack(track: str, output: Path, licence: str | None) -> str:
    """Write the folder `output`; gives what to tell of it. licence: of the recordings, in the user's words.

    Raises InputError, and leaves nothing behind, where `output` is there, the track is not trained, or its
    evaluate.json is of another model.
    """
    output = output.resolve()
    if output.exists():
        raise InputError(f"{output}: expected a new folder, got one that is there")
    found, table = packed(track), evaluated(track)
    with files.replacing(output) as folder:
        folder.mkdir()
        for name in WEIGHTS:
            shutil.copyfile(Path("data", track, name), folder / name)
        (folder / PROFILE).write_text(json.dumps(profile(found), indent=1, allow_nan=False) + "\n")
        (folder / CARD).write_text(model_card.text(facts(found, licence, table)))
        parents = {"vae": found.vae.identity, "cd": found.cd.identity}
        packs.seal(Header(packs.KIND, {}, parents, {"track": track, "makes": found.makes}), folder)
    lines = [f"{', '.join([*WEIGHTS, PROFILE, CARD, packs.MANIFEST])} are in {output}"]
    if licence is None:
        lines.append(f"{CARD} tells no licence of the recordings; --licence does")
    if table is None:
        lines.append(f"{CARD} has no table: metrics/{track}/evaluate.json is not there")
    return "\n".join(lines)


def packed(track: str) -> Packed:
    """Raises InputError for a track that params.yaml lacks, is not trained, or does not belong together."""
    source = sources.load(track)
    data = Path("data", track)
    vae_path, cd_path = (data / name for name in WEIGHTS)
    require_files(vae_path, cd_path)
    vae, cd = weights.header(vae_path, "vae"), weights.header(cd_path, "cd")
    kind = makes(vae, vae_path)
    ground = None if kind == "spectrograms" else params.load(GridParams, f"{track}.grid").ground
    sensor = source.sensor if isinstance(source, SeveralSources) else source
    return Packed(track, kind, vae, cd, load(data, device=torch.device("cpu")), sensor, ground)


def evaluated(track: str) -> str | None:
    """The table of a track in Markdown; None where it was not evaluated.

    Raises InputError where what was evaluated is another model than the one that lies there, or cannot be told.
    """
    path, data = Path("metrics", track, "evaluate.json"), Path("data", track)
    if not path.is_file():
        return None
    told = provenance.read(path.with_name("provenance.json"), "evaluation")
    provenance.require_parts(told, path.parent, told.parts)
    samples_path, cd_path = data / "samples.zarr", data / WEIGHTS[1]
    if not samples_path.exists():
        raise InputError(f"{samples_path}: no such folder; expected what ties {path} to a model, from `dvc pull`")
    samples = arrays.Reader(samples_path, "samples").header
    provenance.require_parent(path, told, samples_path, samples)
    provenance.require_parent(samples_path, samples, cd_path, weights.header(cd_path, "cd"))
    evaluation: Mapping[str, Any] = json.loads(path.read_text())
    return f"{tables.caption(track, evaluation)}\n\n{tables.markdown(evaluation)}"


def profile(of: Packed) -> dict[str, Any]:
    """Of the sensor: what its recordings were like, and how they are read."""
    content = of.vae.content
    told: dict[str, Any] = {
        "format": packs.FORMAT,
        "track": of.track,
        "makes": of.makes,
        "model": of.cd.identity,
        "axes": content["axes"],
        "scaling": content["scaling"],
        "source": asdict(of.source),
        "ground": None if of.ground is None else asdict(of.ground),
    }
    if of.makes == "spectrograms":
        return told | {"kinds": content["kinds"], "labels": content["labels"], "combinations": content["combinations"]}
    told |= {name: content[name] for name in ("ego_motion", "sweeps", "task")}
    told |= {"units": UNITS, "doppler_span_mps": of.source.doppler.span_mps}
    return told | ({"seen": seen(of.made.seen)} if isinstance(of.made, Enhancer) else {})


UNITS = {"x": "m, forward", "y": "m, left", "z": "m, up", "doppler": "m/s, positive = receding", "power": "dB"}


def seen(found: Seen) -> dict[str, Any]:
    """What the radar of the training frames was like, by frame: the median, a deviation, and what is unlike it.

    power_db_q10 is as near as it gets to a noise floor: a tenth of the returns are weaker.
    """
    of = zip(found.names, found.median, found.deviation, found.limit, strict=True)
    scalars = {name: {"median": m, "deviation": d, "limit_deviations": limit} for name, m, d, limit in of}
    return {"points_a_frame": round(10 ** found.median[found.names.index(POINTS)], 1), **scalars}


def facts(of: Packed, licence: str | None, table: str | None) -> model_card.Facts:
    """What the card tells."""
    grids_path = Path("data", of.track, "grids.zarr")
    counted, raw = None, None
    if grids_path.exists():
        grids = catalog.read(grids_path)
        if grids.header.identity == of.vae.parents.get("grids"):
            counted, raw = len(grids.frames("train")), grids.header.parents.get("raw")
    axes = [f"{a['name']} {a['start']:g} to {a['stop']:g} {a['unit']} in {a['size']}" for a in of.vae.content["axes"]]
    return model_card.Facts(
        track=of.track,
        makes=of.makes,
        model=of.cd.identity,
        autoencoder=of.vae.identity,
        versions=dict(of.cd.versions),
        axes=tuple(axes),
        doppler=_doppler(of),
        reader=of.source.reader,
        frames=counted,
        raw=raw,
        licence=licence,
        table=table,
        limits=tuple(_limits(of)),
    )


def _doppler(of: Packed) -> str | None:
    if of.makes == "spectrograms":
        return None
    return "relative to the radar" if of.vae.content["ego_motion"] == "none" else "over ground"


def _limits(of: Packed) -> list[str]:
    """What this very model cannot do, beside what no model of its kind can."""
    if isinstance(of.made, Enhancer):
        return model_card.of_readout(of.made.fusion.readout)
    if isinstance(of.made, RadarGenerator):
        return []
    known = ", ".join(" ".join(labels) for labels in of.made.combinations)
    return [f"It knows these labels and no others: {known}."]
