"""A real stage in two processes, as `runtime.processes` asks for them, leaves the weights of one process."""

from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from repository import TRACK, Repository


def weights(checkout: Repository, **runtime: Any) -> dict[str, torch.Tensor]:
    """Those of train_ldm under changes of the section `runtime`."""
    path = checkout.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["runtime"] |= runtime
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    checkout.run("env", "PYTHONPATH=src", "python", "stages/train_ldm.py", TRACK)
    return load_file(checkout.root / "data" / TRACK / "ldm.safetensors")


@pytest.mark.parametrize("sharding", ["none", pytest.param("full", marks=pytest.mark.slow)])
def test_two_processes_leave_the_weights_of_one(checkout: Repository, sharding: str) -> None:
    checkout.change("ldm.schedule", steps=20, batch=5, precision="float32")  # 5: the shares are not equal
    alone = weights(checkout)
    together = weights(checkout, processes=2, sharding=sharding)
    assert any(not torch.equal(together[name], tensor) for name, tensor in alone.items()), "really two processes"
    for name, tensor in alone.items():
        # The gradient of the regression is smaller, so that AdamW makes more of its rounding.
        atol = 5e-5 if name.startswith("regression.") else 1e-5
        torch.testing.assert_close(together[name], tensor, rtol=0, atol=atol, msg=lambda m, name=name: f"{name}: {m}")
    assert alone.keys() == together.keys()
