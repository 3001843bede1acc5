"""Stage train_ldm: whitened latents and what conditions them, from `init` on -> averaged weights of a denoiser."""

from pathlib import Path

import torch

from echoes import latentstore, metrics, params, seeds
from echoes.compute import distributed
from echoes.compute.device import best_device
from echoes.dataset import catalog
from echoes.models import autoencoders, batches, denoisers, families, objectives, previews
from echoes.models.radar import augmenting, regression
from echoes.models.sampler import Decoder
from echoes.models.starting import start
from echoes.provenance import require_parent
from echoes.training import launch, loop, sharding
from echoes.training.ema import Ema
from echoes.training.run import training_run
from echoes.training.runtime import Runtime


def main(track: str) -> None:
    p, runtime = params.load(objectives.LdmParams, f"{track}.ldm"), params.load(Runtime, "runtime")
    data, device = Path("data", track), best_device()
    grids, latents = catalog.read(data / "grids.zarr"), latentstore.of_track(data, runtime.latents)
    vae, vae_header = autoencoders.load(data / "vae.safetensors", device)
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
    grids.require_mirror(f"{track}.ldm", p.mirror)
    torch.manual_seed(seeds.number(p.schedule.seed, "train_ldm", "init"))
    denoiser = denoisers.build(latents.header, p.architecture).to(device)
    regression.set_prior(denoiser.regression, grids)
    init, frames = start(denoiser, data / "init", "ldm"), grids.frames("train")
    ema, whitening = Ema(denoiser, p.schedule.ema), denoisers.whitening(latents.header)
    if runtime.sharding == "full":
        sharding.shard(denoiser, ema.model)
    given = families.conditioning(grids.family).conditions(grids, latents, p.architecture.condition.by)
    load = batches.load_latents(latents, given, p.mirror, "train_ldm", p.schedule.seed)
    loss = objectives.denoising(denoiser, p, whitening, device)
    flips = batches.flips(p.mirror, "train_ldm", p.schedule.seed)
    load, loss = regression.joined(denoiser.regression, grids, p.loss.regression, load, loss, flips)
    load = augmenting.inputs(load, grids, p.augmentation, p.schedule.seed)
    scores = objectives.validation(p, latents, grids.frames("val"), given, whitening, device)
    drawn = previews.by_solver(Decoder(vae, whitening), latentstore.shape(latents.header), p.schedule.seed)
    draw = previews.of(drawn, grids, given)
    parents, error = {"latents": latents.header.identity, "init": init.identity}, lambda m: scores(m)["val_loss"]
    with training_run(Path(__file__), track, p, runtime, parents, {"ema": ema}, error) as training:
        steps = loop.train("train_ldm", denoiser, load, loss, frames, p.schedule, training.checkpoints, training.rate)
        training.fit(steps, draw)
        chosen = training.selection.into(denoisers.build(latents.header, p.architecture).to(device))
        if distributed.is_first():
            training.log.draw(p.schedule.steps - 1, lambda path: draw(chosen, path))
            denoisers.save_ldm(chosen, p, latents.header, parents, data / "ldm.safetensors")
            direct = regression.error(chosen.regression, grids, p.loss.regression)
            report = {"loss": training.log.last("loss"), **scores(chosen), **direct, **training.log.costs}
            metrics.write(Path("metrics", track, "train_ldm.json"), report)


if __name__ == "__main__":
    launch.run(main)
