"""Stage train_vae: target grids -> weights of an autoencoder, averaged."""

from collections.abc import Callable
from pathlib import Path

import torch

from echoes import metrics, params, seeds
from echoes.autoencoder import fitting
from echoes.dataset import choice
from echoes.entry import run
from echoes.models import autoencoders
from echoes.models.microdoppler import reconstruction as spectrograms
from echoes.models.radar import reconstruction as clouds
from echoes.reports.curves import Curve
from echoes.training import device
from echoes.training.ema import Ema
from echoes.training.loop import train

SCORES: dict[str, Callable[..., dict[str, float]]] = {"radar": clouds.scores, "microdoppler": spectrograms.scores}


def main(track: str) -> None:
    p = params.load(autoencoders.VaeParams, f"{track}.vae")
    grids, place = choice.read(Path("data", track, "grids.zarr")), device.best()
    grids.require_mirror(f"{track}.vae", p.mirror)
    torch.manual_seed(seeds.number(p.seed, "train_vae", "init"))
    vae = autoencoders.build(p, grids.rank, grids.channels).to(place)
    task = fitting.task(vae, grids, p.loss, p.mirror, p, place)
    ema = Ema(vae, p.ema)
    with Curve(Path("metrics", track, "plots", "train_vae.csv"), p.steps) as curve:
        for step, value in train("train_vae", task.module, task.load, task.loss, task.count, p):
            ema.update(step)
            curve.add(step, loss=value, **vae.bottleneck.live())
    autoencoders.save(ema.model, p, grids, Path("data", track, "vae.safetensors"))
    scores = SCORES[grids.family](ema.model, grids, "val")
    metrics.write(Path("metrics", track, "train_vae.json"), {"loss": curve.last("loss"), **scores})


if __name__ == "__main__":
    run(main)
