"""The memory of a step before it is made, against steps that are made, and how a batch fits a card."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import tracks
from echoes import params
from echoes.autoencoder.fitting import VaeParams
from echoes.commands import estimate, stand_ins, stepping, trainings
from echoes.commands.stepping import Memory
from echoes.commands.trainings import STAGES, Sections
from echoes.errors import InputError
from echoes.models.distilling import CdParams
from echoes.models.objectives import LdmParams
from echoes.voxelization.sections import Layout

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = params.document(ROOT / "params.yaml")
CPU = torch.device("cpu")
BATCH = 8
CLOUDS = {"vae": tracks.VAE, "ldm": tracks.LDM, "cd": tracks.CD}
PEOPLE = {"vae": tracks.PEOPLE_VAE, "ldm": tracks.PEOPLE_LDM, "cd": tracks.PEOPLE_CD}
KINDS = {"vae": VaeParams, "ldm": LdmParams, "cd": CdParams}


def sections(track: str, trained: dict, grid: dict) -> Sections:
    """Small networks on the grid of a track that has another size."""
    layout = params.build(Layout, {**DOCUMENT[track]["grid"], **grid}, "grid")
    made = {name: params.build(kind, trained[name], name) for name, kind in KINDS.items()}
    found = Sections(SimpleNamespace(**DOCUMENT[track]["source"]), layout, **made)
    for stage in STAGES:
        found = found.with_schedule(stage, batch=BATCH)
    return found


@pytest.fixture(scope="module")
def clouds(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    axes = {"z": (-4.0, 4.0, 8), "y": (-8.0, 8.0, 16), "x": (0.0, 16.0, 16)}
    grid = {name: dict(zip(("start", "stop", "size"), axis, strict=True)) for name, axis in axes.items()}
    p = sections("radar", CLOUDS, grid)
    return SimpleNamespace(p=p, made=trainings.stand_ins_of(p, {}, tmp_path_factory.mktemp("clouds")))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    grid = {
        "velocity": {"start": -4.0, "stop": 4.0, "size": 16},
        "time": {"start": 0.0, "stop": 2.56, "size": 16},
    }
    weighed = {**tracks.SPECTROGRAM, "perceptual": 1.0, "equivariance": {"weight": 0.1, "scales": [0.5, 0.75]}}
    trained = {**PEOPLE, "vae": {**tracks.PEOPLE_VAE, "loss": weighed}}
    p = sections("microdoppler", trained, grid)
    labels = {"user": 3, "activity": 2}
    return SimpleNamespace(p=p, made=trainings.stand_ins_of(p, labels, tmp_path_factory.mktemp("people")))


@pytest.mark.parametrize("family", ["clouds", "people"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_step_without_numbers_takes_what_one_with_numbers_does(family, stage, request):
    track = request.getfixturevalue(family)
    fake = stepping.memory(stage, track.p, track.made, CPU)
    of = trainings.training(stage, track.p, track.made, nullcontext, CPU)
    real = stepping.counted(stage, of, track.made.data.frames("train"), CPU)
    assert fake.kept == real.kept
    assert fake.peak == pytest.approx(real.peak, rel=0.1)


def test_between_steps_there_are_weights_an_average_two_moments_and_the_autoencoder(clouds):
    found = estimate.parameters(clouds.p, clouds.made)
    vae = found.pop("autoencoder")
    held = 4 * 4 * sum(found.values()) + 4 * vae  # float32; the gradients are gone
    kept = stepping.memory("train_ldm", clouds.p, clouds.made, CPU).kept
    assert held <= kept <= 1.02 * held + 4096  # buffers and counts of steps


@pytest.fixture(scope="module")
def vae_steps(clouds: SimpleNamespace) -> dict[str, Memory]:
    """Of the autoencoder's batch: whole, in two parts, and with activations computed anew."""
    changes = {"whole": {}, "halves": {"accumulate": 2}, "anew": {"gradient_checkpointing": True}}
    return {
        name: stepping.memory("train_vae", clouds.p.with_schedule("train_vae", **values), clouds.made, CPU)
        for name, values in changes.items()
    }


def test_parts_and_recomputation_take_less(vae_steps):
    assert vae_steps["halves"].peak < vae_steps["whole"].peak
    assert vae_steps["anew"].peak < vae_steps["whole"].peak
    assert len({step.kept for step in vae_steps.values()}) == 1


def test_the_largest_parts_are_found_that_fit(clouds, vae_steps):
    whole, halves = vae_steps["whole"], vae_steps["halves"]

    def fitted(limit: float) -> estimate.Fit | None:
        return estimate.fitting("train_vae", clouds.p, clouds.made, CPU, whole, limit / estimate.USABLE)

    assert fitted(halves.peak + 1) == estimate.Fit(BATCH, 2, False, halves)
    assert fitted(whole.peak + 1) == estimate.Fit(BATCH, 1, False, whole)
    assert fitted(whole.kept - 1) is None


def test_a_memory_is_a_number_with_its_unit():
    assert estimate.bytes_of("24GB") == 24e9
    assert estimate.bytes_of("800 MB") == 800e6
    for wrong in ("24", "GB", "0GB", "24 GiB", "-1GB"):
        with pytest.raises(InputError, match="--memory: expected a number and GB or MB"):
            estimate.bytes_of(wrong)


def test_a_frame_of_clouds_stands_in_with_occupied_cells(clouds):
    target = clouds.made.data.target_batch(clouds.made.data.frames("train"))
    assert target.shape == (1, clouds.made.data.channels, 8, 16, 16)
    assert target[:, 0].mean() == pytest.approx(stand_ins.OCCUPIED, rel=0.05)


MEASURE = """
import sys, tempfile
from pathlib import Path
import torch
from echoes.commands import stand_ins, stepping, trainings

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024

stage, cpu, p = sys.argv[1], torch.device("cpu"), trainings.load("radar", Path("params.yaml"))
with tempfile.TemporaryDirectory() as folder:
    made = trainings.stand_ins_of(p, stand_ins.LABELS, Path(folder))
    expected = stepping.memory(stage, p, made, cpu).peak
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    stepping.seconds(stage, p, made, cpu)
    print(expected, status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_the_process_grows_by_what_was_estimated(stage):
    """With an allocator that gives back what is freed: that of the C library keeps up to two fifths more."""
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", MEASURE, stage]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    expected, grown = map(int, done.stdout.split())
    assert expected == pytest.approx(grown, rel=0.15)
