"""All stages of both families, one after the other, on a few recordings: what they write fits together."""

import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from distributed import LocalCluster
from typer.testing import CliRunner

import documented
from echoes import arrays, files, metrics, params
from echoes.cli import app
from echoes.dataset import catalog
from echoes.errors import InputError
from echoes.inference import Enhancer, columns
from echoes.models import students
from echoes.rasters.sweeps import Sweep, Sweeps
from echoes.readers import simulated
from echoes.readers.ego_motion import compensate

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd", "sample", "evaluate")
TRAININGS = ("train_vae", "train_ldm", "distill_cd")
TRACKS = ("radar", "microdoppler")
CLOUDS = (
    *("radar", "nearest_train", "regression", "posterior_mean", "ldm", "cd_1", "cd_2"),
    *("decide", "overlap", "count", "blend", "fused", "vae_bound"),
)
SPECTROGRAMS = ("real", "ldm", "cd_1", "cd_2", "vae_bound")
MADE = {
    "initialize": "init",
    "voxelize": "grids.zarr",
    "train_vae": "vae.safetensors",
    "extract_latents": "latents",
    "train_ldm": "ldm.safetensors",
    "distill_cd": "cd.safetensors",
    "sample": "samples.zarr",
}
FIGURES = {
    "radar": {"birdseye.png", "error_over_range.png", "frames.csv"},
    "microdoppler": {"side_by_side.png", "confusion.png", "envelopes.png"},
}
OF_CELLS = ("occupancy", "reflectivity", "doppler", "power", "doppler_valid")
TERMS = {  # of the loss of each training
    "radar": {
        "train_vae": (*OF_CELLS, "bottleneck"),
        "train_ldm": ("denoising", *(f"regression_{name}" for name in (*OF_CELLS, "offset"))),
    },
    "microdoppler": {"train_vae": ("absolute", "similarity", "perceptual", "bottleneck", "equivariance")},
}
USERS = ("1", "3")  # of the simulated people, for a short run


@dataclass(frozen=True)
class Workspace:
    """A folder in which all stages of a track have run once."""

    folder: Path
    track: str

    @property
    def data(self) -> Path:
        return self.folder / "data" / self.track

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics" / self.track

    def digests(self) -> dict[str, str]:
        return {stage: files.digest(self.data / name) for stage, name in MADE.items()}


def run(stage: str, track: str) -> None:
    """The stage as `dvc repro` runs it, in this process and in the current folder."""
    spec = importlib.util.spec_from_file_location(stage, ROOT / "stages" / f"{stage}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(track)


def small_params(track: str) -> dict:
    """The default track of params.yaml, with fewer recordings, steps and calls."""
    everything = yaml.safe_load((ROOT / "params.yaml").read_text())
    section = everything[track]
    source = {"radar": {"sequences": 6, "frames": 2}, "microdoppler": {"recordings": 5}}[track]
    section["source"] |= source
    section["split"] |= {"val": 0.2, "test": 0.2 if track == "radar" else 0.4}
    for stage in ("vae", "ldm", "cd"):
        section[stage]["schedule"] |= {"steps": 3, "batch": 2, "warmup": 1}
    if track == "radar":
        networks = section["ldm"]["architecture"]
        networks["unet"] |= {"heads": 2}
        networks["unet"]["size"] |= {"channels": [16, 32], "blocks": 1}
        networks["condition"] |= {"width": 16, "blocks": 1, "features": 8}
        networks["regression"]["unet"] |= {"heads": 2}
        networks["regression"]["unet"]["size"] |= {"channels": [8, 16], "attention": ["none", "full"]}
    else:
        section["vae"]["loss"]["alignment"]["trained"] |= {"steps": 3, "warmup": 1}
    section["sample"] |= {"radar": {"frames": 2, "batch": 2}, "microdoppler": {"frames": 33, "batch": 16}}[track]
    section["sample"]["sigmas"]["steps"] = 4
    section["evaluate"] |= {"resamples": 50 if track == "radar" else 40, "panels": 1}
    if track == "microdoppler":
        section["sample"] |= {"solver": "heun", "guidance": {"weight": 1.5, "low": 0.2, "high": 10.0}}
        section["evaluate"]["judge"] |= {"steps": 3, "warmup": 1}
    runtime = {**everything["runtime"], "previews": 2, "workers": {"processes": 1, "scheduler": ""}}
    built = {"tracks": [track], "init_from": {track: "scratch"}, "folds": [], "augment": []}
    return {**built, "runtime": runtime, track: section}


def write_recordings(folder: Path, track: str, users: Sequence[str] = USERS) -> None:
    """The scenario of the track; of the simulated people only some."""
    shutil.copytree(ROOT / "data" / "raw" / track, folder / "data" / "raw" / track)
    if track == "microdoppler":
        path = folder / "data" / "raw" / track / "people.yaml"
        people = yaml.safe_load(path.read_text())
        people["users"] = {user: people["users"][user] for user in users}
        path.write_text(yaml.safe_dump(people))


@pytest.fixture(scope="module", params=TRACKS)
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    track, folder = request.param, tmp_path_factory.mktemp("workspace")
    write_recordings(folder, track)
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params(track)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in ("initialize", *STAGES):
            run(stage, track)
    return Workspace(folder, track)


@pytest.fixture
def changed(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of it, as the current folder."""
    shutil.copytree(workspace.folder, tmp_path / "changed")
    monkeypatch.chdir(tmp_path / "changed")
    return Workspace(tmp_path / "changed", workspace.track)


def of(track: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("workspace", [track], indirect=True)


def test_every_stage_leaves_its_metrics_and_figures(workspace: Workspace) -> None:
    assert {path.stem for path in workspace.metrics.glob("*.json")} == {*STAGES, "provenance"}
    plots = {path.name for path in (workspace.metrics / "plots").iterdir()}
    assert plots == {"stamps.csv", "evaluate"}
    live = workspace.metrics / "live"
    told = {path.relative_to(live).as_posix() for path in live.glob("*/plots/*/*")}
    curves = ("loss", "lr", "seconds", "samples_per_s", "peak_memory_mb")
    terms = {(stage, f"loss_{term}") for stage, names in TERMS[workspace.track].items() for term in names}
    assert told == {
        *(f"{stage}/plots/images/samples" for stage in TRAININGS),
        *(f"{stage}/plots/metrics/{name}.tsv" for stage in TRAININGS for name in curves),
        *(f"{stage}/plots/metrics/{name}.tsv" for stage, name in terms),
    }
    for stage in TRAININGS:
        assert metrics.read(workspace.metrics / f"{stage}.json")["peak_memory_mb"] >= 0
        pictures = (live / stage / "plots" / "images" / "samples").iterdir()
        assert {path.name for path in pictures} == {"2.png", "3.png"}
    drawn = {path.name for path in (workspace.metrics / "plots" / "evaluate").iterdir()}
    assert drawn == FIGURES[workspace.track]


@of("radar")
def test_evaluate_reports_the_same_keys_for_every_method(workspace: Workspace) -> None:
    report = metrics.read(workspace.metrics / "evaluate.json")
    assert set(report) == {*CLOUDS, "real", "frames", "stretches", "range_m"}
    assert (report["frames"], report["range_m"]) == (2, 40.0)
    keys, chosen = set(report["radar"]), ("regression", "posterior_mean", "ldm", "cd_1", "cd_2", "vae_bound")
    assert {method for method in CLOUDS if "threshold" in report[method]} == set(chosen)
    ensemble = {"crps", "member_mae", "energy_score", "spread_skill", "members"}
    assert all(set(report[method]) - ensemble == {*keys, "threshold"} for method in chosen)
    assert ensemble <= set(report["cd_1"])
    assert {"pd", "pfa", "set_frechet"} <= keys
    assert all(set(report[method]) == keys for method in ("nearest_train", "overlap", "count", "blend", "fused"))
    assert {"brier", "ece"} <= set(report["decide"]) - keys
    assert keys <= set(report["decide"])
    wanted = "chamfer_m chamfer_sum_m hausdorff_m mhd_m iou_3d iou_bev count_ratio jsd_bev doppler_mae_mps power_mae_db"
    assert {*wanted.split(), "empty_frames", "latency_ms", "calls"} <= keys
    assert {f"{key}@{radius}m" for key in ("precision", "recall", "f1") for radius in (0.5, 1.0)} <= keys
    assert {"chamfer_m_lo", "chamfer_m_hi", "chamfer_m_0-20m", "chamfer_m_20-40m", "chamfer_m_40+m"} <= keys
    assert {"points_chamfer_m", "points_chamfer_ratio", "points_f1@1.0m", "points_chamfer_m_lo"} <= keys
    assert report["radar"]["points_chamfer_ratio"] == 1
    assert [report[m]["calls"] for m in CLOUDS] == [0, 0, 1, 1, 7, 1, 2, 1, 1, 1, 2, 1, 0]
    assert documented.unexplained(report) == []


@of("microdoppler")
def test_evaluate_of_spectrograms_reports_the_same_keys_for_every_method(workspace: Workspace) -> None:
    report = metrics.read(workspace.metrics / "evaluate.json")
    assert set(report) == {*SPECTROGRAMS, "spectrograms", "compared"}
    keys = set(report["real"])
    assert all(set(report[method]) == keys for method in SPECTROGRAMS)
    assert {"frechet", "kid", "precision", "recall", "density", "coverage", "nearest_ratio", "calls"} <= keys
    for key in ("frechet", "kid", "user_accuracy", "activity_accuracy"):
        assert {f"{key}_lo", f"{key}_hi"} <= keys
    assert {"train_on_generated_accuracy", "train_on_generated_user_accuracy", "latency_ms"} <= keys
    assert [report[m]["calls"] for m in ("real", "cd_1", "cd_2", "vae_bound")] == [0, 1, 2, 0]
    assert report["ldm"]["calls"] > 7  # 2 a step and 1 for the last, and one more where it is guided
    assert documented.unexplained(report) == []


def test_what_was_made_can_be_looked_at(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.folder)
    for command in ("view", "report"):
        page = tmp_path / f"{command}.html"
        result = CliRunner().invoke(app, [command, "--track", workspace.track, str(page)])
        assert result.exit_code == 0, result.output
        assert page.stat().st_size < 10e6
        assert "not there yet" not in result.stdout
        assert "without numbers" not in result.stdout


@of("microdoppler")
def test_every_label_of_the_scenario_is_trained_tested_and_generated(workspace: Workspace) -> None:
    grids = catalog.read(workspace.data / "grids.zarr")
    assert grids.header.content["labels"]["user"] == [*USERS, "drone"]
    known = {tuple(labels) for labels in grids.labels(grids.frames("train")).tolist()}
    assert known == {tuple(labels) for labels in grids.labels(grids.frames("test")).tolist()}
    samples = arrays.Reader(workspace.data / "samples.zarr", "samples")
    assert {tuple(labels) for labels in samples.all("labels").tolist()} == known
    header = students.load_cd(workspace.data / "cd.safetensors", torch.device("cpu"))[2]
    assert len(header.content["combinations"]) == len(known)


def test_a_stage_that_runs_twice_writes_the_same_bytes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.folder)
    before = workspace.digests()
    for stage in MADE:
        run(stage, workspace.track)
    assert workspace.digests() == before


@pytest.mark.parametrize("where", ["two processes", "a Dask cluster"])
def test_recordings_read_elsewhere_give_the_same_bytes(
    where: str, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track, params = workspace.track, small_params(workspace.track)
    shutil.copytree(workspace.folder / "data" / "raw", tmp_path / "data" / "raw")
    monkeypatch.chdir(tmp_path)
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        elsewhere = {"processes": 2} if where == "two processes" else {"scheduler": cluster.scheduler_address}
        params["runtime"]["workers"] |= elsewhere
        Path("params.yaml").write_text(yaml.safe_dump(params))
        run("voxelize", track)
    assert files.digest(tmp_path / "data" / track / "grids.zarr") == files.digest(workspace.data / "grids.zarr")


def test_an_artifact_whose_parent_changed_is_refused(changed: Workspace) -> None:
    track, params = changed.track, small_params(changed.track)
    params[track]["vae"]["schedule"]["seed"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params))
    run("train_vae", track)
    message = rf"data/{track}/latents: was made from vae .* but data/{track}/vae.safetensors is"
    with pytest.raises(InputError, match=message):
        run("distill_cd", track)


@of("radar")
def test_a_track_without_an_autoencoder_goes_through_all_stages_by_its_variant_alone(changed: Workspace) -> None:
    params = small_params(changed.track)
    params[changed.track]["vae"]["architecture"]["variant"] = "identity"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES[1:]:
        run(stage, changed.track)
    told, report = (metrics.read(changed.metrics / f"{stage}.json") for stage in ("train_vae", "evaluate"))
    assert told["val_iou_3d"] == report["vae_bound"]["iou_3d"] == 1
    assert {"ldm", "cd_1", "cd_2"} <= set(report)


def test_a_track_without_a_condition_goes_through_all_stages_by_its_section_alone(changed: Workspace) -> None:
    params = small_params(changed.track)
    section = params[changed.track]["ldm"]
    section["architecture"] |= {"condition": {"by": "none"}, "regression": {"kind": "none"}}
    section["loss"]["regression"] = None
    Path("params.yaml").write_text(yaml.safe_dump(params))
    for stage in STAGES[3:]:
        run(stage, changed.track)
    report = metrics.read(changed.metrics / "evaluate.json")
    assert {"ldm", "cd_1", "cd_2"} <= set(report)
    assert "regression" not in report
    assert report["cd_1"]["calls"] == 1


def test_a_lidar_becomes_a_radar_through_all_stages_by_the_section_of_its_track_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path, "radar")
    params, weights = small_params("radar"), {"power": 1.0, "doppler": 8.0, "doppler_variance": 1.0}
    section = params["radar"]
    section["grid"]["task"] = "radar_from_lidar"
    section["vae"]["loss"]["measured"] = section["ldm"]["loss"]["regression"]["measured"] = weights
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    for stage in ("initialize", *STAGES):
        run(stage, "radar")
    report = metrics.read(Path("metrics", "radar", "evaluate.json"))
    assert set(CLOUDS) - set(report) == {"radar", "decide", "overlap", "count", "blend", "fused"}
    assert report["lidar"]["points_chamfer_ratio"] == 1
    assert 0 < report["thinned"]["radar_hit_f1"] < 1
    assert report["nearest_train"]["radar_static_doppler_mps"] >= 0
    assert documented.unexplained(report) == []
    samples = arrays.Reader(Path("data", "radar", "samples.zarr"), "samples")
    assert samples.header.content["columns"] == ["probability", "power", "doppler", "doppler_variance"]
    with pytest.raises(
        InputError, match=r"vae\.safetensors: expected a track that enhances clouds, got one from lidar"
    ):
        Enhancer.load(Path("data", "radar"))


def test_spectrograms_keep_their_phases_through_all_stages_and_become_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recordings(tmp_path, "microdoppler", USERS[:1])
    params = small_params("microdoppler")
    section = params["microdoppler"]
    section["source"] |= {"radars": ["k24"], "recordings": 5}
    kept = {name: section["grid"][name] for name in ("window", "notch_mps", "quiet_db", "floor_db", "ceiling_db")}
    axes = {"velocity": {"start": -8.077, "stop": 8.077, "size": 32}, "time": {"start": 0.0, "stop": 0.16, "size": 32}}
    of = {"raster": "stft_complex", "hop": 13, "window_s": 0.01, "compression": 0.5, "hop_s": 2.4}
    section["grid"] = {**kept, **axes, **of}
    section["vae"]["loss"]["perceptual"] = 0.0
    section["ldm"]["architecture"]["unet"]["size"] |= {"channels": [16], "attention": ["none"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    for stage in ("initialize", *STAGES):
        run(stage, "microdoppler")
    data = catalog.read(Path("data", "microdoppler", "grids.zarr"))
    assert data.channel_names == ("real", "imaginary")
    report = metrics.read(Path("metrics", "microdoppler", "evaluate.json"))
    assert report["real"]["stft_inconsistency"] < 0.05 < report["ldm"]["stft_inconsistency"] <= 1
    assert documented.unexplained(report) == []

    asked = ["generate", "--track", "microdoppler", "--count", "2", "--method", "cd_1", "--activity", "walk"]
    for form in ("iq", "figures"):
        result = CliRunner().invoke(app, [*asked, "--format", form, form])
        assert result.exit_code == 0, result.output
        assert ("stft_inconsistency 0." in result.stdout) == (form == "iq")
    told = json.loads(Path("iq", "iq.json").read_text())
    assert (told["rate_hz"], told["samples"], told["wavelength_m"]) == (2600.0, 416, pytest.approx(0.012426, rel=1e-4))
    samples = np.load("iq/1-walk/000001.npy")
    assert (samples.shape, samples.dtype) == ((416,), np.complex64)
    with np.load("figures/spectrograms.npz") as drawn:
        assert drawn["spectrogram"].shape == (2, 1, 32, 32)


@of("microdoppler")
@pytest.mark.parametrize("variant", ["vq", "fsq"])
def test_a_codebook_goes_the_same_way_and_its_use_is_measured(changed: Workspace, variant: str) -> None:
    params = small_params("microdoppler")
    params["microdoppler"]["vae"]["architecture"]["variant"] = variant
    params["microdoppler"]["vae"]["schedule"]["steps"] = 2
    params["microdoppler"]["latents"]["format"] = "zarr"
    params["microdoppler"]["ldm"]["architecture"] |= {"network": "dit", "parameterization": "ddpm"}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    shutil.rmtree(changed.data / "latents")
    for stage in STAGES[1:6]:
        run(stage, "microdoppler")
    measured = metrics.read(changed.metrics / "train_vae.json")
    assert 0 < measured["val_codebook_utilisation"] <= 1
    assert measured["val_codebook_perplexity"] >= 1
    curves = (changed.metrics / "live" / "train_vae" / "plots" / "metrics").iterdir()
    assert {"codebook_utilisation.tsv", "codebook_perplexity.tsv"} <= {path.name for path in curves}
    assert set(arrays.Reader(changed.data / "samples.zarr", "samples").header.content["methods"]) == {
        *SPECTROGRAMS[1:],
    }


@of("microdoppler")
@pytest.mark.parametrize(("section", "stage"), [("vae", "train_vae"), ("ldm", "train_ldm"), ("cd", "distill_cd")])
def test_the_mirror_of_a_spectrogram_is_refused_with_the_path_of_the_key(
    changed: Workspace, section: str, stage: str
) -> None:
    params, before = small_params("microdoppler"), changed.digests()
    params["microdoppler"][section]["mirror"] = True
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError, match=rf"^microdoppler\.{section}\.mirror: expected false, .*, got true$"):
        run(stage, "microdoppler")
    assert changed.digests() == before


@pytest.mark.parametrize(
    ("track", "key", "value", "message"),
    [
        ("radar", ("grid", "x", "size"), 63, r"radar\.grid\.x\.size: expected a multiple of 4, got 63"),
        ("radar", ("vae", "schedule", "lr"), "fast", r"radar\.vae\.schedule\.lr: expected a number, got"),
        ("radar", ("ldm", "tpyo"), 1, r"radar\.ldm\.tpyo: unknown"),
        ("radar", ("source", "reader"), "sonar", r"radar\.source\.reader: expected one of .*simulated.*, got 'sonar'"),
        ("radar", ("vae", "lr"), 1e-3, r"^radar\.vae\.lr: unknown; it is radar\.vae\.schedule\.lr$"),
        (
            "microdoppler",
            ("vae", "architecture", "variant"),
            "gan",
            r"architecture\.variant: expected one of kl, vq, fsq,",
        ),
        ("microdoppler", ("vae", "architecture", "vq", "codes"), 1, r"vq\.codes: expected at least 2, got 1"),
        ("microdoppler", ("ldm", "architecture", "condition", "by"), "name", r"condition\.by: expected one of "),
        (
            "microdoppler",
            ("ldm", "architecture", "dit", "size"),
            "huge",
            r"microdoppler\.ldm\.architecture\.dit\.size: expected one of tiny, .*XL",
        ),
        ("microdoppler", ("split", "by"), "sequence", r"microdoppler\.split\.by: expected .*recording"),
        ("microdoppler", ("grid", "overlap"), 1.5, r"microdoppler\.grid\.overlap: expected"),
        (
            "radar",
            ("inspect", "stop_at"),
            ["sign"],
            r"radar\.inspect\.stop_at: expected some of left_out, .*, got sign",
        ),
    ],
)
def test_a_bad_parameter_is_named_with_its_full_path(
    track: str, key: tuple[str, ...], value: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params(track)
    section = params[track]
    for part in key[:-1]:
        section = section[part]
    section[key[-1]] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    voxelize = ("grid", "source", "inspect", "split")
    stage = "voxelize" if key[0] in voxelize else {"vae": "train_vae", "ldm": "train_ldm"}[key[0]]
    with pytest.raises(InputError, match=message):
        run(stage, track)
    assert not (tmp_path / "data").exists()


@of("radar")
def test_a_track_of_several_sweeps_runs_to_its_end_and_enhances_as_it_was_trained(changed: Workspace) -> None:
    numbers = yaml.safe_load((changed.folder / "params.yaml").read_text())
    numbers["radar"]["grid"]["sweeps"] = {"count": 2, "seconds": 0.5}
    (changed.folder / "params.yaml").write_text(yaml.safe_dump(numbers))
    for stage in STAGES:
        run(stage, "radar")
    assert metrics.read(changed.metrics / "voxelize.json")["mean_sweeps"] == 1.5  # of two frames each, one has another
    enhancer = Enhancer.load(changed.data)
    assert (enhancer.task.input[-1], enhancer.sweeps) == ("age", Sweeps(2, 0.5))

    result = CliRunner().invoke(app, ["enhance", "--track", "radar", "data/raw/radar", "out", "--format", "npy"])
    assert result.exit_code == 0, result.output
    root, source = Path("data", "raw", "radar"), params.load(simulated.Source, "radar.source")
    entries = simulated.index(root, source)[:2]
    (first, before), (frame, points) = (
        (one, compensate(one.radar, one.ego_velocity, source.doppler.span_mps))
        for one in (simulated.read(root, source, entry) for entry in entries)
    )
    earlier = Sweep(before, frame.stamp - first.stamp, np.linalg.inv(frame.pose) @ first.pose)
    written = np.load(f"out/{entries[1].sequence}_000001.npy")
    np.testing.assert_allclose(columns.rows(enhancer(points, 1, [earlier])), written, rtol=1e-4, atol=1e-4)
    assert len(written) != len(alone := enhancer(points, 1)) or not np.allclose(
        columns.rows(alone), written, 1e-4, 1e-4
    )
