"""Stage distill_cd: a frozen denoiser -> a consistency model of one or two calls, and its occupancy threshold."""

from pathlib import Path

from echoes import latentstore, metrics, params
from echoes.dataset.grids import Grids
from echoes.entry import run
from echoes.models import autoencoders, batches, denoisers, methods, objectives
from echoes.models.validation import Validation
from echoes.provenance import require_parent
from echoes.reports.curves import Curve
from echoes.training import device
from echoes.training.ema import Ema
from echoes.training.loop import train


def main(track: str) -> None:
    p = params.load(denoisers.CdParams, f"{track}.cd")
    data, place = Path("data", track), device.best()
    grids, latents = Grids(data / "grids.zarr"), latentstore.read(data / "latents")
    vae, vae_header = autoencoders.load(data / "vae.safetensors", place)
    teacher, header = denoisers.load_ldm(data / "ldm.safetensors", place)
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
    require_parent(data / "ldm.safetensors", header, data / "latents", latents.header)
    student = denoisers.student_of(teacher, p.sigmas.low).to(place)
    target, ema = Ema(student, p.target_ema), Ema(student, p.ema)
    load = batches.load_latents(grids, latents, denoisers.condition(header), p.mirror, "distill_cd", p.seed)
    loss = objectives.distillation(student, target.model, teacher, p, denoisers.whitening(header), place)
    with Curve(Path("metrics", track, "plots", "distill_cd.csv"), p.steps) as curve:
        for step, value in train("distill_cd", student, load, loss, len(grids.frames("train")), p):
            target.update(step)
            ema.update(step)
            curve.add(step, loss=value)
    decoder = methods.Decoder(vae, denoisers.whitening(header), grids.scaling, threshold=0.5)
    validation = Validation(decoder, grids, latents, denoisers.condition(header), p.seed)
    threshold = validation.threshold(methods.cd(ema.model, p, [], p.seed))
    middle = validation.middle(ema.model, p, threshold)
    denoisers.save_cd(ema.model, p, header, threshold, middle, data / "cd.safetensors")
    chosen = {"threshold": threshold, "middle_sigma": middle}
    metrics.write(Path("metrics", track, "distill_cd.json"), {"loss": curve.last("loss"), **chosen})


if __name__ == "__main__":
    run(main)
