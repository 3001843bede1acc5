"""Stage train_vae: target grids -> weights of an autoencoder, averaged."""

from pathlib import Path

import torch

from echoes import metrics, params, seeds
from echoes.autoencoder import fitting
from echoes.dataset.grids import Grids
from echoes.entry import run
from echoes.models import autoencoders, reconstruction
from echoes.reports.curves import Curve
from echoes.training import device
from echoes.training.ema import Ema
from echoes.training.loop import train


def main(track: str) -> None:
    p = params.load(autoencoders.VaeParams, f"{track}.vae")
    grids = Grids(Path("data", track, "grids.zarr"))
    place, rate = device.best(), grids.occupied_share
    torch.manual_seed(seeds.number(p.seed, "train_vae", "init"))
    vae = autoencoders.build(p, rank=3, channels=len(grids.header.content["target_channels"])).to(place)
    vae.set_prior(grids.target_channel("occupancy"), rate)
    ema = Ema(vae, p.ema)
    load = fitting.load_targets(grids, p.mirror, p.seed, p.steps)
    loss = fitting.objective(vae, rate, p.loss, place)
    with Curve(Path("metrics", track, "plots", "train_vae.csv"), p.steps) as curve:
        for step, value in train("train_vae", vae, load, loss, len(grids.frames("train")), p):
            ema.update(step)
            curve.add(step, loss=value)
    autoencoders.save(ema.model, p, grids, Path("data", track, "vae.safetensors"))
    scores = reconstruction.scores(ema.model, grids, "val")
    metrics.write(Path("metrics", track, "train_vae.json"), {"loss": curve.last("loss"), **scores})


if __name__ == "__main__":
    run(main)
