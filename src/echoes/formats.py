"""What headers of older formats mean today, so that what was published loads.

1   before tasks were told: a track of clouds enhanced a radar's. `second_sigma` was called `middle`. No encoder had a
    stem, a U-Net had one attention, at its lowest level, and a transformer full attention.
2   before grids without an autoencoder: the section of one had no `identity`. No autoencoder had an attention or tiles,
    none was of others (`pretrained`), and each folded blocks of two cells along all axes.
3   before earlier radar frames could go in (`sweeps`), and before students with two times: each was a `consistency`
    one. A blend was half of a sample.

A stranger's header may tell anything: what is no section is left as it is, and whoever builds from it refuses it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from echoes.tasks import ENHANCE

NO_PATCH = {"patch": [1]}  # of no variant before
NO_ATTENTION = {"kind": "none", "heads": 1}
ADDED: dict[str, dict[str, Any]] = {"clouds": {"join_s": 0.0}, "lidar": {"padding": "none"}}  # reader -> keys of it
NO_TILES = {"cells": [], "overlap": 0}
NO_FILE = {"layout": "diffusers", "path": ""}
NO_STEM = {"convolution": "none", "channels": 8, "layers": 2}
GROUPS = {"kind": "group", "groups": 8}


def content(told: Mapping[str, Any], format: int) -> dict[str, Any]:
    """The content of a header of that format, as it is told today."""
    found = dict(told)
    if format < 2:
        if "target_channels" in found:
            found["task"] = asdict(ENHANCE)
        if "middle" in found:
            found["second_sigma"] = found.pop("middle")
    if format < 4 and "task" in found:
        found["sweeps"] = None
    if format < 4 and isinstance(found.get("readout"), Mapping):
        found["readout"] = {**found["readout"], "blend": 0.5}
    return found


def architecture(told: Mapping[str, Any], format: int) -> dict[str, Any]:
    """The architecture in a header of that format, as it is told today."""
    if "variant" in told:  # of an autoencoder
        return _autoencoder(told, format)
    if "denoiser" in told:  # of a consistency model
        return _student(told, format)
    return _denoiser(told) if format < 2 else dict(told)


def _autoencoder(section: Mapping[str, Any], format: int) -> dict[str, Any]:
    found = dict(section)
    if format < 2:
        found["stem"] = NO_STEM
    if format < 3:
        if isinstance(found.get("size"), Mapping):
            found["size"] = {**found["size"], "patch": 2}
        found |= {"identity": NO_PATCH, "attention": NO_ATTENTION, "pretrained": NO_FILE, "tiles": NO_TILES}
    return found


def _student(section: Mapping[str, Any], format: int) -> dict[str, Any]:
    found = dict(section)
    if format < 2 and isinstance(found["denoiser"], Mapping):
        found["denoiser"] = _denoiser(found["denoiser"])
    if format < 4:
        found["student"] = "consistency"
    return found


def _denoiser(section: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(section)
    condition, regression, transformer = (found.get(name) for name in ("condition", "regression", "dit"))
    if isinstance(condition, Mapping) and condition.get("by") in ("encoder", "vae"):
        found["condition"] = {**condition, "stem": NO_STEM}
    if isinstance(regression, Mapping) and "unet" in regression:
        found["regression"] = {**regression, "unet": unet(regression["unet"])}
    if isinstance(transformer, Mapping):
        found["dit"] = {"attention": "full", "window": 1, "keep": 1, **transformer}
    if "unet" in found:
        found["unet"] = unet(found["unet"])
    return found


def unet(section: Any) -> Any:
    """The section `unet` of format 1, as it is told today."""
    if not isinstance(section, Mapping) or not isinstance(channels := section.get("channels"), list):
        return section
    size = {
        "channels": channels,
        "blocks": section.get("blocks"),
        "attention": [*["none"] * (len(channels) - 1), section.get("attention")],
        "norm": GROUPS,
        "convolution": "dense",
    }
    kept = {key: value for key, value in section.items() if key not in ("channels", "blocks", "attention")}
    return {**kept, "size": size, "strides": "full", "least": 1, "keep": 1}


def source(told: Any, format: int) -> Any:
    """The section `source` of a pack's profile of that format, as it is told today.

    In the first the power of a bag was in dB, each folder of clouds a sequence, and a LiDAR alone had no padding.
    """
    if format > 1 or not isinstance(told, Mapping):
        return told
    reader, radar, several = (told.get(name) for name in ("reader", "radar", "sources"))
    if reader == "ros" and isinstance(radar, Mapping):
        return {**told, "radar": {"power": {"unit": "dB", "offset_db": 0.0}, **radar}}
    if reader == "mixed" and isinstance(several, Mapping):
        return {**told, "sources": {name: source(one, format) for name, one in several.items()}}
    return {**ADDED.get(str(reader), {}), **told}
