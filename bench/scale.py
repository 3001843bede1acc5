"""What the stages take of more and more frames: seconds, memory and disk, how they grow, and what a million would take.

python bench/scale.py TRACK STEPS FRAMES [FRAMES ...]

TRACK is a simulated one, `radar` or `microdoppler`, STEPS those of each training. Each number of frames is a project of
its own in .dvc/tmp/scale/TRACK, on a simulation made as cheap as it gets; nothing of the track changes. What was
measured stands in scale.json there, stage by stage, so that the same command goes on where it was stopped. After an
edit of the code remove the folder.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import machine
import numpy as np
import yaml

from echoes import files, metrics, params

PLACE = Path(".dvc", "tmp", "scale")
TRAININGS = {"train_vae": "vae", "train_ldm": "ldm", "distill_cd": "cd"}
BEFORE = ("initialize", "select_code")  # to which the number of frames does not matter
STAGES = ("voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd", "sample", "evaluate")
SAMPLED = {"simulated": 96, "simulated_people": 310}  # most frames that are sampled, whatever the number of frames
# What makes a simulated street cheaper and leaves its frames about as full: a shorter road, a coarser LiDAR.
CHEAP = {"road": {"length_m": 100.0}, "lidar": {"azimuth_resolution_deg": 0.4}}
SCENARIOS = {"simulated": "street.yaml", "simulated_people": "people.yaml"}
ACTIVITIES = 5  # of each person in people.yaml; the drone has one
PLANNED = 1_000_000
STEEPER = 1.1  # exponent from which on seconds are not taken for a straight line

Row = dict[str, Any]


def main(track: str, steps: str, *counts: str) -> None:
    root = PLACE / track
    root.mkdir(parents=True, exist_ok=True)
    told, numbers = machine.tell(), params.document(Path("params.yaml"))
    for frames in sorted(map(int, counts)):
        folder, wanted = root / str(frames), changed(numbers, track, int(steps), frames)
        if not _is_of(folder, wanted):
            _keep(root, [row for row in rows(root) if row["frames"] != frames], told)
            write(folder, wanted, track)
        done = {row["stage"] for row in rows(root) if row["frames"] == frames}
        for stage in (name for name in (*BEFORE, *STAGES) if name not in done):
            row = {"frames": frames, "steps": int(steps), **measured(folder, track, stage)}
            _keep(root, [*rows(root), row], told)
            print(f"{frames:>9} {stage:16} {row['seconds']:9.1f} s {row['peak_memory_mb']:9.0f} MB", flush=True)
    text = table([row for row in rows(root) if row["frames"] in set(map(int, counts))])
    (root / "scale.md").write_text(f"{machine.line(told)}\n\n{text}\n")
    print(f"\n{text}")


def changed(numbers: Mapping[str, Any], track: str, steps: int, frames: int) -> dict[str, Any]:
    """params.yaml with `frames` frames of the track, trained for so many steps."""
    made: dict[str, Any] = {**copy.deepcopy(dict(numbers)), "tracks": [track], "folds": [], "augment": []}
    section = made[track]
    source = section["source"]
    if source["reader"] not in SCENARIOS:
        raise SystemExit(f"scale: expected a track whose reader is one of {', '.join(SCENARIOS)}, got {track}")
    if source["reader"] == "simulated":
        source["sequences"] = ceil(frames / source["frames"])
    else:
        people = yaml.safe_load(_scenario(track, source["reader"]).read_text())
        source["recordings"] = ceil(frames / (ACTIVITIES * len(people["users"]) + 1))
    for name in TRAININGS.values():
        section[name]["schedule"] |= {"steps": steps, "warmup": min(5, steps // 2)}
    section["sample"]["frames"] = min(SAMPLED[source["reader"]], frames)
    made["init_from"][track] = "scratch"
    made["runtime"] |= {"previews": 0, "checkpoint": {"steps": 0, "minutes": 0.0}, "trackers": []}
    return made


def _scenario(track: str, reader: str) -> Path:
    return Path("data", "raw", track, SCENARIOS[reader])


def _is_of(folder: Path, numbers: Mapping[str, Any]) -> bool:
    path = folder / "params.yaml"
    return path.is_file() and yaml.safe_load(path.read_text()) == numbers


def write(folder: Path, numbers: Mapping[str, Any], track: str) -> None:
    """A project in which the stages of the track run: its code is that of the project around it."""
    shutil.rmtree(folder, ignore_errors=True)
    scenario = _scenario(track, numbers[track]["source"]["reader"])
    (folder / scenario.parent).mkdir(parents=True)
    for name in ("src", "stages", "dvc.yaml", "data/scratch"):
        (folder / name).symlink_to(Path(name).resolve())
    street = yaml.safe_load(scenario.read_text())
    for part, values in CHEAP.items():
        if part in street:
            street[part] |= values
    (folder / scenario).write_text(yaml.safe_dump(street, sort_keys=False))
    # The last, because a folder that has it is ready.
    (folder / "params.yaml").write_text(yaml.safe_dump(dict(numbers), sort_keys=False))


def measured(folder: Path, track: str, stage: str) -> Row:
    """What a stage takes, as it tells itself, and the bytes of all artifacts of the track after it."""
    command = [sys.executable, f"stages/{stage}.py", track]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "src"})
    if done.returncode:
        raise SystemExit(f"{folder}: {stage} ended with status {done.returncode}\n{done.stderr[-2000:]}")
    data = folder / "data" / track
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    return {"stage": stage, **metrics.read(folder / "logs" / track / f"{stage}.json"), "disk_mb": size / 1e6}


def rows(root: Path) -> list[Row]:
    """What was measured so far."""
    path = root / "scale.json"
    return list(metrics.read(path)["rows"]) if path.is_file() else []


def _keep(root: Path, found: Sequence[Row], told: Mapping[str, Any]) -> None:
    growths = {stage: growth([row for row in found if row["stage"] == stage]) for stage in STAGES}
    whole = {"machine": told, "rows": list(found), "growth": {name: each for name, each in growths.items() if each}}
    with files.replacing(root / "scale.json") as temporary:
        temporary.write_text(json.dumps(whole, indent=2) + "\n")


def growth(found: Sequence[Row]) -> dict[str, float]:
    """How a stage grows over at least two numbers of frames; empty for fewer.

    exponent          of seconds ~ frames^exponent, by least squares of their logarithms.
    seconds_per_1000  and start_s: of a straight line through the seconds; mb_per_1000 and start_mb: of the memory,
                      disk_mb_per_1000: of the artifacts.
    planned_s, planned_mb, planned_disk_mb  of PLANNED frames by these lines; seconds from the largest number of frames
                      by the exponent, where that is above STEEPER.
    """
    if len({row["frames"] for row in found}) < 2:
        return {}
    ordered = sorted(found, key=lambda row: row["frames"])
    keys = ("frames", "seconds", "peak_memory_mb", "disk_mb")
    frames, seconds, memory, disk = (np.array([row[key] for row in ordered], dtype=float) for key in keys)
    exponent = np.polyfit(np.log(frames), np.log(seconds), 1)[0]
    lines = [np.polyfit(frames, values, 1) for values in (seconds, memory, disk)]
    planned_s, planned_mb, planned_disk = (
        max(values[-1], np.polyval(of, PLANNED)) for of, values in zip(lines, (seconds, memory, disk), strict=True)
    )
    if exponent > STEEPER:
        planned_s = seconds[-1] * (PLANNED / frames[-1]) ** exponent
    (per_frame_s, start_s), (per_frame_mb, start_mb), (per_frame_disk, _) = lines
    named = {
        "exponent": exponent, "seconds_per_1000": 1000 * per_frame_s, "start_s": start_s,
        "mb_per_1000": 1000 * per_frame_mb, "start_mb": start_mb, "disk_mb_per_1000": 1000 * per_frame_disk,
        "planned_s": planned_s, "planned_mb": planned_mb, "planned_disk_mb": planned_disk,
    }  # fmt: skip
    return {name: float(value) for name, value in named.items()}


def table(found: Sequence[Row]) -> str:
    """Markdown: a row for each stage, seconds and MB for each number of frames, how they grow, and the plan."""
    counts = sorted({row["frames"] for row in found})
    at = {(row["stage"], row["frames"]): row for row in found}
    head = ["stage", *(f"{count}: s, MB" for count in counts), "s / 1000 frames", "exponent", "MB / 1000", "1M: h, GB"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for stage in STAGES:
        of = [at.get((stage, count)) for count in counts]
        cells = [f"{row['seconds']:.1f}, {row['peak_memory_mb']:.0f}" if row else "" for row in of]
        grown = growth([row for row in of if row])
        if grown:
            cells += [f"{grown[key]:.3g}" for key in ("seconds_per_1000", "exponent", "mb_per_1000")]
            cells.append(f"{grown['planned_s'] / 3600:.3g}, {grown['planned_mb'] / 1000:.3g}")
        lines.append(f"| {' | '.join([stage, *cells, *[''] * (len(head) - 1 - len(cells))])} |")
    last = growth([row for row in found if row["stage"] == STAGES[-1]])
    if last:
        disk = f"{last['disk_mb_per_1000']:.3g} MB / 1000 frames; of {PLANNED}: {last['planned_disk_mb'] / 1000:.3g} GB"
        lines += ["", f"Artifacts on the disk: {disk}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
