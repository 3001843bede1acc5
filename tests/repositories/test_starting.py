"""A track that starts from the models of another one depends on them as DVC sees it."""

import copy
import shutil
from pathlib import Path

import pytest
import yaml

from echoes import initial, weights
from repository import Repository

pytestmark = pytest.mark.slow


def test_a_track_is_trained_after_the_one_it_starts_from_and_again_when_that_changes(
    built: Repository, tmp_path: Path
) -> None:
    checkout = built.copy(tmp_path)
    path = checkout.root / "params.yaml"
    numbers = yaml.safe_load(path.read_text())
    numbers |= {"tracks": ["radar", "real"], "init_from": {"radar": "scratch", "real": "radar"}}
    path.write_text(yaml.safe_dump({**numbers, "real": copy.deepcopy(numbers["radar"])}, sort_keys=False))
    shutil.copytree(checkout.root / "data" / "raw" / "radar", checkout.root / "data" / "raw" / "real")

    needed = checkout.dvc("dag", "--dot", "train_vae@real")
    assert all(f'"{stage}"' in needed for stage in ("train_vae@radar", "train_ldm@radar", "initialize@real"))
    checkout.dvc("repro", "train_vae@real")
    data = checkout.root / "data"
    started = weights.header(data / "real" / "vae.safetensors", "vae")
    assert started.parents["init"] == initial.read(data / "real" / "init").identity
    assert started.parents["init"] != weights.header(data / "radar" / "vae.safetensors", "vae").parents["init"]

    checkout.change("vae.schedule", lr=1e-4)  # of the track that is started from
    said = checkout.dvc("repro", "train_vae@real")
    assert all(f"Running stage '{stage}'" in said for stage in ("train_ldm@radar", "initialize@real", "train_vae@real"))
    again = weights.header(data / "real" / "vae.safetensors", "vae")
    assert again.parents["init"] == initial.read(data / "real" / "init").identity != started.parents["init"]
