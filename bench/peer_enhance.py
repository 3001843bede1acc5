"""One frame enhanced, from its cells to calibrated cells: PyTorch, and ONNX Runtime on our own export."""

import logging
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor
from turns import Work, optional, table

from echoes import latentstore
from echoes.autoencoder import architecture
from echoes.commands import stand_ins, trainings
from echoes.compute.precision import autocast
from echoes.evaluation.bands import BANDS_M
from echoes.evaluation.gate import Band, Gate
from echoes.exports import portable
from echoes.exports.networks import EnhancingNetworks
from echoes.exports.portable import Portable
from echoes.models import denoisers, distilling
from echoes.models.radar.readout import Fusion, Placement, Readout, names
from echoes.models.sampler import Decoder

CPU = torch.device("cpu")
ROUNDS = 15
OUTPUTS = ("probability", "measured", "latent")


def untrained(track: str, folder: Path) -> Portable:
    """The path of a track of clouds in one call, with new weights and a gate that listens to all of its inputs."""
    p = trainings.load(track, Path("params.yaml"))
    made = trainings.stand_ins_of(p, stand_ins.LABELS, folder)
    vae = architecture.build(p.vae.architecture, made.data.rank, made.data.channels).eval()
    student = distilling.student_of(denoisers.build(made.latents.header, p.ldm.architecture), p.cd).eval()
    decoder = Decoder(vae, denoisers.whitening(made.latents.header))
    sampler = distilling.once(p.cd, decoder, latentstore.shape(made.latents.header))(student)
    inputs = names(True)
    gate = Gate(inputs, tuple(Band(name, (1.0,) * len(inputs), 0.0) for name in BANDS_M))
    readout = Readout(gate, 0.5, 0.5, 0.5, 0.5, 0.5, (True,) * len(BANDS_M), 0.0)
    fusion = Fusion(readout, Placement.of(made.data), CPU)
    networks = EnhancingNetworks(sampler, False, made.data.task, fusion).eval()
    cells = torch.zeros(portable.EXAMPLE, len(made.data.task.input), *made.data.shape)
    noise = torch.randn(portable.EXAMPLE, *sampler.latent_shape)
    return Portable(networks, (cells, noise), ("cells", "noise"), OUTPUTS, {"model": "untrained"})


def runtime(of: Portable, given: tuple[Tensor, ...], folder: Path) -> Work:
    import onnxruntime

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells that torchvision is missing
    path = folder / "network.onnx"
    portable.write_onnx(portable.exported(of), of, {}, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {name: tensor.numpy() for name, tensor in zip(of.inputs, given, strict=True)}
    with torch.no_grad():
        wanted = of.networks(*given)
    for found, tensor in zip(session.run(list(OUTPUTS), inputs), wanted, strict=True):
        torch.testing.assert_close(torch.from_numpy(found), tensor, rtol=1e-3, atol=1e-3)
    return Work("ONNX Runtime, our export", partial(session.run, list(OUTPUTS), inputs), "float32")


def main() -> None:
    torch.manual_seed(0)
    with TemporaryDirectory() as name:
        of = untrained("radar", Path(name))
        given = tuple(tensor[:1] for tensor in of.example)

        @torch.no_grad()
        def called(enabled: bool) -> None:
            with autocast(CPU, None if enabled else "float32"):
                of.networks(*given)

        works = [
            Work("PyTorch, as `echoes enhance` computes", partial(called, True), "bfloat16 where it is native"),
            Work("PyTorch", partial(called, False), "float32"),
            optional("ONNX Runtime, our export", partial(runtime, of, given, Path(name))),
        ]
        title = f"A frame of radar enhanced alone, {torch.get_num_threads()} threads"
        print(f"\n{table(title, works, ROUNDS)}", flush=True)
