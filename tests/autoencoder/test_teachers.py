"""The teacher learns the labels of the training crops, is frozen, and survives the disk."""

from dataclasses import asdict

import pytest
import torch

from echoes import params
from echoes.autoencoder import teachers
from echoes.autoencoder.loss_weights import AlignmentConfig, TeacherFile, TeacherTraining
from echoes.errors import InputError
from echoes.training.decay import Cosine

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


def test_a_teacher_from_a_file_is_the_one_that_was_saved(crops, teacher, tmp_path):
    path, x = tmp_path / "teacher.safetensors", torch.from_numpy(crops.target_batch([0, 1]))
    teachers.save(teacher, 1, (2, 3), TRAINING.width, path)
    config = AlignmentConfig(0.1, 0.0, 0.0, "file", TRAINING, TeacherFile(str(path)))
    assert torch.equal(teachers.teacher(crops, config, CPU).maps(x), teacher.maps(x))


def test_a_file_of_another_kind_or_with_other_channels_is_refused(crops, teacher, tmp_path):
    path = tmp_path / "teacher.safetensors"
    with pytest.raises(InputError, match=r"teacher.safetensors: no such file"):
        teachers.load(path, 1, CPU)
    teachers.save(teacher, 1, (2, 3), TRAINING.width, path)
    with pytest.raises(InputError, match=r"teacher.safetensors: expected a teacher of 3 channels, got 1"):
        teachers.load(path, 3, CPU)


def test_a_teacher_of_no_width_is_refused_by_its_key():
    with pytest.raises(InputError, match=r"^radar\.trained\.width: expected at least 1, got 0$"):
        params.build(TeacherTraining, {**asdict(TRAINING), "width": 0}, "radar.trained")
