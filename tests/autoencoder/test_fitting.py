"""Batches for the autoencoder, the same for the same step; its loss, and how both families are trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import artifacts
import steps
import tracks
import vits
from echoes import params
from echoes.augmentation.clouds import CloudAugmentation
from echoes.augmentation.spectrograms import SpectrogramAugmentation
from echoes.autoencoder import bottlenecks, equivariance, fitting, perceptual, teachers
from echoes.autoencoder.architecture import VaeArchitecture
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.fsq import FsqConfig
from echoes.autoencoder.loss_weights import (
    AlignmentConfig,
    EquivarianceConfig,
    LossWeights,
    SpectrogramLoss,
    TeacherFile,
    TeacherTraining,
)
from echoes.autoencoder.resolution import Full, Several
from echoes.autoencoder.spectrogram_loss import reconstruction
from echoes.autoencoder.structure import gradient_error
from echoes.autoencoder.vae import AttentionConfig, Vae, VaeConfig
from echoes.autoencoder.vq import CodebookTraining, VqConfig
from echoes.errors import InputError
from echoes.models import autoencoders
from echoes.models.microdoppler import autoencoding as spectrograms
from echoes.models.radar import autoencoding as clouds
from echoes.nets.stem import StemConfig
from echoes.tasks import RADAR_FROM_LIDAR
from echoes.training.ema import Ema
from echoes.training.loop import train
from echoes.training.schedule import Schedule, StageSchedule

INDICES = np.arange(7)
FULL = Full("full")
ARCHITECTURE = params.build(VaeArchitecture, tracks.VAE["architecture"], "architecture")
CPU = torch.device("cpu")
NO_STEM, NO_ATTENTION = StemConfig("none", 8, 2), AttentionConfig("none", 1)
SCHEDULE = params.build(Schedule, {**tracks.SCHEDULE, "steps": 30, "batch": 8, "lr": 3e-3}, "schedule")
STAGE = params.build(StageSchedule, {**tracks.STAGE_SCHEDULE, "steps": 30, "batch": 8, "lr": 3e-3}, "schedule")
AS_IT_IS = params.build(CloudAugmentation, tracks.VAE["augmentation"], "augmentation")
UNALTERED = params.build(SpectrogramAugmentation, tracks.UNALTERED, "augmentation")
NO_FILE = params.build(TeacherFile, vits.FILE, "file")
CODEBOOK = CodebookTraining(decay=0.9, commitment=0.25, restart=5)
OCCUPANCY = params.build(LossWeights, tracks.OCCUPANCY, "loss")


def autoencoder(rank, channels, variant="kl", stem=NO_STEM):
    torch.manual_seed(0)
    config = VaeConfig((8, 8), (1, 1), 2, 2)
    bottleneck = bottlenecks.build(variant, 2, VqConfig(16), FsqConfig((5, 5)))
    return Vae(rank, channels, config, bottleneck, stem, NO_ATTENTION)


def asked(loss, mirror, augmentation, resolution=FULL):
    """The section `vae` of a track."""
    return VaeParams(ARCHITECTURE, loss, mirror, augmentation, resolution, STAGE)


def spectrogram_loss(scale_weight=0.0, alignment=0.0, perceptual=0.0, structure=0.0):
    trained = TeacherTraining(width=2, **vars(replace(SCHEDULE, steps=1)))
    aligned = AlignmentConfig(alignment, 0.0, 0.0, "trained", trained, NO_FILE)
    equivariant = EquivarianceConfig(scale_weight, (0.5,))
    return SpectrogramLoss("spectrogram", 1.0, 0.5, structure, perceptual, 1e-4, CODEBOOK, equivariant, aligned)


def as_it_is(x):
    """A batch of spectrograms of which nothing is disturbed."""
    return fitting.SpectrogramBatch(x, x)


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    return artifacts.write_grids(tmp_path_factory.mktemp("data") / "grids.zarr")


def test_a_grid_that_the_autoencoder_cannot_divide_is_told_before_anything_is_trained(grids):
    config = VaeConfig((4, 4, 4, 4), (0, 0, 0, 0), 2, 2)
    bottleneck = bottlenecks.build("kl", 2, VqConfig(16), FsqConfig((5, 5)))
    vae = Vae(3, grids.channels, config, bottleneck, NO_STEM, NO_ATTENTION)
    with pytest.raises(
        InputError, match=r"^vae\.architecture\.size: expected a grid of multiples of 16 .* got \[8, 16, 8\]$"
    ):
        clouds.task(vae, grids, asked(OCCUPANCY, True, AS_IT_IS), CPU)


def test_without_mirror_a_batch_is_the_training_frames_as_they_are(grids):
    batch = fitting.load_targets(grids, mirror=False, seed=0, steps=10)(steps.whole([4, 1], 3))
    np.testing.assert_array_equal(batch.target, grids.target_batch([4, 1]))
    np.testing.assert_array_equal(batch.observed, grids.observed_batch([4, 1]))
    assert batch.given is batch.target
    assert batch.done == pytest.approx(0.3)


def test_with_mirror_a_frame_comes_as_it_is_or_with_left_and_right_swapped_and_with_its_mask(grids):
    load = fitting.load_targets(grids, mirror=True, seed=0, steps=10)
    mirrored = 0
    for step in range(30):
        batch = load(steps.whole(INDICES, step))
        for i in INDICES:
            unmirrored = torch.from_numpy(grids.target_batch([i])[0]), torch.from_numpy(grids.observed_batch([i])[0])
            flipped = tuple(a.flip(-2) for a in unmirrored)
            same = [all(map(torch.equal, (batch.target[i], batch.observed[i]), pair)) for pair in (unmirrored, flipped)]
            assert sum(same) == 1
            mirrored += same[1]
    assert 0.35 < mirrored / (30 * len(INDICES)) < 0.65


def test_a_step_is_the_same_batch_in_any_order_of_steps_and_another_step_another(grids):
    load = fitting.load_targets(grids, mirror=True, seed=0, steps=10)
    first, later = load(steps.whole(INDICES, 2)), load(steps.whole(INDICES, 3))
    again = fitting.load_targets(grids, mirror=True, seed=0, steps=10)(steps.whole(INDICES, 2))
    assert torch.equal(again.target, first.target)
    assert not torch.equal(later.target, first.target)


def test_the_objective_is_one_loss_per_frame_whose_regressions_come_in_over_the_first_half(grids):
    objective = fitting.objective(autoencoder(3, 5), grids.task.target, grids.occupied_share, OCCUPANCY, None, CPU)
    batch = fitting.load_targets(grids, mirror=False, seed=0, steps=10)(steps.whole(INDICES))

    def found(done):
        torch.manual_seed(0)
        return objective(replace(batch, done=done))

    assert found(0.0).shape == (7,)
    start, quarter, half, end = (found(done).mean().item() for done in (0.0, 0.25, 0.5, 1.0))
    assert quarter - start == pytest.approx((half - start) / 2, rel=1e-4)
    assert end == pytest.approx(half)
    assert half > start + 0.1


def test_what_a_trained_autoencoder_sees_counts_with_its_weight_and_teaches_the_decoder(grids, tmp_path):
    earlier, path = autoencoder(3, 5), tmp_path / "vae.safetensors"
    size = {"architecture.size": {"channels": [8, 8], "blocks": [1, 1], "latent_channels": 2, "patch": 2}}
    p = params.build(fitting.VaeParams, tracks.changed(tracks.VAE, {**size, "architecture.stem.channels": 8}), "vae")
    autoencoders.save(earlier, p, grids, {"grids": grids.header.identity}, path)
    vae, tasks, found = autoencoder(3, 5), [], []
    for weight in (0.7, 0.0):
        seen = tracks.changed(tracks.OCCUPANCY, {"perceptual": {"weight": weight, "vae": str(path)}})
        tasks.append(clouds.task(vae, grids, asked(params.build(LossWeights, seen, "x"), False, AS_IT_IS), CPU))
    for task in tasks:
        torch.manual_seed(0)
        found.append(task.loss(task.load(steps.whole(INDICES))))
    torch.manual_seed(0)
    target = torch.from_numpy(grids.target_batch(INDICES))
    said = perceptual.expected(vae.decode(vae.encode(target).sample()), grids.task.target)
    apart = perceptual.distance(perceptual.depths(earlier, said), perceptual.depths(earlier, target))
    torch.testing.assert_close(found[0] - found[1], 0.7 * apart, rtol=1e-3, atol=1e-4)
    (found[0] - found[1]).sum().backward()
    assert vae.head.weight.grad.abs().sum() > 0
    unlike = tracks.changed(tracks.OCCUPANCY, {"perceptual": {"weight": 1.0, "vae": str(path)}})
    other = artifacts.write_grids(tmp_path / "grids.zarr", task=RADAR_FROM_LIDAR)
    weights = params.build(LossWeights, {**unlike, "measured": dict.fromkeys(other.task.target[1:], 1.0)}, "loss")
    with pytest.raises(InputError, match=r"vae\.safetensors: expected an autoencoder of the task .*, got "):
        clouds.task(autoencoder(3, 4), other, asked(weights, False, AS_IT_IS), CPU)


def test_the_edges_of_spectrograms_count_with_their_weight(crops):
    vae, x = autoencoder(2, 1, "fsq"), torch.from_numpy(crops.target_batch([0, 1, 2]))
    with_term, without = (
        fitting.spectrogram_objective(vae, spectrogram_loss(structure=w), None, None, CPU)(as_it_is(x))
        for w in (0.6, 0.0)
    )
    decoded = vae.decode(vae.encode(x).mean)
    torch.testing.assert_close(with_term - without, 0.6 * gradient_error(decoded - x), rtol=1e-4, atol=1e-6)


def test_spectrograms_are_loaded_as_they_are(crops):
    load = fitting.load_spectrograms(crops)
    for step in range(5):
        frames = crops.frames("train")[[4, 1]]
        np.testing.assert_array_equal(load(steps.whole(frames, step)).clean, crops.target_batch(frames))


def test_without_further_terms_the_loss_of_spectrograms_is_reconstruction_and_penalty(crops):
    vae, x = autoencoder(2, 1, "fsq"), torch.from_numpy(crops.target_batch([0, 1, 2]))
    found = fitting.spectrogram_objective(vae, spectrogram_loss(), None, None, CPU)(as_it_is(x))
    torch.testing.assert_close(found, reconstruction(vae.decode(vae.encode(x).mean), x, 1.0, 0.5))


def test_the_equivariance_counts_with_its_weight(crops):
    vae, x = autoencoder(2, 1, "fsq"), torch.from_numpy(crops.target_batch([0, 1, 2]))
    with_term, without = (
        fitting.spectrogram_objective(vae, spectrogram_loss(w), None, None, CPU)(as_it_is(x)) for w in (0.5, 0.0)
    )
    expected = equivariance.equivariance_loss(vae.decode, vae.encode(x).mean, x, 4, 0.5)
    torch.testing.assert_close(with_term - without, 0.5 * expected)


def test_the_perceptual_term_counts_with_its_weight_and_teaches_the_decoder(crops):
    vae, x = autoencoder(2, 1, "fsq"), torch.from_numpy(crops.target_batch([0, 1, 2]))
    teacher = teachers.teacher(crops, spectrogram_loss().alignment, CPU)
    with_term, without = (
        fitting.spectrogram_objective(vae, spectrogram_loss(perceptual=w), teacher, None, CPU)(as_it_is(x))
        for w in (0.7, 0.0)
    )
    decoded = vae.decode(vae.encode(x).mean)
    torch.testing.assert_close(
        with_term - without, 0.7 * perceptual.distance(teacher.depths(decoded), teacher.depths(x))
    )
    (with_term - without).sum().backward()
    assert vae.head.weight.grad.abs().sum() > 0


def test_a_perceptual_weight_alone_is_enough_to_get_a_teacher(crops):
    found = []
    for weight in (0.0, 0.5):
        task = spectrograms.task(
            autoencoder(2, 1, "fsq"), crops, asked(spectrogram_loss(perceptual=weight), False, UNALTERED), CPU
        )
        found.append(task.loss(task.load(steps.whole(INDICES))))
    assert (found[1] > found[0]).all()


def test_the_alignment_weighs_in_the_encoder_what_its_weight_says_of_the_reconstruction(crops):
    """The gradients of both terms in the encoder's last weights are then as long as the weight tells."""
    vae, x = autoencoder(2, 1, "fsq"), torch.from_numpy(crops.target_batch(np.arange(8)))
    weights = spectrogram_loss(alignment=0.3)
    teacher = teachers.teacher(crops, weights.alignment, CPU)
    aligner, last = fitting.align(vae, crops, teacher, weights, 0, CPU), vae.encoder[-1].weight
    whole = fitting.spectrogram_objective(vae, weights, teacher, aligner, CPU)(as_it_is(x)).mean()
    alone = fitting.spectrogram_objective(vae, weights, teacher, None, CPU)(as_it_is(x)).mean()
    total, rest = (torch.autograd.grad(loss, last, retain_graph=True)[0] for loss in (whole, alone))
    assert ((total - rest).norm() / rest.norm()).item() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("variant", ["kl", "vq", "fsq"])
def test_every_variant_learns_spectrograms_with_all_terms(crops, variant):
    vae = autoencoder(2, 1, variant)
    task = spectrograms.task(vae, crops, asked(spectrogram_loss(0.2, 0.1, 0.5), False, UNALTERED), CPU)
    ema = Ema(vae, 0.9)
    losses = []
    for step, numbers in train("train_vae", task.module, task.load, task.loss, crops.frames("train"), SCHEDULE):
        ema.update(step)
        losses.append(numbers["loss"])
        terms = {name: value for name, value in numbers.items() if name.startswith("loss_")}
        assert sum(terms.values()) == pytest.approx(numbers["loss"], rel=1e-5)
    named = ("absolute", "similarity", "perceptual", "bottleneck", "equivariance", "alignment")
    assert list(terms) == [f"loss_{name}" for name in named]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])
    trained = vae.state_dict()
    for name in (n for n in trained if n.startswith("bottleneck")):
        assert torch.equal(ema.model.state_dict()[name], trained[name])
    if variant == "vq":
        assert bool(ema.model.bottleneck.started)
        assert vae.bottleneck.usage()["codebook_utilisation"] > 0.1


def test_the_same_seed_trains_the_same_spectrogram_autoencoder(crops):
    found = []
    for _ in range(2):
        vae = autoencoder(2, 1, "vq")
        task = spectrograms.task(vae, crops, asked(spectrogram_loss(0.2, 0.1, 0.5), False, UNALTERED), CPU)
        short = replace(SCHEDULE, steps=4)
        done = train("train_vae", task.module, task.load, task.loss, crops.frames("train"), short)
        found.append([value for _, value in done])
    assert found[0] == found[1]


def test_the_task_of_radar_sets_the_prior_of_its_head(grids):
    vae = autoencoder(3, 5)
    task = clouds.task(vae, grids, asked(OCCUPANCY, True, AS_IT_IS), CPU)
    decoded = vae.decode(torch.randn(1, 2, 2, 4, 2))[:, grids.task.target.index("occupancy")]
    assert decoded.sigmoid().mean().item() == pytest.approx(grids.occupied_share, rel=1e-4)
    assert task.module is vae
    assert task.loss(task.load(steps.whole(INDICES[:3]))).shape == (3,)


def test_the_loss_of_another_family_and_mirrored_spectrograms_are_refused(grids, crops):
    with pytest.raises(InputError, match=r"loss\.kind: expected occupancy, for grids of radar, got spectrogram"):
        clouds.task(autoencoder(3, 5), grids, asked(spectrogram_loss(), False, UNALTERED), CPU)
    with pytest.raises(InputError, match=r"loss\.kind: expected spectrogram, for grids of spectrograms, got occupancy"):
        spectrograms.task(autoencoder(2, 1), crops, asked(OCCUPANCY, False, UNALTERED), CPU)
    with pytest.raises(InputError, match=r"augmentation\.of: expected clouds, for grids of radar, got spectrograms"):
        clouds.task(autoencoder(3, 5), grids, asked(OCCUPANCY, False, UNALTERED), CPU)
    with pytest.raises(InputError, match=r"augmentation\.of: expected spectrograms, .*, got clouds"):
        spectrograms.task(autoencoder(2, 1), crops, asked(spectrogram_loss(), False, AS_IT_IS), CPU)
    with pytest.raises(InputError, match="mirror: expected false for spectrograms"):
        spectrograms.task(autoencoder(2, 1), crops, asked(spectrogram_loss(), True, UNALTERED), CPU)


@pytest.mark.parametrize("convolution", ["dense", "sparse"])
def test_an_autoencoder_learns_with_a_stem(grids, convolution):
    """In the second step: in the first, blocks that start at nothing hold back the gradients of what is within."""
    vae = autoencoder(3, grids.channels, stem=StemConfig(convolution, 4, 2))
    task = clouds.task(vae, grids, asked(OCCUPANCY, True, AS_IT_IS), CPU)
    short = replace(SCHEDULE, steps=2)
    for _ in train("train_vae", task.module, task.load, task.loss, grids.frames("train"), short):
        pass
    assert all(parameter.grad.isfinite().all() for parameter in vae.parameters())
    assert [name for name, parameter in vae.stem.named_parameters() if not parameter.grad.any()] == []
    assert len(list(vae.stem.parameters())) == 6


def test_an_autoencoder_of_clouds_learns_from_coarser_grids(grids):
    vae, resolution = autoencoder(3, grids.channels), Several("several", (0.5,))
    task = clouds.task(vae, grids, asked(OCCUPANCY, True, AS_IT_IS, resolution), CPU)
    batch = task.load(steps.whole(INDICES[:3]))
    assert batch.target.shape == (3, grids.channels, 4, 8, 4)
    assert batch.given is batch.target
    assert batch.observed.shape == (3, 4, 8, 4)
    assert (batch.observed >= batch.target[:, grids.task.target.index("occupancy")]).all()
    assert task.loss(batch).shape == (3,)


def test_an_autoencoder_of_spectrograms_learns_from_coarser_ones_with_all_terms(crops):
    vae, resolution = autoencoder(2, 1), Several("several", (0.5,))
    asked_for = asked(spectrogram_loss(0.2, 0.1, 0.5), False, UNALTERED, resolution)
    task = spectrograms.task(vae, crops, asked_for, CPU)
    batch = task.load(steps.whole(INDICES[:3]))
    assert batch.clean.shape[2:] == tuple(size // 2 for size in crops.shape)
    assert task.loss(batch).isfinite().all()
