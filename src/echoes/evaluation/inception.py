"""Frechet and kernel distance of pictures in the features of Inception, the ones that pictures are published with.

That network knows photographs. Its numbers are those of other papers in name only, as both depend on how many pictures
are compared: read them beside the row `real`.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from echoes.errors import InputError
from echoes.evaluation.distributions import frechet, kid

PACKAGE = "torch_fidelity"  # the network of TensorFlow's weights, of the extra `inception`
LAYER = "2048"  # the last pooling, which both distances are defined on (Heusel et al. 2017; Binkowski et al. 2018)
COLOURS = 3
BATCH = 32


def load(path: Path, device: torch.device) -> nn.Module:
    """The frozen network (N, 3, H, W) uint8 -> (N, 2048) with the weights of a file, which torch-fidelity publishes.

    Raises InputError where the package is not there, and for a file that holds anything but tensors.
    """
    if find_spec(PACKAGE) is None:
        raise InputError("evaluate.inception: needs another package; run `pip install -e '.[inception]'`")
    from torchmetrics.image.fid import NoTrainInceptionV3  # here, because it is an extra

    _require_tensors(path)
    try:
        return NoTrainInceptionV3("inception-v3-compat", [LAYER], str(path)).to(device)
    except RuntimeError as error:
        told = "expected the weights of torch-fidelity's Inception"
        raise InputError(f"evaluate.inception: {told}, got {path}: {str(error).splitlines()[0]}") from error


def features(network: nn.Module, spectrograms: np.ndarray, device: torch.device) -> np.ndarray:
    """(N, 2048) float32 of (N, C, F, T) spectrograms in network range."""
    parts = torch.from_numpy(pictures(spectrograms)).split(BATCH)
    with torch.no_grad():
        found: list[Tensor] = [network(part.to(device)) for part in parts]
    return torch.cat(found).float().cpu().numpy()


def pictures(spectrograms: np.ndarray) -> np.ndarray:
    """(N, C, F, T) in network range -> (N, 3, F, T) uint8, the first row of the highest velocity; one channel is grey.

    As the data set of `echoes generate` has them.
    """
    levels = np.rint((spectrograms.clip(-1, 1) + 1) / 2 * 255).astype(np.uint8)[:, :, ::-1]
    return np.ascontiguousarray(np.broadcast_to(levels, (len(levels), COLOURS, *levels.shape[2:])))


def distances(compared: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """FID and KID of two sets of features, of all samples at once."""
    return {"inception_frechet": frechet(compared, reference), "inception_kid": kid(compared, reference)}


def _require_tensors(path: Path) -> None:
    """The package unpickles whatever a file holds; what torch reads as weights alone runs no code."""
    try:
        told = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of files that are none torch raises what it likes
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"evaluate.inception: expected a file of tensors by torch.save, got {path}: {what}") from error
    if not isinstance(told, dict) or not all(isinstance(tensor, Tensor) for tensor in told.values()):
        raise InputError(f"evaluate.inception: expected tensors by name, got {path}: {type(told).__name__}")
