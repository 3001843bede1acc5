"""The networks of one call in a file of another runtime say what they say here, in a batch of any size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.export import ExportedProgram

import artifacts
import tracks
from echoes.commands import export as command
from echoes.dataset import catalog
from echoes.errors import InputError
from echoes.exports import networks, portable
from echoes.exports.portable import Portable
from echoes.inference import Enhancer, SpectrogramGenerator
from echoes.rasters import scaling
from echoes.tasks import LIDAR_AND_RADAR, RADAR

CPU = torch.device("cpu")
IDS = ([3], [4, 5, 6])  # numbers of the samples of a batch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tracks of both families."""
    data = tmp_path_factory.mktemp("portable") / "data"
    tracks.radar(data / "encoder")
    tracks.radar(data / "vae", by="vae")
    grids = artifacts.write_grids(data / "sparse" / "grids.zarr")
    ldm = tracks.changed(tracks.LDM, {"architecture.condition.stem.convolution": "sparse"})
    tracks.built(data / "sparse", grids, tracks.VAE, ldm, tracks.CD, tracks.settled(grids))
    tracks.people(data / "people")
    return data


@pytest.fixture(scope="module")
def people(folder: Path) -> tuple[Portable, ExportedProgram]:
    made = portable.of_folder(folder / "people")
    return made, portable.exported(made)


def run_onnx(path: Path, made: Portable, given: list[Tensor]) -> list[Tensor]:
    """What the runtime says; skips the test where it is not installed."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(made.inputs)
    feed = {name: tensor.numpy() for name, tensor in zip(made.inputs, given, strict=True)}
    return [torch.from_numpy(found) for found in session.run(list(made.outputs), feed)]


def onnx() -> Any:
    """The package; skips the test where what writes its files is not installed."""
    pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")
    return pytest.importorskip("onnx", reason="the extra `onnx` is not installed")


def spectrograms(folder: Path, ids: list[int]) -> tuple[list[Tensor], Tensor]:
    """Labels and the noise of so many samples, and what the generator makes of them."""
    generator = SpectrogramGenerator.load(folder / "people", device=CPU)
    labels = torch.tensor([[generator.names["user"].index("3"), generator.names["activity"].index("walk")]] * len(ids))
    noise = generator.sampler.noise(ids, "generate-3-walk")
    return [labels, noise], torch.from_numpy(generator.spectrograms(("3", "walk"), max(ids) + 1)[ids])


def clouds(folder: Path, ids: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    """Cells of random frames and the noise of their numbers, and what the enhancer's networks say of them."""
    enhancer = Enhancer.load(folder, precision="float32", device=CPU)
    rng = np.random.default_rng(0)
    occupied = rng.random((len(ids), 1, *enhancer.grid.shape)) < 0.1
    cells = torch.from_numpy((rng.normal(size=(len(ids), 4, *enhancer.grid.shape)) * occupied).astype(np.float32))
    cells[:, :1] = torch.from_numpy(occupied.astype(np.float32))
    cond = cells
    if enhancer.models.through_vae:
        cond = enhancer.models.sampler.decoder.vae.encode(networks.recast(cells, RADAR, LIDAR_AND_RADAR)).mean
    told = enhancer.call(cells, cond, ids, 1, True)
    expected = [enhancer.fusion.probability(told.weighed), told.measured, told.latent]
    return [cells, enhancer.call.sampler.noise(ids, "sample")], expected


def assert_same(found: Any, expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_the_graph_of_torch_gives_of_a_batch_of_any_size_what_the_generator_gives(
    folder: Path, people: tuple[Portable, ExportedProgram]
) -> None:
    for ids in IDS:
        given, expected = spectrograms(folder, ids)
        torch.testing.assert_close(people[1].module()(*given), expected, rtol=1e-3, atol=1e-3)


def test_onnx_gives_of_a_batch_of_any_size_what_the_generator_gives_and_tells_its_opset(
    folder: Path, people: tuple[Portable, ExportedProgram], tmp_path: Path
) -> None:
    library = onnx()
    portable.write(*people, "onnx", tmp_path)
    for ids in IDS:
        given, expected = spectrograms(folder, ids)
        assert_same(run_onnx(tmp_path / "network.onnx", people[0], given), [expected])
    stored = library.load(tmp_path / "network.onnx")
    assert {prop.key: prop.value for prop in stored.metadata_props}["opset"] == str(portable.OPSET)
    assert {one.domain: one.version for one in stored.opset_import}[""] == portable.OPSET


def test_a_json_beside_the_file_tells_what_goes_in_and_comes_out(
    folder: Path, people: tuple[Portable, ExportedProgram], tmp_path: Path
) -> None:
    portable.write(*people, "torch", tmp_path)
    told: dict[str, Any] = json.loads((tmp_path / "network.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["network.json", told["file"]]
    assert told["inputs"]["labels"]["dtype"] == "int64"
    given, expected = spectrograms(folder, IDS[1])
    assert told["inputs"]["noise"]["shape"] == ["batch", *given[1].shape[1:]]
    found = torch.export.load(tmp_path / told["file"]).module()(*given)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("by", ["encoder", "vae", "sparse"])
def test_the_networks_of_clouds_say_what_the_enhancer_says(folder: Path, by: str) -> None:
    made = portable.of_folder(folder / by)
    given, expected = clouds(folder / by, IDS[1])
    with torch.no_grad():
        assert_same(made.networks(*given), expected)
    assert list(made.told["inputs"]["cells"]["channels"]) == list(RADAR)
    assert made.told["thresholds"]["keep"] == tracks.READOUT.keep
    json.dumps(made.told, allow_nan=False)


@pytest.mark.slow
def test_torch_and_onnx_say_of_clouds_in_a_batch_of_any_size_what_the_enhancer_says(
    folder: Path, tmp_path: Path
) -> None:
    onnx()
    made = portable.of_folder(folder / "encoder")
    program = portable.exported(made)
    portable.write(made, program, "onnx", tmp_path)
    for ids in IDS:
        given, expected = clouds(folder / "encoder", ids)
        assert_same(program.module()(*given), expected)
        assert_same(run_onnx(tmp_path / "network.onnx", made, given), expected)


def weights_of(model: Any) -> int:
    """Bytes of what is stored as numbers."""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["people", "encoder"])
def test_in_8_bits_the_networks_are_smaller_and_say_nearly_the_same_of_a_batch_of_any_size(
    folder: Path, tmp_path: Path, of: str
) -> None:
    library = onnx()
    from echoes.exports import quantized

    made = quantized.told(portable.of_folder(folder / of))
    portable.write(made, portable.exported(made), "onnx", tmp_path)
    path = tmp_path / "network.onnx"
    before = weights_of(library.load(path))
    different = quantized.quantize(path, made, catalog.read(folder / of / "grids.zarr"))
    assert tuple(different) == made.outputs
    assert all(0 < share < 0.4 for share in different.values()), different
    stored = library.load(path)
    assert weights_of(stored) < 0.5 * before
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in stored.graph.node}
    assert json.loads({one.key: one.value for one in stored.metadata_props}["echoes"])["precision"] == "int8"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["network.json", "network.onnx"]
    for ids in IDS:
        given = spectrograms(folder, ids)[0] if of == "people" else clouds(folder / of, ids)[0]
        assert all(len(one) == len(ids) for one in run_onnx(path, made, given))


def test_8_bits_of_a_graph_of_torch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--precision: expected float32 with --to torch, got int8, which"):
        command.portable("radar", "torch", "int8", tmp_path / "out", False)


def test_what_is_recast_on_a_whole_grid_is_what_is_recast_on_its_occupied_cells() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5, len(RADAR) - 1)).astype(np.float32)
    grid = torch.zeros(1, len(RADAR), 9)
    grid[0, 0, :5], grid[0, 1:, :5] = 1, torch.from_numpy(features.T)
    found = networks.recast(grid, RADAR, LIDAR_AND_RADAR)
    assert found.shape == (1, len(LIDAR_AND_RADAR), 9)
    np.testing.assert_array_equal(found[0, 1:, :5].T, scaling.recast(features, RADAR, LIDAR_AND_RADAR))
    assert found[0, 0].tolist() == [1.0] * 5 + [0.0] * 4
    assert not found[..., 5:].any()


def test_without_onnx_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^onnx: expected it .* `pip install 'echoes\[onnx\]'` brings it$"):
        command.portable("radar", "onnx", "float32", tmp_path / "out", False)
    assert not (tmp_path / "out").exists()
