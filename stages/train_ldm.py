"""Stage train_ldm: whitened latents and what conditions them -> averaged weights of a denoiser."""

from pathlib import Path

import torch

from echoes import latentstore, metrics, params, seeds
from echoes.dataset import choice
from echoes.entry import run
from echoes.models import batches, denoisers, objectives
from echoes.models.conditions import conditions
from echoes.provenance import require_parent
from echoes.reports.curves import Curve
from echoes.training import device
from echoes.training.ema import Ema
from echoes.training.loop import train


def main(track: str) -> None:
    p = params.load(denoisers.LdmParams, f"{track}.ldm")
    data, place = Path("data", track), device.best()
    grids, latents = choice.read(data / "grids.zarr"), latentstore.read(data / "latents")
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    grids.require_mirror(f"{track}.ldm", p.mirror)
    torch.manual_seed(seeds.number(p.seed, "train_ldm", "init"))
    denoiser = denoisers.build(latents.header, p).to(place)
    ema, whitening = Ema(denoiser, p.ema), denoisers.whitening(latents.header)
    given, frames = conditions(grids, latents, p.condition.by), grids.frames("train")
    load = batches.load_latents(latents, frames, given, p.mirror, "train_ldm", p.seed)
    loss = objectives.denoising(denoiser, p, whitening, place)
    with Curve(Path("metrics", track, "plots", "train_ldm.csv"), p.steps) as curve:
        for step, value in train("train_ldm", denoiser, load, loss, len(frames), p):
            ema.update(step)
            curve.add(step, loss=value)
    denoisers.save_ldm(ema.model, p, latents.header, data / "ldm.safetensors")
    scores = objectives.validation(ema.model, p, latents, grids.frames("val"), given, whitening, place)
    metrics.write(Path("metrics", track, "train_ldm.json"), {"loss": curve.last("loss"), **scores})


if __name__ == "__main__":
    run(main)
