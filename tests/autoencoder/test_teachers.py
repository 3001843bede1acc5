"""The teacher learns the labels of the training crops, is frozen, and may be one of others."""

from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

import tracks
import vits
from echoes import files, params
from echoes.autoencoder import architecture, backbone, fitting, teachers
from echoes.autoencoder.fitting import VaeParams
from echoes.autoencoder.loss_weights import AlignmentConfig, TeacherFile, TeacherTraining
from echoes.errors import InputError
from echoes.models.microdoppler import autoencoding
from echoes.training.decay import Cosine
from echoes.training.loop import train

TRAINING = TeacherTraining(
    steps=80,
    batch=16,
    lr=1e-2,
    warmup=5,
    decay=Cosine("cosine", 0.0),
    weight_decay=0.0,
    clip=1.0,
    precision="float32",
    seed=0,
    width=8,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def teacher(crops):
    return teachers.fit(crops, TRAINING, CPU)


def test_the_teacher_knows_activity_and_user_of_crops_it_has_not_seen(crops, teacher):
    frames = crops.frames("test")
    logits = teacher(torch.from_numpy(crops.target_batch(frames)))
    labels = torch.from_numpy(crops.labels(frames))
    for kind, found in enumerate(logits):
        assert (found.argmax(1) == labels[:, kind]).float().mean() > 0.8


def test_the_teacher_is_frozen_and_gives_a_map_of_features(crops, teacher):
    assert not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())
    maps = teacher.maps(torch.from_numpy(crops.target_batch(crops.frames("train")[:3])))
    assert maps.shape[0] == 3
    assert maps.shape[2:] == (4, 4)


def config(path, **others):
    return params.build(TeacherFile, vits.FILE | {"path": str(path)} | others, "file")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A vision transformer, and beside it what a checkpoint of one may hold."""
    path = tmp_path_factory.mktemp("teacher") / "dino.safetensors"
    save_file(vits.tensors(), path)
    return path


def test_a_teacher_from_a_file_sees_spectrograms_as_grey_pictures_of_its_own_size(crops, path):
    x = torch.from_numpy(crops.target_batch([0, 1]))
    made = teachers.teacher(crops, AlignmentConfig(0.1, 0.0, 0.0, "file", TRAINING, config(path)), CPU)
    grey = F.interpolate((x.repeat(1, 3, 1, 1) + 1) / 2, (8, 10), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(vits.FILE[name])[:, None, None] for name in ("mean", "std"))
    torch.testing.assert_close(made.maps(x), made.vit((grey - mean) / std)[-1])
    assert made.maps(x).shape == (2, vits.WIDTH, 4, 5)
    assert [depth.shape for depth in made.depths(x)] == [(2, vits.WIDTH, 4, 5)] * 4
    assert torch.equal(made.depths(x)[-1], made.maps(x))
    assert not any(p.requires_grad for p in made.parameters())


def test_an_autoencoder_is_aligned_to_the_teacher_of_a_file_which_is_on_record(crops, path):
    values = {"loss.alignment.teacher": "file", "loss.alignment.weight": 0.1, "loss.perceptual": 0.5}
    section = tracks.changed(tracks.PEOPLE_VAE, values | {"loss.alignment.file.path": str(path)})
    p = params.build(VaeParams, section, "vae")
    task = autoencoding.task(architecture.build(p.architecture, 2, 1), crops, p, CPU)
    *_, last = train("train_vae", task.module, task.load, task.loss, crops.frames("train"), p.schedule)
    assert last[1]["loss_perceptual"] > 0
    assert last[1]["loss_alignment"] > 0
    assert fitting.origins(p) == {"teacher": files.digest(path)}
    assert fitting.origins(params.build(VaeParams, tracks.PEOPLE_VAE, "vae")) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("blocks.1.norm1.bias"), r"expected blocks\.1\.norm1\.bias to be \[12\], got none"),
        (lambda t: t.pop("cls_token"), r"expected cls_token of a vision transformer, got none"),
        (lambda t: t.update(fc=torch.zeros(1)), r"expected fc to be missing, got \[1\]"),
        (lambda t: t["norm.bias"].fill_(torch.inf), r"expected finite weights, got others in norm\.bias"),
    ],
)
def test_a_file_of_another_network_is_refused_by_the_first_tensor_that_differs(tmp_path, change, message):
    tensors = vits.tensors()
    change(tensors)
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=rf"a\.safetensors: {message}$"):
        backbone.load(config(tmp_path / "a.safetensors"), 1, CPU)


def test_what_is_no_file_or_no_picture_is_told_in_one_line(tmp_path, path):
    with pytest.raises(InputError, match=r"none: no such file; expected a vision transformer"):
        backbone.load(config(tmp_path / "none"), 1, CPU)
    (tmp_path / "a").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"a: expected a safetensors file, got"):
        backbone.load(config(tmp_path / "a"), 1, CPU)
    with pytest.raises(InputError, match=r"expected 1 or 3 channels for a teacher of pictures, got 2$"):
        backbone.load(config(path), 2, CPU)
    for others, message in (({"places": [0, 4]}, "places"), ({"std": [0, 1, 1]}, "std"), ({"heads": 0}, "heads")):
        with pytest.raises(InputError, match=rf"^file\.{message}: expected"):
            config(path, **others)


def test_a_teacher_of_no_width_is_refused_by_its_key():
    with pytest.raises(InputError, match=r"^radar\.trained\.width: expected at least 1, got 0$"):
        params.build(TeacherTraining, {**asdict(TRAINING), "width": 0}, "radar.trained")
