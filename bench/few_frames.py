"""What augmentation, size and regularisation bring where real frames are few, on the validation stretches of folds.

python bench/few_frames.py TRACK [FOLD ...]

For each variant and fold: DVC voxelizes the fold in a project of its own, the regression is trained alone with the
schedule of `ldm`, its readout is settled, all on training and validation stretches. No test frame is looked at. Prints
a table whose numbers are ratios to the validation frames' radar, means over the folds.
"""

import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from torch import Tensor, nn

from echoes import params, seeds
from echoes.compute.device import best_device
from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.evaluation import points
from echoes.evaluation.blocks import ratio_interval
from echoes.evaluation.points import restrict
from echoes.folds import projects, running
from echoes.models import batches
from echoes.models.objectives import LdmParams
from echoes.models.radar import calibration, readout, regression, regressor
from echoes.models.radar.onecall import Said
from echoes.models.radar.readout import Fusion, Placement
from echoes.models.radar.regression import RegressionBatch
from echoes.models.radar.regressor import BirdseyeRegression
from echoes.nets.birdseye import BirdseyeUNet
from echoes.training.loop import train
from echoes.training.microbatches import MicroBatch

NONE = {"copies": 0, "max_rotation_rad": 0.0, "min_fraction": 1.0, "power_db": 0.0, "noise_m": 0.0, "fade": 0.0}
TURN, THIN = {"max_rotation_rad": 0.4}, {"min_fraction": 0.5}


@dataclass(frozen=True)
class Variant:
    """What of the track is changed; augmentation: beside those of no augmentation at all."""

    name: str
    augmentation: Mapping[str, Any]
    unet: Mapping[str, Any]
    schedule: Mapping[str, Any]
    mirror: bool = True


def augmented(name: str, **numbers: Any) -> Variant:
    return Variant(name, numbers, {}, {})


def shipped(name: str, unet: Mapping[str, Any] | None = None, schedule: Mapping[str, Any] | None = None) -> Variant:
    return Variant(name, {}, unet or {}, schedule or {}, mirror=False)


ALTERED = {"copies": 7, **TURN, **THIN}
VARIANTS = [
    shipped("none, not even the mirror (as shipped)"),
    augmented("mirror"),
    augmented("mirror, turn", copies=7, **TURN),
    augmented("mirror, turn, thin", **ALTERED),
    augmented("... and power 3 dB", **ALTERED, power_db=3.0),
    augmented("... and noise .15 m", **ALTERED, noise_m=0.15),
    augmented("... and fade .5", **ALTERED, fade=0.5),
    augmented("... and power, noise, fade", **ALTERED, power_db=3.0, noise_m=0.15, fade=0.5),
    shipped("shipped, channels halved", unet={"channels": [16, 32, 48]}),
    shipped("shipped, channels doubled", unet={"channels": [64, 128, 192]}),
    shipped("shipped, dropout .3", unet={"dropout": 0.3}),
    shipped("shipped, weight decay .1", schedule={"weight_decay": 0.1}),
    shipped("shipped, half the steps", schedule={"steps": 200}),
]


def main(track: str, *folds: str) -> None:
    machine.tell()
    numbers = params.document(Path("params.yaml"))
    print("| augmentation | loss | Chamfer x | F1@1m x | worse frames |\n|---|---:|---:|---:|---:|", flush=True)
    for variant in VARIANTS:
        rows = [measured(changed(numbers, track, variant), track, int(fold)) for fold in folds or ("0",)]
        loss, chamfer, f1, worse = np.mean(rows, axis=0)
        print(f"| {variant.name} | {loss:.3f} | {chamfer:.3f} | {f1:.3f} | {worse:.2f} |", flush=True)


def changed(numbers: Mapping[str, Any], track: str, variant: Variant) -> dict[str, Any]:
    """params.yaml with a variant of the track."""
    made: dict[str, Any] = copy.deepcopy(dict(numbers))
    section = made[track]
    section["grid"]["augmentation"] |= {**NONE, **variant.augmentation}
    unet = section["ldm"]["architecture"]["regression"]["unet"]
    unet |= {key: value for key, value in variant.unet.items() if key != "channels"}
    unet["size"] |= {key: value for key, value in variant.unet.items() if key == "channels"}
    section["ldm"]["schedule"] |= variant.schedule
    section["ldm"]["mirror"] = variant.mirror
    return made


@dataclass(frozen=True)
class Scores:
    """Of validation frames, each (N,): their stretches, and distances and scores of fused clouds and of the radar."""

    stretches: np.ndarray
    fused_m: np.ndarray
    radar_m: np.ndarray
    fused_f1: np.ndarray
    radar_f1: np.ndarray

    def ratios(self) -> tuple[float, float, float]:
        """Of mean Chamfer distances and of mean F1 to the radar's, and the share of frames that are farther off."""
        chamfer = float(np.nanmean(self.fused_m) / np.nanmean(self.radar_m))
        f1 = float(np.nanmean(self.fused_f1) / np.nanmean(self.radar_f1))
        return chamfer, f1, float(np.mean(self.fused_m > self.radar_m))

    def beside(self, other_m: np.ndarray) -> str:
        """Ratio of the mean Chamfer distance to that of others (N,) in the same frames; interval over stretches."""
        known = np.isfinite(self.fused_m) & np.isfinite(other_m)
        mine, theirs = self.fused_m[known], other_m[known]
        lo, hi = ratio_interval(mine, theirs, self.stretches[known], seed=0, resamples=1000)
        return f"{mine.mean() / theirs.mean():.3f} [{lo:.3f}, {hi:.3f}]"


def measured(numbers: Mapping[str, Any], track: str, fold: int) -> tuple[float, float, float, float]:
    """Loss of the regression, ratios of Chamfer and F1 to the radar's, and the share of frames that are farther off."""
    root = Path()
    project = projects.write(root, numbers, track, fold, running.cache(root))
    running.repro(project, f"voxelize@{track}", f"fold {fold} of {track}")
    grids = Grids(project / "data" / track / "grids.zarr")
    p: LdmParams = params.build(LdmParams, numbers[track]["ldm"], f"{track}.ldm")
    device = best_device()
    network = fitted(grids, p, grids.frames("train"), device)
    loss = regression.error(network, grids, p.loss.regression)["val_regression_loss"]
    return loss, *against_radar(network, grids, p.schedule.seed, device).ratios()


def fitted(
    grids: Grids, p: LdmParams, frames: np.ndarray, device: torch.device, start: Mapping[str, Tensor] | None = None
) -> BirdseyeUNet:
    """The regression as train_ldm would train it, without a denoiser beside it and without averages.

    frames (N,) that it is trained on; start: weights of another one, or None for fresh ones.
    """
    of, loss, schedule = p.architecture.regression, p.loss.regression, p.schedule
    assert isinstance(of, BirdseyeRegression)
    assert loss is not None
    torch.manual_seed(seeds.number(schedule.seed, "train_ldm", "init"))
    network = regressor.build(of, grids.task, grids.shape).to(device)
    regression.set_prior(network, grids)
    if start is not None:
        network.load_state_dict(start)
    flips = batches.flips(p.mirror, "train_ldm", schedule.seed)
    error = regression.objective(grids.task.target, grids.occupied_share, loss)

    def load(part: MicroBatch) -> RegressionBatch:
        return regression.load(grids, part.frames, flips(part))

    for _ in train("train_ldm", network, load, partial(error, network), frames, schedule):
        pass
    return network.eval()


def against_radar(network: nn.Module, grids: Grids, seed: int, device: torch.device) -> Scores:
    """Of the fused clouds of validation frames, by a readout that is settled on the same."""
    names = readout.names(True)
    say = saying(network, grids, device)
    settled = calibration.fit(say, grids, names, device, seed)
    fusion, rows = Fusion(settled, Placement.of(grids), device), []
    chosen = evenly_spaced(grids.frames("val"), calibration.FRAMES)
    for frames in batches_of(chosen, calibration.BATCH):
        said = say(frames)
        probable, measured = fusion.probability(said.weighed).cpu().numpy(), said.measured.cpu().numpy()
        for frame, *one in zip(frames.tolist(), probable, measured, strict=True):
            returns, (truth, region) = grids.points("input", frame), calibration.truth(grids, frame, seed)
            made = fusion.fused(*one, grids.cells("input", frame), returns).points
            both = [
                points.evaluate_points(restrict(cloud, region), truth, grids.grid.diagonal_m)
                for cloud in (made, returns)
            ]
            rows.append([scores[key] for key in ("chamfer_m", "f1@1.0m") for scores in both])
    return Scores(grids.stretches()[chosen], *np.array(rows).T)


def saying(network: nn.Module, grids: Grids, device: torch.device) -> Callable[[np.ndarray], Said]:
    """frames (B,) -> what the regression says, the latent model nothing."""

    @torch.no_grad()
    def say(frames: np.ndarray) -> Said:
        radar = torch.from_numpy(grids.input_batch(frames)).to(device)
        regressed = network(radar)
        latent = torch.zeros_like(regressed[:, 0])
        return Said(readout.inputs(regressed, latent, radar), regressed, latent, regressed, latent, 0.0)

    return say


if __name__ == "__main__":
    main(*sys.argv[1:])
