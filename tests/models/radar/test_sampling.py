"""All methods over the same frames of the test split: clouds, latencies, calls, and the report made of them."""

import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tracks
from echoes import arrays, metrics, params
from echoes.compute.precision import computing
from echoes.errors import InputError
from echoes.evaluation import ensembles, radar_frames, realism
from echoes.inference import Enhancer, RadarGenerator, columns
from echoes.inference.enhancer import RadarFrame
from echoes.models import trained
from echoes.models.mapping import in_process
from echoes.models.radar import baselines, clouds, comparison, evaluation
from echoes.models.radar import sampling as sampling_module
from echoes.models.radar.comparison import CELLS, POINTS, CloudEvaluation
from echoes.models.radar.sampling import FUSED, Sampling
from echoes.models.radar.thresholds import THRESHOLDS
from echoes.models.trained import SampleParams
from echoes.provenance import Header
from echoes.tasks import ENHANCE

CPU = torch.device("cpu")
METHODS = [
    *("radar", "nearest_train", "regression", "posterior_mean", "ldm", "cd_1", "cd_2"),
    *("decide", "overlap", "count", "blend", "fused", "vae_bound"),
]
CHOSEN = {"regression", "posterior_mean", "ldm", "cd_1", "cd_2", "vae_bound"}  # with a threshold of their own
CALLS = dict(zip(METHODS, (0, 0, 1, 1, 7, 1, 2, 1, 1, 1, 2, 1, 0), strict=True))
P = CloudEvaluation("clouds", resamples=40, seed=0, panels=2, range_m=40.0)


def sampling(track, **change):
    p = params.build(SampleParams, {**tracks.SAMPLE, **change}, "radar.sample")
    return Sampling(trained.load(track.data, track.grids, CPU), track.grids, p)


@pytest.fixture(scope="module")
def made(track, tmp_path_factory):
    """Everything that the stage sample writes of three frames."""
    path, running = tmp_path_factory.mktemp("data") / "samples.zarr", sampling(track)
    with arrays.writing(path) as writer:
        running.write(writer)
    samples = comparison.Samples(path, track.grids)
    return SimpleNamespace(path=path, sampling=running, samples=samples, timings=running.timings())


def told(samples, track, found, timings):
    return comparison.report(samples, track.grids, found, comparison.as_sets(samples, track.grids, 0), timings, P)


@pytest.fixture(scope="module")
def measured(made, track):
    return comparison.measured(made.samples, track.grids, P)


def test_the_frames_are_spread_over_the_test_split(track):
    assert sampling(track).frames.tolist() == [10, 11, 13]
    assert sampling(track, frames=1).frames.tolist() == [10]
    assert sampling(track, frames=99).frames.tolist() == [10, 11, 12, 13]


def test_every_method_gives_a_cloud_of_every_frame(made):
    assert list(made.samples.methods) == METHODS
    assert made.samples.frames.tolist() == [10, 11, 13]
    for method in METHODS:
        for i in range(3):
            cloud, points = made.samples.cloud(method, i), made.samples.points(method, i)
            assert cloud.features.shape == (len(cloud.indices), len(clouds.columns(ENHANCE.target)))
            assert np.isfinite(cloud.features).all()
            assert points.shape[1] == len(clouds.POINT_COLUMNS)
            cells, inside = made.sampling._grids.grid.cells(points)
            assert inside.all()
            np.testing.assert_array_equal(np.unique(cells, axis=0), np.unique(cloud.indices, axis=0))


def test_each_method_has_the_threshold_that_is_best_for_it(made):
    assert set(made.samples.thresholds) == CHOSEN
    assert set(made.samples.thresholds.values()) <= set(THRESHOLDS)
    for method, threshold in made.samples.thresholds.items():
        probabilities = np.concatenate([made.samples.cloud(method, i).features[:, 0] for i in range(3)])
        assert probabilities.min() >= threshold - 1e-6
    trained, frames = made.sampling._trained, made.samples.frames
    cond = torch.from_numpy(made.sampling._grids.input_batch(frames))
    decoded = trained.samplers(made.sampling._p)["cd_1"](cond, frames.tolist())
    level = made.samples.thresholds["cd_1"]
    for i, cloud in enumerate(clouds.from_decoded(decoded, level, made.sampling._grids)):
        np.testing.assert_array_equal(made.samples.cloud("cd_1", i).indices, cloud.indices)


def test_the_rows_of_the_gate_are_its_cells_and_the_radar_with_what_is_added(made, track):
    decide, keep, left_out = tracks.READOUT.decide, tracks.READOUT.keep, 0
    for i, frame in enumerate(made.samples.frames.tolist()):
        assert made.samples.points("decide", i)[:, 5].min() >= decide - 1e-6
        radar, fused = made.samples.points("radar", i), made.samples.points("fused", i)
        assert (radar[:, 5] == 1).all()
        measured = {row.tobytes() for row in radar[:, :5]}
        kept = fused[[row.tobytes() in measured for row in fused[:, :5]]]
        assert 0 < len(kept) <= len(radar) < len(fused)
        left_out += len(radar) - len(kept)
        assert kept[:, 5].min() >= keep - 1e-6
        np.testing.assert_array_equal(radar[:, :3], track.grids.points("input", frame)[:, :3])
        np.testing.assert_array_equal(radar[:, [4, 3]], track.grids.points("input", frame)[:, 3:])
    assert left_out > 0


def test_enhance_writes_the_points_that_are_measured(made, track):
    frames = made.samples.frames.tolist()
    radar = [RadarFrame(track.grids.cells("input", f), track.grids.points("input", f)) for f in frames]
    for choice in ("fused", "decide", "overlap", "count", "blend"):
        found, _ = Enhancer.load(track.data, readout=choice, device=CPU).timed(radar, frames)
        for i, cloud in enumerate(found):
            np.testing.assert_allclose(columns.rows(cloud), made.samples.points(choice, i), rtol=1e-5, atol=1e-5)


def test_the_members_whose_spread_is_told_are_the_draws_that_enhance_makes(track):
    running = sampling(track)
    header = running._trained.header
    running.thresholds["cd_1"] = header.content["threshold"]
    frames = running.frames.tolist()
    radar = [RadarFrame(track.grids.cells("input", f), track.grids.points("input", f)) for f in frames]
    members = [Enhancer.load(track.data, readout="draw", member=k, device=CPU) for k in range(sampling_module.MEMBERS)]
    drawn = [enhancer.timed(radar, frames)[0] for enhancer in members]
    for i, (shares, _) in enumerate(running._members()):
        cells = [track.grids.grid.cells(columns.rows(clouds_of[i]))[0] for clouds_of in drawn]
        occupied = np.stack([running._occupied(indices) for indices in cells])
        np.testing.assert_allclose(shares, ensembles.shares(occupied, track.grids.observed(frames[i])))


def test_the_radar_is_the_measured_one_and_the_nearest_a_target_of_the_train_split(made, track):
    train = [track.grids.cells("target", int(f)).indices.tolist() for f in track.grids.frames("train")]
    for i, frame in enumerate(made.samples.frames.tolist()):
        radar = track.grids.cells("input", frame)
        np.testing.assert_array_equal(made.samples.cloud("radar", i).indices, radar.indices)
        np.testing.assert_array_equal(made.samples.cloud("radar", i).features[:, 3], radar.features[:, 0])
        nearest = made.samples.cloud("nearest_train", i).indices
        assert nearest.tolist() in train
        centres = track.grids.grid.centres(nearest)
        np.testing.assert_allclose(made.samples.points("nearest_train", i)[:, :3], centres, atol=1e-6)


def test_one_walk_over_the_training_frames_finds_the_nearest_of_each_batch(made, track):
    running = made.sampling
    one_by_one = {
        int(frame): int(
            baselines.nearest_train(
                ((int(f), running._descriptor(int(f))) for f in track.grids.frames("train")),
                running._descriptor(int(frame))[None],
            )[0]
        )
        for frame in running.frames
    }
    assert running._nearest[0] == one_by_one


def test_a_frame_has_the_same_sample_in_any_batch(track):
    four, two = sampling(track, frames=99, batch=4), sampling(track, frames=99, batch=2)
    for method in ("ldm", "cd_2", "fused"):
        for one, other in zip(four.clouds(method), two.clouds(method), strict=True):
            a, b = ({tuple(cell) for cell in found.cells.indices.tolist()} for found in (one, other))
            assert len(a & b) >= 0.9 * max(len(a), len(b))  # bfloat16 rounds by the batch


def test_latency_and_calls_are_reported_for_every_method(made):
    timings = made.timings
    assert list(timings) == METHODS
    assert {method: int(numbers["calls"]) for method, numbers in timings.items()} == CALLS
    assert all(timings[method]["latency_ms"] > 0 for method in METHODS[1:])
    assert timings["radar"]["latency_ms"] == 0


def test_how_far_the_probability_of_the_gate_can_be_believed_stands_beside_its_cells(made, track):
    p, y = [], []
    frames = made.samples.frames
    for frame, probability in zip(frames, made.sampling._fusing._weighed(frames)[0], strict=True):
        occupied = np.zeros(track.grids.shape, bool)
        occupied[tuple(track.grids.cells("target", int(frame)).indices.T)] = True
        p.append(probability.ravel())
        y.append(occupied.ravel())
    brier = np.mean((np.concatenate(p) - np.concatenate(y)) ** 2)
    assert made.timings["decide"]["brier"] == pytest.approx(brier, rel=1e-3)
    assert "ece_likely" in made.timings["decide"]
    assert not any(math.isnan(value) for value in made.timings["decide"].values())  # no cell lies beyond 20 m


def test_several_samples_of_one_call_are_scored_against_what_was_there(made, track):
    frames = made.sampling._members()
    assert len(frames) == 3
    observed = track.grids.observed(10)
    target = made.sampling._occupied(track.grids.cells("target", 10).indices)
    np.testing.assert_array_equal(frames[0][1], ensembles.shares(target, observed))
    assert len({member.tobytes() for member in frames[0][0]}) == 8
    numbers = made.timings["cd_1"]
    assert 0 < numbers["crps"] < numbers["member_mae"]
    assert numbers["spread_skill"] > 0


def test_the_samples_hold_features_of_every_method_and_of_the_real_clouds(made):
    found = {method: made.samples.encoded(method) for method in (*METHODS, comparison.REAL)}
    assert {features.shape for features in found.values()} == {(3, 8)}
    assert not np.allclose(found["cd_1"], found[comparison.REAL])


def test_the_header_names_every_artifact_it_was_made_from(made, track):
    header = arrays.Reader(made.path, "samples").header
    assert set(header.parents) == {"init", "grids", "vae", "latents", "ldm", "cd"}
    assert header.parents["grids"] == track.grids.header.identity
    assert header.params["solver"] == "heun"
    assert header.content["methods"] == METHODS
    assert header.content["columns"] == list(clouds.columns(ENHANCE.target))
    assert header.content["point_columns"] == list(clouds.POINT_COLUMNS)
    assert set(header.content["thresholds"]) == CHOSEN
    assert params.build(type(tracks.READOUT), header.content["readout"], "readout") == tracks.READOUT


def test_the_report_has_the_same_keys_for_every_method_and_survives_as_metrics(made, measured, track, tmp_path):
    report = told(made.samples, track, measured, made.timings)
    assert list(report) == [*METHODS, comparison.REAL, "frames", "stretches", "range_m"]
    assert (report["frames"], report["stretches"], report["range_m"]) == (3, 1, 40.0)
    own = {method: {"threshold"} if method in CHOSEN else set() for method in METHODS}
    own["decide"] = set(made.timings["decide"]) - {"latency_ms", "calls"}
    own["cd_1"] |= {"crps", "member_mae", "energy_score", "spread_skill", "members"}
    keys = {frozenset(set(report[method]) - own[method]) for method in METHODS}
    assert len(keys) == 1
    assert set(report[comparison.REAL]) == {key for key in report["ldm"] if key.startswith("set_")}
    assert len(report[comparison.REAL]) == len(realism.KEYS)
    first = [
        *("chamfer_m", "f1@1.0m", "iou_bev", "iou_3d", "jsd_bev", "count_ratio", "points_chamfer_m"),
        *("points_chamfer_ratio", "points_f1@1.0m", "points_f1_ratio", "latency_ms", "calls"),
    ]
    assert list(report["ldm"])[: len(first)] == first
    ends = ("points_chamfer_ratio", "points_chamfer_ratio_lo", "points_chamfer_ratio_hi", "points_f1_ratio")
    assert [report["radar"][key] for key in ends] == [1.0] * 4
    metrics.write(tmp_path / "evaluate.json", report)


def test_the_table_of_frames_agrees_with_the_means_of_the_report(made, track, tmp_path):
    report = evaluation.evaluate(track.grids, made.path, made.timings, P, tmp_path, in_process)
    assert {path.name for path in tmp_path.iterdir()} == {"birdseye.png", "error_over_range.png", comparison.TABLE}
    with (tmp_path / comparison.TABLE).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * len(METHODS)
    assert {row["frame"] for row in rows} == {"10", "11", "13"}
    assert {row["stretch"] for row in rows} == {"2"}
    for method in METHODS:
        for protocol, prefix in ((CELLS, ""), (POINTS, "points_")):
            of = [row for row in rows if (row["method"], row["protocol"]) == (method, protocol)]
            for key in ("chamfer_m", "f1@1.0m", "count_ratio", "hausdorff_m"):
                mean = np.mean([float(row[key]) for row in of])
                assert report[method][f"{prefix}{key}"] == pytest.approx(mean, rel=1e-9), (method, key)
            told = {key for row in of for key, value in row.items() if value}
            assert ("to_target_m" in told) == (protocol == POINTS)
            assert ("iou_3d" in told) == (protocol == CELLS)


def test_the_points_of_the_lidar_itself_are_0_m_off(made, track, tmp_path):
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        for i, frame in enumerate(made.samples.frames.tolist()):
            cells, truth = made.samples.cloud("radar", i), track.grids.points("target", frame)
            lidar = np.column_stack([truth, np.zeros((len(truth), 3))]).astype(np.float32)
            for method, points in (("radar", made.samples.points("radar", i)), ("lidar", lidar)):
                writer.append_ragged(f"{method}_indices", cells.indices)
                writer.append_ragged(f"{method}_features", cells.features)
                writer.append_ragged(f"{method}_points", points)
        for name in ("radar", "lidar", comparison.REAL):
            writer.append(f"{name}_encoded", np.zeros((3, 2), np.float32))
        writer.append("frame", made.samples.frames)
        content = {"methods": ["radar", "lidar"], "columns": list(cells.columns), "thresholds": {}}
        writer.seal(Header("samples", {}, {"grids": track.grids.header.identity}, content))
    samples = comparison.Samples(tmp_path / "samples.zarr", track.grids)
    found = comparison.measured(samples, track.grids, P)
    report = told(samples, track, found, {"radar": {}, "lidar": {}})
    assert report["lidar"]["points_chamfer_m"] == report["lidar"]["points_chamfer_ratio"] == 0
    assert report["lidar"]["points_f1@1.0m"] == report["lidar"]["points_count_ratio"] == 1
    assert report["radar"]["points_chamfer_m"] > 0.3
    assert report["lidar"]["chamfer_m"] == report["radar"]["chamfer_m"]


def test_a_radar_made_from_a_lidar_is_compared_with_what_went_in_and_keeps_none_of_it(lidar_track, tmp_path):
    running = sampling(lidar_track)
    with arrays.writing(tmp_path / "samples.zarr") as writer:
        running.write(writer)
    samples = comparison.Samples(tmp_path / "samples.zarr", lidar_track.grids)
    others = [name for name in METHODS[2:] if name not in FUSED]
    assert samples.methods == ("lidar", "nearest_train", "thinned", *others)
    assert samples.columns == ("probability", "power", "doppler", "doppler_variance")
    frame = int(samples.frames[0])
    np.testing.assert_array_equal(samples.points("lidar", 0)[:, :3], lidar_track.grids.points("input", frame)[:, :3])
    report = told(samples, lidar_track, comparison.measured(samples, lidar_track.grids, P), running.timings())
    assert report["lidar"]["points_chamfer_ratio"] == 1
    assert report["vae_bound"]["doppler_mae_mps"] >= 0
    assert report["thinned"]["points_count_ratio"] == 1
    assert report["lidar"]["radar_hit_f1"] == 0  # it measures neither Doppler nor power
    assert report["cd_1"]["threshold"] == report["cd_2"]["threshold"] == tracks.RETURNS.threshold
    keys = {f"radar_{key}" for key in ("hit_precision", "hit_recall", "hit_f1", "hit_given_near")}
    assert keys < set(report["ldm"])
    assert {f"set_{key}" for key in radar_frames.KEYS} < set(report[comparison.REAL])


def test_the_radar_frames_that_are_measured_are_those_that_generate_draws(lidar_track):
    running, generator = sampling(lidar_track, frames=1), RadarGenerator.load(lidar_track.data, device=CPU)
    with computing("float32"):
        (expected,) = running.clouds("cd_1")
    (found,) = generator(lidar_track.grids.points("input", 10), 1, running._p.seed, 10)
    named = dict(zip(clouds.POINT_COLUMNS, expected.points.T, strict=True))
    for name in found.dtype.names:
        np.testing.assert_allclose(found[name], named[name], rtol=1e-4, atol=1e-3)
    assert (expected.points[:, 5] >= tracks.RETURNS.threshold - 1e-6).all()


def test_points_beyond_the_range_are_not_compared(made, track):
    near = CloudEvaluation("clouds", resamples=40, seed=0, panels=1, range_m=5.0)
    found = comparison.measured(made.samples, track.grids, near)
    for i, frame in enumerate(made.samples.frames.tolist()):
        radar, truth = made.samples.points("radar", i), track.grids.points("target", frame)
        inside = [(np.hypot(points[:, 0], points[:, 1]) < 5).sum() for points in (radar, truth)]
        assert found["radar"][POINTS][i]["count_ratio"] == pytest.approx(inside[0] / inside[1])


@pytest.mark.parametrize(("key", "value"), [("resamples", 5), ("panels", 0), ("range_m", 0.0)])
def test_an_evaluation_of_nothing_is_refused_with_its_path(key, value):
    section = {"of": "clouds", "resamples": 40, "seed": 0, "panels": 1, "range_m": 40.0, key: value}
    with pytest.raises(InputError, match=rf"^radar\.evaluate\.{key}: expected (at least|more than) .*, got {value}$"):
        params.build(CloudEvaluation, section, "radar.evaluate")


def test_panels_show_every_method_beside_the_truth(made, track):
    rows = comparison.panels(made.samples, track.grids, 2)
    titles = ["radar", "radar and model", "LDM", "CD, 1 step", "target"]
    assert [[panel.title for panel in row] for row in rows] == [titles] * 2
    for panel, method in zip(rows[1], ("radar", "fused", "ldm", "cd_1"), strict=False):
        np.testing.assert_array_equal(panel.points, made.samples.points(method, 2)[:, :3])
    np.testing.assert_array_equal(rows[1][-1].points, track.grids.grid.centres(track.grids.cells("target", 13).indices))
