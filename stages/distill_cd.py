"""Stage distill_cd: a frozen denoiser -> a consistency model of one or two calls, with what validation settled."""

from collections.abc import Callable
from pathlib import Path

from echoes import latentstore, metrics, params
from echoes.dataset import choice
from echoes.entry import run
from echoes.models import autoencoders, batches, denoisers, objectives
from echoes.models.conditions import conditions
from echoes.models.methods import Decoder
from echoes.models.microdoppler import validation as spectrograms
from echoes.models.radar import validation as clouds
from echoes.provenance import require_parent
from echoes.reports.curves import Curve
from echoes.training import device
from echoes.training.ema import Ema
from echoes.training.loop import train

CHOSEN: dict[str, Callable[..., dict[str, float]]] = {"radar": clouds.chosen, "microdoppler": spectrograms.chosen}


def main(track: str) -> None:
    p = params.load(denoisers.CdParams, f"{track}.cd")
    data, place = Path("data", track), device.best()
    grids, latents = choice.read(data / "grids.zarr"), latentstore.read(data / "latents")
    vae, vae_header = autoencoders.load(data / "vae.safetensors", place)
    teacher, header = denoisers.load_ldm(data / "ldm.safetensors", place)
    require_parent(data / "latents", latents.header, grids.path, grids.header)
    require_parent(data / "latents", latents.header, data / "vae.safetensors", vae_header)
    require_parent(data / "ldm.safetensors", header, data / "latents", latents.header)
    grids.require_mirror(f"{track}.cd", p.mirror)
    student = denoisers.student_of(teacher, p.sigmas.low).to(place)
    target, ema, whitening = Ema(student, p.target_ema), Ema(student, p.ema), denoisers.whitening(header)
    by = denoisers.ldm_params(header, data / "ldm.safetensors").condition.by
    given, frames = conditions(grids, latents, by), grids.frames("train")
    load = batches.load_latents(latents, frames, given, p.mirror, "distill_cd", p.seed)
    loss = objectives.distillation(student, target.model, teacher, p, whitening, place)
    with Curve(Path("metrics", track, "plots", "distill_cd.csv"), p.steps) as curve:
        for step, value in train("distill_cd", student, load, loss, len(frames), p):
            target.update(step)
            ema.update(step)
            curve.add(step, loss=value)
    shape = header.content["latent_shape"]
    chosen = CHOSEN[grids.family](ema.model, p, Decoder(vae, whitening), grids, given, shape)
    denoisers.save_cd(ema.model, p, header, chosen, data / "cd.safetensors")
    metrics.write(Path("metrics", track, "distill_cd.json"), {"loss": curve.last("loss"), **chosen})


if __name__ == "__main__":
    run(main)
