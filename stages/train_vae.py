"""Stage train_vae: target grids, from `init` on -> weights of an autoencoder, averaged."""

from functools import partial
from pathlib import Path

import torch

from echoes import metrics, params, seeds
from echoes.autoencoder import architecture, fitting
from echoes.compute import distributed
from echoes.compute.device import best_device
from echoes.dataset import catalog
from echoes.models import autoencoders, families
from echoes.models.starting import start
from echoes.training import launch, sharding
from echoes.training.ema import Ema
from echoes.training.loop import train
from echoes.training.run import training_run
from echoes.training.runtime import Runtime


def main(track: str) -> None:
    p, runtime = params.load(fitting.VaeParams, f"{track}.vae"), params.load(Runtime, "runtime")
    data, device = Path("data", track), best_device()
    grids = catalog.read(data / "grids.zarr")
    grids.require_mirror(f"{track}.vae", p.mirror)
    torch.manual_seed(seeds.number(p.schedule.seed, "train_vae", "init"))
    vae = architecture.build(p.architecture, grids.rank, grids.channels).to(device)
    init = start(vae, data / "init", "vae")
    task = families.autoencoding(grids.family).task(vae, grids, p, device)
    reconstruction, ema = families.reconstruction(grids.family), Ema(vae, p.schedule.ema)
    draw = partial(families.pictures(grids.family).reconstructed, grids)
    if runtime.sharding == "full":
        fitting.require_shardable(p.loss)
        sharding.shard(vae, ema.model)
    parents = {"grids": grids.header.identity, "init": init.identity, **fitting.origins(p)}
    averages = {"ema": ema}
    with training_run(
        Path(__file__), track, p, runtime, parents, averages, lambda model: reconstruction.error(model, grids)
    ) as training:
        frames, of_task = grids.targets(), (task.module, task.load, task.loss)
        steps = train("train_vae", *of_task, frames, p.schedule, training.checkpoints, training.rate)
        training.fit(steps, draw, vae.bottleneck.usage)
        chosen = training.selection.into(architecture.build(p.architecture, grids.rank, grids.channels).to(device))
        if distributed.is_first():
            training.log.draw(p.schedule.steps - 1, partial(draw, chosen))
            autoencoders.save(chosen, p, grids, parents, data / "vae.safetensors")
            scores = reconstruction.scores(chosen, grids, "val")
            report = {"loss": training.log.last("loss"), **scores, **training.log.costs}
            metrics.write(Path("metrics", track, "train_vae.json"), report)


if __name__ == "__main__":
    launch.run(main)
