"""All stages, one after the other, on a street of a few frames: what they write fits together."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml
from distributed import LocalCluster

from echoes import files, metrics
from echoes.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd", "sample", "evaluate")
METHODS = ("radar", "nearest_train", "posterior_mean", "ldm", "cd_1", "cd_2", "vae_bound")


def run(stage: str) -> None:
    """The stage as `dvc repro` runs it, in this process and in the current folder."""
    spec = importlib.util.spec_from_file_location(stage, ROOT / "stages" / f"{stage}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main("radar")


def small_params() -> dict:
    """The default track of params.yaml, with fewer frames, steps and calls."""
    everything = yaml.safe_load((ROOT / "params.yaml").read_text())
    track = everything["radar"]
    track["source"] |= {"sequences": 6, "frames": 2, "workers": 1}
    track["split"] |= {"val": 0.2, "test": 0.2}
    for stage in ("vae", "ldm", "cd"):
        track[stage] |= {"steps": 3, "batch": 2, "warmup": 1}
    track["sample"] |= {"frames": 2, "batch": 2}
    track["sample"]["sigmas"]["steps"] = 4
    track["evaluate"] |= {"resamples": 50, "panels": 1}
    return {"tracks": ["radar"], "radar": track}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all stages have run once."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "data" / "raw" / "radar", folder / "data" / "raw" / "radar")
    (folder / "params.yaml").write_text(yaml.safe_dump(small_params()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in STAGES:
            run(stage)
    return folder


def test_every_stage_leaves_its_metrics_and_figures(workspace: Path) -> None:
    measured = workspace / "metrics" / "radar"
    assert {path.stem for path in measured.glob("*.json")} == set(STAGES)
    plots = {path.name for path in (measured / "plots").iterdir()}
    assert plots == {
        *("stamps.csv", "train_vae.csv", "train_ldm.csv", "distill_cd.csv"),
        *("birdseye.png", "error_over_range.png"),
    }


def test_evaluate_reports_the_same_keys_for_every_method(workspace: Path) -> None:
    report = metrics.read(workspace / "metrics" / "radar" / "evaluate.json")
    assert set(report) == {*METHODS, "frames", "threshold"}
    keys = set(report["radar"])
    assert all(set(report[method]) == keys for method in METHODS)
    wanted = "chamfer_m chamfer_sum_m hausdorff_m mhd_m iou_3d iou_bev count_ratio jsd_bev doppler_mae_mps power_mae_db"
    assert {*wanted.split(), "empty_frames", "latency_ms", "calls"} <= keys
    assert {f"{key}@{radius}m" for key in ("precision", "recall", "f1") for radius in (0.5, 1.0)} <= keys
    assert {"chamfer_m_lo", "chamfer_m_hi", "chamfer_m_0-20m", "chamfer_m_20-40m", "chamfer_m_40+m"} <= keys
    assert [report[m]["calls"] for m in METHODS] == [0, 0, 1, 7, 1, 2, 0]


def test_a_stage_that_runs_twice_writes_the_same_bytes(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    made = {"voxelize": "grids.zarr", "train_vae": "vae.safetensors", "extract_latents": "latents"}
    made |= {"train_ldm": "ldm.safetensors", "distill_cd": "cd.safetensors", "sample": "samples.zarr"}
    before = {stage: files.digest(workspace / "data" / "radar" / name) for stage, name in made.items()}
    for stage in made:
        run(stage)
    assert {stage: files.digest(workspace / "data" / "radar" / name) for stage, name in made.items()} == before


@pytest.mark.parametrize("where", ["two processes", "a Dask cluster"])
def test_frames_read_elsewhere_give_the_same_bytes(
    where: str, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params()
    shutil.copytree(workspace / "data" / "raw", tmp_path / "data" / "raw")
    monkeypatch.chdir(tmp_path)
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster:
        elsewhere = {"workers": 2} if where == "two processes" else {"scheduler": cluster.scheduler_address}
        params["radar"]["source"] |= elsewhere
        Path("params.yaml").write_text(yaml.safe_dump(params))
        run("voxelize")
    made, expected = (folder / "data" / "radar" / "grids.zarr" for folder in (tmp_path, workspace))
    assert files.digest(made) == files.digest(expected)


def test_an_artifact_whose_parent_changed_is_refused(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workspace, tmp_path / "changed")
    monkeypatch.chdir(tmp_path / "changed")
    params = small_params()
    params["radar"]["vae"]["seed"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params))
    run("train_vae")
    with pytest.raises(InputError, match=r"data/radar/latents: was made from vae .* but data/radar/vae.safetensors is"):
        run("distill_cd")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("grid", "x", "size"), 63, r"radar\.grid\.x\.size: expected a multiple of 4, got 63"),
        (("vae", "lr"), "fast", r"radar\.vae\.lr: expected a number, got 'fast'"),
        (("ldm", "tpyo"), 1, r"radar\.ldm\.tpyo: unknown"),
        (("source", "reader"), "sonar", r"radar\.source\.reader: expected one of .*simulated.*, got 'sonar'"),
    ],
)
def test_a_bad_parameter_is_named_with_its_full_path(
    key: tuple[str, ...], value: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = small_params()
    section = params["radar"]
    for part in key[:-1]:
        section = section[part]
    section[key[-1]] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    stage = {"grid": "voxelize", "source": "voxelize", "vae": "train_vae", "ldm": "train_ldm"}[key[0]]
    with pytest.raises(InputError, match=message):
        run(stage)
    assert not (tmp_path / "data").exists()
