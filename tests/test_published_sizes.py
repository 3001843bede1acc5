"""The tracks at their published size, through all stages for two steps each, on recordings in the layouts they read.

Grids, networks, losses and the order of the samples' noise levels are those of params.yaml; only counts are small.
"""

from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.readers import bag_recordings as bags
from tests.readers import test_images as pictures
from tests.readers import test_ros as bag_layout
from tests.readers import test_vod as vod_layout

import documented
import test_end_to_end
from echoes import latentstore, metrics, params, seeds
from echoes.readers import simulated
from echoes.readers.frames import Frame

pytestmark = pytest.mark.published

ROOT = Path(__file__).resolve().parents[1]
SEQUENCES, FRAMES = 3, 1
START_S, PERIOD_S = 1000.0, 0.1
TOPICS = bag_layout.RADAR, bag_layout.LIDAR
CLASSES, PICTURES = ("walk", "wave"), 16  # of each, of which the test looks at six in each half


def street() -> list[list[Frame]]:
    """Frames of the simulated street, sequence by sequence."""
    root = ROOT / "data" / "raw" / "radar"
    section = yaml.safe_load((ROOT / "params.yaml").read_text())["radar"]["source"]
    source = params.build(simulated.Source, {**section, "sequences": SEQUENCES, "frames": FRAMES}, "radar.source")
    found = [simulated.read(root, source, entry) for entry in simulated.index(root, source)]
    return [found[i : i + FRAMES] for i in range(0, len(found), FRAMES)]


def write_vod(root: Path) -> None:
    for i, frames in enumerate(street()):
        for k, frame in enumerate(frames):
            none = np.zeros(len(frame.radar))
            x, y, z, doppler, power = frame.radar.T
            rows = np.column_stack([x, y, z, power - 80, doppler, none, none])
            place = frame.pose @ np.linalg.inv(vod_layout.TO_CAMERA)
            vod_layout.write(root, f"{100 * i + k:05d}", place, (rows, frame.target))


def write_ntu4dradlm(root: Path) -> None:
    for i, frames in enumerate(street()):
        messages = []
        for k, frame in enumerate(frames):
            stamp_s = START_S + k * PERIOD_S
            doppler, power = frame.radar.T[3:].copy()
            channels = {"Doppler": doppler, "Power": power - 60}
            xyz = frame.target[:, :3] @ bag_layout.ROTATION.T + bag_layout.TRANSLATION
            messages.append((TOPICS[0], stamp_s, bags.cloud(stamp_s, frame.radar[:, :3], channels)))
            messages.append((TOPICS[1], stamp_s, bags.custom(stamp_s, xyz, 255 * frame.target[:, 3])))
        bags.write(root / f"{i}.bag", messages)
    bag_layout.write_extrinsics(root)


def write_images(root: Path) -> None:
    """A line that swings, as often as its class says, in colours of noise."""
    rows, columns = np.meshgrid(np.linspace(1, -1, 256), np.linspace(0, 1, 256), indexing="ij")
    for activity, swings in zip(CLASSES, (2, 5), strict=True):
        for i in range(PICTURES):
            draw = seeds.rng(0, activity, i)
            line = 0.5 * np.sin(2 * np.pi * (swings * columns + draw.uniform()))
            bright = np.exp(-(((rows - line) / 0.1) ** 2))[:, :, None] * [255, 160, 80]
            noisy = np.clip(bright + draw.uniform(0, 30, bright.shape), 0, 255).astype(np.uint8)
            pictures.save(root / activity / f"{i}.png", noisy)


WRITERS = {"vod": write_vod, "ntu4dradlm": write_ntu4dradlm, "images": write_images}
LATENTS = {"vod": (4, 8, 32, 32), "ntu4dradlm": (4, 8, 32, 32), "images": (32, 16, 16)}
METHODS = {
    "vod": test_end_to_end.CLOUDS,
    "ntu4dradlm": test_end_to_end.CLOUDS,
    "images": test_end_to_end.SPECTROGRAMS,
}


def short(track: str) -> dict:
    """The section of a track with fewer steps, samples and draws; every size is the published one."""
    everything = yaml.safe_load((ROOT / "params.yaml").read_text())
    section = everything[track]
    for stage in ("vae", "ldm", "cd"):
        section[stage]["schedule"] |= {"steps": 2, "batch": 2, "warmup": 1}
    section["latents"]["batch"] = 2
    section["sample"] |= {"frames": 1, "batch": 2}
    section["sample"]["sigmas"]["steps"] = 2
    section["evaluate"] |= {"resamples": 40, "panels": 1}
    if track == "images":
        section["split"]["test"] = 0.75
        section["sample"]["frames"] = 2 * PICTURES
        section["evaluate"]["judge"] |= {"steps": 2, "warmup": 1}
    runtime = {**everything["runtime"], "workers": {"processes": 1, "scheduler": ""}}
    return {
        "tracks": [track],
        "init_from": {track: "scratch"},
        "folds": [],
        "augment": [],
        "runtime": runtime,
        track: section,
    }


@pytest.mark.parametrize("track", WRITERS)
def test_a_track_goes_through_all_stages_at_its_published_size(
    track: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[track](tmp_path / "data" / "raw" / track)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(short(track)))
    monkeypatch.chdir(tmp_path)
    for stage in ("select_code", "initialize", *test_end_to_end.STAGES):
        test_end_to_end.run(stage, track)
    data = Path("data", track)
    latents = latentstore.of_track(data, "")
    assert latentstore.shape(latents.header) == LATENTS[track]
    report = metrics.read(Path("metrics", track, "evaluate.json"))
    assert set(METHODS[track]) <= set(report)
    assert documented.unexplained(report) == []
