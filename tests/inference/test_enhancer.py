"""A trained track as a function of one cloud: what the pipeline and the command make of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from echoes import latentstore
from echoes.cli import app
from echoes.compute.tiles import Tiles
from echoes.dataset.grids import Grids
from echoes.errors import InputError
from echoes.inference import Enhancer, columns
from echoes.models import autoencoders, denoisers, sampler, students
from echoes.models.extraction import Extraction
from echoes.models.radar.clouds import POINT_COLUMNS, from_decoded
from echoes.models.sampler import UNGUIDED, Decoder, Sampler
from echoes.readers import ego_motion, simulated

CPU = torch.device("cpu")
STREET = "data/raw/radar"
OUTSIDE = np.float32([[70, 0, 1, -2, 55]])


def enhancer_of(project: Path, **options) -> Enhancer:
    return Enhancer.load(project / "data" / "radar", device=CPU, **options)


def points_of(grids: Grids) -> np.ndarray:
    """The returns of the one frame that is in every place, inside the grid."""
    return grids.points("input", 3)


@pytest.mark.parametrize(
    ("readout", "samples"), [("fused", 1), ("decide", 1), ("sample", 1), ("draw", 1), ("blend", 1), ("fused", 2)]
)
def test_the_cloud_of_points_is_the_one_that_the_command_writes(
    train: Callable[..., Grids], project: Path, source: simulated.Source, readout: str, samples: int
) -> None:
    train("encoder")
    options = ("--format", "npy", "--readout", readout, "--samples", str(samples))
    result = CliRunner().invoke(app, ["enhance", "--track", "radar", STREET, "out", *options])
    assert result.exit_code == 0, result.output
    enhancer = enhancer_of(project, readout=readout, samples=samples)
    for i, entry in list(enumerate(simulated.index(project / STREET, source)))[:2]:
        frame = simulated.read(project / STREET, source, entry)
        points = ego_motion.compensate(frame.radar, frame.ego_velocity, source.doppler.span_mps)
        cloud = enhancer(points, i)
        assert cloud.dtype.names == (*POINT_COLUMNS, "spread")[: 5 + samples]
        written = np.load(project / "out" / f"street-000_{i:06d}.npy")
        np.testing.assert_allclose(columns.rows(cloud), written, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2])
def test_one_and_two_steps_are_those_of_the_consistency_model(
    train: Callable[..., Grids], project: Path, steps: int
) -> None:
    train("encoder")
    assert sampler.calls(enhancer_of(project, steps=steps).call.sampler, torch.zeros(2, 4, 4, 16, 16)) == steps


@pytest.mark.parametrize("condition", ["encoder", "vae"])
def test_a_frame_of_the_grids_gives_the_cloud_that_the_pipeline_makes_of_it(
    train: Callable[..., Grids], project: Path, condition: str
) -> None:
    grids = train(condition)
    data, frames = project / "data" / "radar", np.array([0, 1])
    vae, header = autoencoders.load(data / "vae.safetensors", CPU)
    model, of, cd = students.load_cd(data / "cd.safetensors", CPU)
    rows = next(Extraction(vae, grids, header).batches(2))
    cond = torch.from_numpy(rows["cond"] if condition == "vae" else grids.input_batch(frames))
    decoder, steps = Decoder(vae, denoisers.whitening(cd)), students.steps(of.sigmas, [])
    once = Sampler(model, steps, UNGUIDED, decoder, latentstore.shape(cd), of.seed)
    expected = from_decoded(once(cond, [0, 1]), cd.content["threshold"], grids)
    found = enhancer_of(project, readout="sample").clouds([points_of(grids)] * 2, [0, 1])
    for cloud, pipeline in zip(map(columns.rows, found), expected, strict=True):
        np.testing.assert_allclose(cloud[:, :3], grids.grid.centres(pipeline.indices), atol=1e-5)
        np.testing.assert_allclose(cloud[:, [5, 4, 3]], pipeline.features[:, [0, 2, 3]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("readout", ["fused", "decide", "overlap", "count", "blend", "sample", "draw"])
def test_the_cloud_depends_on_the_radar(train: Callable[..., Grids], project: Path, readout: str) -> None:
    points = points_of(train("encoder"))
    one, other = map(columns.rows, enhancer_of(project, readout=readout).clouds([points, points[:5]], [0, 0]))
    assert one.shape != other.shape or not np.allclose(one, other)


def test_a_frame_alone_gives_the_cloud_it_gives_beside_others(train: Callable[..., Grids], project: Path) -> None:
    points, enhancer = points_of(train("encoder")), enhancer_of(project)
    first, second = map(columns.rows, enhancer.clouds([points, points], [7, 8]))
    np.testing.assert_allclose(columns.rows(enhancer(points, 8)), second, rtol=1e-5, atol=1e-5)
    assert first.shape != second.shape or not np.allclose(first, second)  # the noise is that of the frame's number


def test_the_spread_over_samples_is_a_field_of_its_own(train: Callable[..., Grids], project: Path) -> None:
    grids = train("encoder")
    points, one, several = points_of(grids), enhancer_of(project), enhancer_of(project, samples=3)
    assert one.columns == POINT_COLUMNS
    assert several.columns == (*POINT_COLUMNS, "spread")
    cloud, _ = several.clouds([np.concatenate([points, OUTSIDE]), points], [0, 1])
    inside = grids.grid.cells(columns.rows(cloud))[1]
    assert columns.rows(cloud[~inside]).tolist() == [[70, 0, 1, 55, -2, pytest.approx(0.3), 0]]
    assert (cloud["spread"][inside] > 0.01).any()
    assert (cloud["spread"] <= 0.6).all()  # the most that three probabilities can deviate
    first, _ = one.clouds([points, points], [0, 1])
    assert first.shape != cloud.shape or not np.allclose(first["x"], cloud["x"])


def test_with_its_mirror_image_a_frame_and_its_mirror_image_give_mirrored_clouds(
    train: Callable[..., Grids], project: Path
) -> None:
    grids = train("encoder")
    points = points_of(grids)
    mirrored = points * np.float32([1, -1, 1, 1, 1])
    enhancer = enhancer_of(project, readout="count", mirror=True)
    one, other = (columns.rows(cloud) for cloud in enhancer.clouds([points, mirrored], [0, 0]))
    other[:, 1] *= -1
    assert one.shape == other.shape
    one, other = (cloud[np.lexsort(grids.grid.cells(cloud)[0].T)] for cloud in (one, other))
    np.testing.assert_allclose(one, other, rtol=1e-2, atol=2e-2)
    alone = columns.rows(enhancer_of(project, readout="count").clouds([points, mirrored], [0, 0])[0])
    assert alone.shape != one.shape or not np.allclose(alone[:, 5].sum(), one[:, 5].sum(), rtol=1e-3)


def test_a_blend_goes_from_the_model_to_the_sample(train: Callable[..., Grids], project: Path) -> None:
    points = points_of(train("encoder"))
    counted, none, half, all_of_it = (
        {tuple(place) for place in columns.rows(enhancer_of(project, **options)(points))[:, :3].tolist()}
        for options in ({"readout": "count"}, *({"readout": "blend", "blend": share} for share in (0.0, 0.5, 1.0)))
    )
    assert counted == none
    assert len(none) == len(half) == len(all_of_it)
    assert len(none & half) > len(none & all_of_it)


def test_each_member_of_an_ensemble_is_a_cloud_of_its_own_and_the_first_is_the_sample_itself(
    train: Callable[..., Grids], project: Path
) -> None:
    points = points_of(train("encoder"))
    for readout in ("sample", "draw"):
        alone, *members = (
            columns.rows(enhancer_of(project, readout=readout, **options)(points))
            for options in ({}, *({"member": member} for member in range(3)))
        )
        np.testing.assert_array_equal(alone, members[0])
        places = {one[:, :3].tobytes() for one in members}
        assert len(places) == 3


def test_drawn_cells_are_those_of_the_sample_that_the_decoder_is_surest_of_and_some_others(
    train: Callable[..., Grids], project: Path
) -> None:
    points = points_of(train("encoder"))
    sample, drawn = (
        {tuple(place) for place in columns.rows(enhancer_of(project, readout=readout)(points))[:, :3].tolist()}
        for readout in ("sample", "draw")
    )
    assert sample & drawn
    assert sample != drawn


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout": "draw", "samples": 2}, r"^samples: expected 1 with the readout draw, .*, got 2$"),
        ({"readout": "draw", "mirror": True}, r"^mirror: expected a readout of fused, .*, got draw"),
        ({"member": -1}, r"^member: expected a number from 0, got -1$"),
        ({"blend": 1.5}, r"^blend: expected a share from 0 to 1, got 1\.5$"),
        ({"readout": "sample", "mirror": True}, r"^mirror: expected a readout of fused, .*, got sample"),
    ],
)
def test_what_is_no_way_to_read_out_is_refused(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Enhancer.load(tmp_path, **options)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 4)), r"expected \(N, 5\) finite numbers .*, got \(3, 4\)"),
        (np.zeros(5), r"expected \(N, 5\)"),
        (np.float32([[10, 0, 0, 1, np.nan]]), r"expected \(N, 5\) finite"),
        (OUTSIDE, "expected returns inside the grid of the track, got none of 1"),
        (np.zeros((0, 5)), "got none of 0"),
    ],
)
def test_what_is_no_cloud_of_the_radar_is_refused(
    train: Callable[..., Grids], project: Path, points: np.ndarray, message: str
) -> None:
    train("encoder")
    with pytest.raises(InputError, match=f"^points: .*{message}"):
        enhancer_of(project)(points)


def test_tiles_of_networks_that_look_farther_and_models_of_two_runs_are_refused(
    train: Callable[..., Grids], project: Path
) -> None:
    train("encoder")
    with pytest.raises(InputError, match=r"^tiles\.cells: expected attention none or window along an axis of 16 cells"):
        enhancer_of(project, tiles=Tiles((8, 8, 8), 4))
    data = project / "data" / "radar"
    first = (data / "cd.safetensors").read_bytes()
    train("encoder", seed=1)
    (data / "cd.safetensors").write_bytes(first)
    with pytest.raises(InputError, match=r"cd.safetensors: was made from vae .* but .*vae.safetensors is"):
        enhancer_of(project)
