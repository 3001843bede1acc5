"""Command info: what a report of a defect needs to tell of a machine. No paths, no names of people or machines."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from echoes.compute.device import best_device
from echoes.compute.precision import native

PACKAGES = ("echoes", "torch", "numpy", "numba", "zarr", "safetensors", "dvc", "scipy", "h5py", "rosbags")
EXTRAS = (
    *("diffusers", "onnx", "onnxruntime", "onnxscript", "distributed"),
    *("tensorboard", "wandb", "mlflow", "rerun-sdk", "torch-fidelity"),
)
VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES")


def info() -> str:
    """A line for each thing: versions, devices, precision, threads, memory."""
    rows = {
        "python": f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}",
        **{name: installed(name) for name in PACKAGES},
        "extras": ", ".join(f"{name} {installed(name)}" for name in EXTRAS if installed(name) != "none") or "none",
        "devices": "; ".join(devices()),
        "precision auto": str(native(best_device())).removeprefix("torch."),
        "threads": f"{torch.get_num_threads()} of torch",
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} usable",
        "variables": ", ".join(f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ) or "none",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name.ljust(width)}  {told}" for name, told in rows.items())


def installed(package: str) -> str:
    """The version of a package, `none` where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def devices() -> list[str]:
    """The processor, and each GPU with its memory and the versions that it is driven by."""
    capability = torch.backends.cpu.get_cpu_capability()
    found = [f"cpu {capability}"]
    for index in range(torch.cuda.device_count()):
        of = torch.cuda.get_device_properties(index)
        found.append(f"{of.name} {of.total_memory / 1e9:.0f} GB, sm_{of.major}{of.minor}, CUDA {torch.version.cuda}")
    return found
