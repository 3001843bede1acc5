"""Whatever is chosen together trains two steps, or is refused in one line before a recording is read."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import test_end_to_end
from echoes.commands import presets, stepping, trainings
from echoes.errors import InputError

CPU = torch.device("cpu")
DRAWN = 40  # of each family
KINDS = ("none", "full", "window", "axial", "height", "z", "y", "x", "linear", "sparse")
UNET = "ldm.architecture.unet"
GRIDS = {
    "radar": {"grid.z.size": 8, "grid.y.size": 16, "grid.x.size": 16},
    "microdoppler": {"grid.velocity.size": 16, "grid.time.size": 16},
}
SMALL = {"channels": [8, 16], "blocks": [1, 1], "latent_channels": 4, "patch": 2}
CHOICES: dict[str, list[Any]] = {
    "vae.architecture.variant": ["kl", "vq", "fsq", "identity"],
    "vae.architecture.size": [SMALL, {**SMALL, "patch": [1, 2, 2]}, {**SMALL, "channels": [8] * 5, "blocks": [0] * 5}],
    "vae.architecture.identity.patch": [[4, 4, 4], [2, 4], [4, 4], [3, 4, 4]],
    "vae.architecture.attention.kind": ["none", "full"],
    "vae.architecture.attention.heads": [1, 2, 3],
    "vae.architecture.stem.convolution": ["none", "dense", "sparse"],
    "vae.architecture.tiles": [{"cells": [], "overlap": 0}, {"cells": [8, 8, 8], "overlap": 4}],
    "vae.resolution": [{"kind": "full"}, {"kind": "several", "scales": [0.5]}],
    "vae.schedule.accumulate": [1, 2],
    "vae.schedule.gradient_checkpointing": [False, True],
    "vae.mirror": [False, True],
    "ldm.architecture.parameterization": ["edm", "flow", "ddpm"],
    "ldm.architecture.network": ["unet", "dit"],
    "ldm.architecture.dit.patch": [1, 2],
    "ldm.architecture.dit.attention": list(KINDS),
    "ldm.architecture.condition": [{"by": "none"}, {"by": "labels", "features": 8}],
    "ldm.architecture.condition.by": ["encoder", "vae", "labels"],
    "ldm.architecture.regression": [{"kind": "none"}],
    "ldm.loss.edm.weighting": ["karras", "snr", "snr+1", "truncated-snr", "uniform"],
    "ldm.schedule.precision": ["float32", "bfloat16", "float16"],
    "ldm.schedule.decay": [{"kind": "constant"}, {"kind": "linear", "floor": 0.0}, {"kind": "cosine", "floor": 0.1}],
    f"{UNET}.size.norm.kind": ["group", "layer", "instance", "rms", "adaptive"],
    f"{UNET}.size.convolution": ["dense", "depthwise"],
    f"{UNET}.strides": ["full", "xy_only", "z_half", "adaptive", [[1, 2, 2]]],
    f"{UNET}.heads": [1, 2, 3],
    f"{UNET}.window": [1, 2, 4],
}


@st.composite
def sections(draw: st.DrawFn, track: str) -> dict[str, Any]:
    """params.yaml with a few choices of a track other than they are shipped."""
    chosen = draw(st.lists(st.sampled_from(sorted(CHOICES)), min_size=1, max_size=8, unique=True))
    values = (
        GRIDS[track] | {"vae.architecture.size": SMALL} | {key: draw(st.sampled_from(CHOICES[key])) for key in chosen}
    )
    channels = draw(st.sampled_from([[8], [8, 16], [8, 16, 16]]))
    kinds = KINDS if track == "radar" else [kind for kind in KINDS if kind not in ("z", "height")]
    values[f"{UNET}.size.channels"] = channels
    values[f"{UNET}.size.attention"] = [draw(st.sampled_from(kinds)) for _ in channels]
    return presets.replaced(PARAMS[track], track, values)


PARAMS = {track: test_end_to_end.small_params(track) for track in GRIDS}


@pytest.mark.slow
@pytest.mark.parametrize("track", GRIDS)
def test_a_combination_trains_or_is_refused_in_one_line(track: str) -> None:
    outcomes: dict[str, list[str]] = {"trained": [], "refused": []}

    @settings(max_examples=DRAWN, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(sections(track))
    def check(numbers: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "params.yaml")
            path.write_text(yaml.safe_dump(numbers, sort_keys=False))
            try:
                wanted = trainings.load(track, path)
                made = trainings.stand_ins_of(wanted, {"user": 2, "activity": 2}, Path(folder))
                for stage in ("train_vae", "train_ldm"):
                    stepping.seconds(stage, wanted, made, CPU)
                outcomes["trained"].append("")
            except InputError as error:
                outcomes["refused"].append(str(error))

    check()
    assert not any("\n" in told for told in outcomes["refused"])
    assert min(map(len, outcomes.values())) > DRAWN // 10, outcomes
