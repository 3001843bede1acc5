"""From noise to decoded samples: ours in one call and by Heun's steps, and the samplers of MONAI and diffusers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from peer_autoencoders import diffusers_autoencoder, monai_autoencoder, our_autoencoder
from peer_denoisers import CLASSES, FIELDS, LATENT, diffusers_dit, diffusers_unet, monai_unet
from torch import Tensor, nn
from training_step import latents_for, whitening
from turns import Work, optional, table

from echoes import params
from echoes.compute.precision import computing
from echoes.diffusion.heun import heun
from echoes.models import distilling
from echoes.models.denoisers import LdmArchitecture
from echoes.models.distilling import CdParams
from echoes.models.sampler import UNGUIDED, Decoder, Sampler, solving

STEPS = 40  # of Heun, 79 calls
FEW = 10  # 19 calls
BATCH = 16  # of spectrograms; of clouds one
ROUNDS = 7


def ours(track: str, count: int) -> tuple[Callable[[], Tensor], Callable[[int], Callable[[], Tensor]]]:
    """One call of a student, and steps -> that many of Heun's; both decode."""
    p: CdParams = params.load(CdParams, f"{track}.cd")
    denoiser, batch = latents_for(track, params.load(LdmArchitecture, f"{track}.ldm.architecture"), count)
    vae: nn.Module = our_autoencoder(track)[0].eval()
    decoder, shape = Decoder(vae, whitening(batch)), tuple(batch.mean.shape[1:])
    student = distilling.once(p, decoder, shape)(distilling.student_of(denoiser, p).eval())
    numbers = range(count)

    def by_heun(steps: int) -> Callable[[], Tensor]:
        solve = solving(denoiser.eval(), lambda *of: heun(*of[:4]), replace(p.sigmas, steps=steps))
        return partial(Sampler(denoiser, solve, UNGUIDED, decoder, shape, 0), batch.cond, numbers)

    return partial(student, batch.cond, numbers), by_heun


def monai_inferer(calls: int) -> Work:
    from monai.inferers import LatentDiffusionInferer
    from monai.networks.schedulers import DDIMScheduler

    scheduler = DDIMScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(calls)
    inferer, vae, unet = LatentDiffusionInferer(scheduler), monai_autoencoder("radar")[0], monai_unet(3, 1)[0]
    noise, field = torch.randn(1, *LATENT[3]), torch.randn(1, FIELDS, *LATENT[3][1:])

    @torch.no_grad()
    def run() -> Tensor:
        found: Tensor = inferer.sample(
            noise, vae.eval(), unet.eval(), scheduler, conditioning=field, mode="concat", verbose=False
        )
        return found

    return Work("MONAI, LatentDiffusionInferer", run, f"DDIM, {calls} calls")


def diffusers_ldm(calls: int) -> Work:
    from diffusers import DDIMScheduler, LDMPipeline

    pipeline = LDMPipeline(diffusers_autoencoder("microdoppler")[0], diffusers_unet(), DDIMScheduler())
    return _piped("diffusers, LDMPipeline", pipeline, partial(pipeline, batch_size=BATCH), calls)


def diffusers_dits(calls: int) -> Work:
    from diffusers import DDIMScheduler, DiTPipeline

    pipeline = DiTPipeline(diffusers_dit(), diffusers_autoencoder("microdoppler")[0], DDIMScheduler())
    classes = [i % CLASSES for i in range(BATCH)]
    return _piped("diffusers, DiTPipeline", pipeline, partial(pipeline, classes, guidance_scale=1.0), calls)


def _piped(name: str, pipeline: object, call: Callable[..., object], calls: int) -> Work:
    pipeline.set_progress_bar_config(disable=True)
    return Work(name, partial(call, num_inference_steps=calls, output_type="np"), f"DDIM, {calls} calls")


def main() -> None:
    """All in float32: a pipeline of diffusers ends in NumPy, which has no bfloat16."""
    torch.manual_seed(0)
    with computing("float32"):
        clouds()
        spectrograms()


def clouds() -> None:
    calls, few = 2 * STEPS - 1, 2 * FEW - 1
    once, by_heun = ours("radar", 1)
    works = [
        Work("radar, one call", once, ""),
        Work("radar, Heun", by_heun(STEPS), f"{STEPS} steps, {calls} calls; wanted: 40 x"),
        Work("radar, Heun", by_heun(FEW), f"{FEW} steps, {few} calls"),
        optional("MONAI, LatentDiffusionInferer", partial(monai_inferer, few)),
    ]
    told("A sample of a cloud, its condition encoded and decoding included", works)


def spectrograms() -> None:
    few = 2 * FEW - 1
    once, by_heun = ours("microdoppler", BATCH)
    works = [
        Work("microdoppler, one call", once, ""),
        Work("microdoppler, Heun", by_heun(FEW), f"{FEW} steps, {few} calls"),
        optional("diffusers, LDMPipeline", partial(diffusers_ldm, few)),
        optional("diffusers, DiTPipeline", partial(diffusers_dits, few)),
    ]
    told(f"{BATCH} spectrograms, decoding included", works)


def told(title: str, works: list[Work]) -> None:
    print(f"\n{table(f'{title}, float32, {torch.get_num_threads()} threads', works, ROUNDS)}", flush=True)
