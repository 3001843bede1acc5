"""Stage distill_cd: a frozen denoiser -> a consistency model of one or two calls, with what validation settled."""

from pathlib import Path

from echoes import latentstore, metrics, params
from echoes.compute import distributed
from echoes.compute.device import best_device
from echoes.dataset import catalog
from echoes.models import autoencoders, batches, denoisers, distilling, families, previews, students
from echoes.models.sampler import Decoder
from echoes.provenance import require_parent
from echoes.training import launch, loop, sharding
from echoes.training.ema import Ema
from echoes.training.run import training_run
from echoes.training.runtime import Runtime


def main(track: str) -> None:
    p, runtime = params.load(distilling.CdParams, f"{track}.cd"), params.load(Runtime, "runtime")
    data, device = Path("data", track), best_device()
    grids, latents = catalog.read(data / "grids.zarr"), latentstore.of_track(data, runtime.latents)
    vae, vae_header = autoencoders.load(data / "vae.safetensors", device)
    teacher, header = denoisers.load_ldm(data / "ldm.safetensors", device)
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
    require_parent(data / "ldm.safetensors", header, data / "latents", latents.header)
    grids.require_mirror(f"{track}.cd", p.mirror)
    student = distilling.student_of(teacher, p).to(device)
    target, ema, whitening = Ema(student, p.target_ema), Ema(student, p.schedule.ema), denoisers.whitening(header)
    if runtime.sharding == "full":
        sharding.shard(student.denoiser, target.model.denoiser, ema.model.denoiser)
    by = denoisers.architecture(header, data / "ldm.safetensors").condition.by
    given = families.conditioning(grids.family).conditions(grids, latents, by)
    once = distilling.once(p, Decoder(vae, whitening), latentstore.shape(header))
    load = batches.load_latents(latents, given, p.mirror, "distill_cd", p.schedule.seed)
    loss = distilling.distillation(student, target.model, teacher, p, whitening, device)
    validation, draw = families.validation(grids.family), previews.of(once, grids, given)
    parents, averages = {"ldm": header.identity}, {"target": target, "ema": ema}
    error = lambda model: validation.error(once(model), grids, given)
    with training_run(Path(__file__), track, p, runtime, parents, averages, error) as training:
        frames = grids.frames("train")
        steps = loop.train("distill_cd", student, load, loss, frames, p.schedule, training.checkpoints, training.rate)
        training.fit(steps, draw)
        model = training.selection.into(distilling.student_of(teacher, p).to(device))
        if distributed.is_first():
            training.log.draw(p.schedule.steps - 1, lambda path: draw(model, path))
            chosen = validation.calibrate(model, p.sigmas, once(model), grids, given)
            students.save_cd(model, p, header, chosen, data / "cd.safetensors")
            numbers = {name: value for name, value in chosen.items() if isinstance(value, float)}
            report = {"loss": training.log.last("loss"), **numbers, **training.log.costs}
            metrics.write(Path("metrics", track, "distill_cd.json"), report)


if __name__ == "__main__":
    launch.run(main)
