"""The networks of an ONNX file in 8 bits, by what training frames give: products of weights and activations alone.

Weights have a scale for each channel that comes out, activations one by the least and the greatest that frames give
(static quantization, Jacob et al. 2018, Sec. 2.1 and 3), told in the file as pairs of QuantizeLinear and
DequantizeLinear. Norms, softmax and all between two products stay in single precision.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from echoes.dataset.frames import batches_of, evenly_spaced
from echoes.dataset.grids import Grids
from echoes.dataset.spectrograms import Spectrograms
from echoes.exports.portable import Portable
from echoes.models.sampler import noise_of

CALIBRATION, COMPARED = 64, 16  # frames of the training split, and of the validation split, evenly spread
BATCH = 8
SEED = 0  # of their noise
PRODUCTS = ["Conv", "Gemm", "MatMul"]


class _Batches(CalibrationDataReader):
    """Batches as the calibration asks for them."""

    def __init__(self, batches: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self._batches, None)


def told(portable: Portable) -> Portable:
    """The same networks, whose JSON tells what `quantize` makes of them."""
    numbers = {"precision": "int8", "calibrated_on": f"{CALIBRATION} training frames at most"}
    return replace(portable, told={**portable.told, **numbers})


def quantize(path: Path, portable: Portable, data: Grids | Spectrograms) -> dict[str, float]:
    """Put the networks in 8 bits in place of the ONNX file of `portable`; gives what they differ by.

    returns  output -> root mean square of the difference on validation frames, in parts of the output's deviation.
    """
    whole, prepared = (path.with_name(f"{name}.onnx") for name in ("float32", "prepared"))
    path.replace(whole)
    quant_pre_process(whole, prepared, skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        path,
        _Batches(batches(portable, data, "train", CALIBRATION)),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=PRODUCTS,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    made = onnx.load(path)
    onnx.helper.set_model_props(made, {one.key: one.value for one in onnx.load(whole).metadata_props})
    onnx.save(made, path)
    found = differences(whole, path, portable.outputs, batches(portable, data, "val", COMPARED))
    whole.unlink()
    prepared.unlink()
    return found


def batches(portable: Portable, data: Grids | Spectrograms, split: str, count: int) -> Iterator[dict[str, np.ndarray]]:
    """What the networks take of at most `count` frames of a split, and noise of their numbers."""
    shape = portable.example[-1].shape[1:]
    for frames in batches_of(evenly_spaced(data.frames(split), count), BATCH):
        given = data.labels(frames) if isinstance(data, Spectrograms) else data.input_batch(frames)
        noise = noise_of(frames.tolist(), shape, SEED, "calibrate").numpy()
        yield dict(zip(portable.inputs, (given, noise), strict=True))


def differences(
    whole: Path, other: Path, outputs: Sequence[str], given: Iterable[dict[str, np.ndarray]]
) -> dict[str, float]:
    """Output -> root mean square of what two files differ by in it, in parts of its deviation."""
    sessions = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in (whole, other)]
    runs = [[session.run(list(outputs), one) for session in sessions] for one in given]
    found = {}
    for i, name in enumerate(outputs):
        expected, made = (np.concatenate([both[side][i] for both in runs]) for side in (0, 1))
        found[name] = float(np.sqrt(np.square(made - expected).mean()) / expected.std())
    return found
