"""Experiments of DVC on this pipeline: in the workspace, beside it, and several at once from a queue."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from repository import Repository, documented

pytestmark = pytest.mark.slow
STAGES = ["voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd", "sample", "evaluate"]
PATIENCE_S = 900.0


@pytest.fixture(scope="module")
def tried(built: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A checkout with one experiment `few` in its workspace; not to be changed."""
    checkout = built.copy(tmp_path_factory.mktemp("tried"))
    said = checkout.dvc("exp", "run", "--name", "few", "-S", "radar.cd.schedule.lr=5e-5")
    assert [stage for stage in STAGES if f"stages/{stage}.py" in said] == ["distill_cd", "sample", "evaluate"]
    return checkout


def experiments(checkout: Repository) -> dict[str, dict[str, Any]]:
    """Name -> what `dvc exp show` knows of each experiment, its commit as `rev`."""
    shown = checkout.json("exp", "show")
    listed = {e["name"]: e["revs"][0] for state in shown for e in state["experiments"] or []}
    found = {name: {**revision["data"], "rev": revision["rev"]} for name, revision in listed.items()}
    assert all(e["rev"] == "workspace" or e["data"] for e in shown)
    return found


def artifacts(checkout: Repository, rev: str) -> dict[str, str]:
    """Path -> md5 of every artifact in a commit, as its dvc.lock names them."""
    stages = yaml.safe_load(checkout.run("git", "show", f"{rev}:dvc.lock"))["stages"].values()
    outs = {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}
    return {path: md5 for path, md5 in outs.items() if path.startswith("data/")}


def test_exp_show_has_the_parameters_and_finite_metrics_of_each_stage(tried: Repository) -> None:
    data = experiments(tried)["few"]
    assert data["params"]["params.yaml"]["data"]["radar"]["cd"]["schedule"]["lr"] == 5e-5
    assert set(data["metrics"]) == {f"metrics/radar/{stage}.json" for stage in STAGES if stage != "sample"}
    assert all(metrics["data"] for metrics in data["metrics"].values())


def test_what_evaluate_measured_has_short_names_in_the_table_and_headline_numbers_first(tried: Repository) -> None:
    columns = tried.dvc("exp", "show", "--csv").splitlines()[0].split(",")
    first = columns.index("cd_1.chamfer_m")
    assert columns[first + 1 : first + 3] == ["cd_1.f1@1.0m", "cd_1.iou_bev"]
    assert {"cd_1.latency_ms", "cd_1.calls", "cd_1.chamfer_m_lo", "cd_1.chamfer_m_0-20m"} <= set(columns)


def test_the_pattern_of_the_docs_leaves_the_headline_numbers_and_no_intervals_and_bands(tried: Repository) -> None:
    table = documented("--only-changed").replace("dvc exp show", "dvc exp show --csv")  # a terminal folds long names
    changed, every = (tried.run("bash", "-c", line) for line in (table, table.replace("--only-changed", "")))
    columns = every.splitlines()[0].split(",")
    assert {"cd_1.chamfer_m", "cd_1.f1@1.0m", "cd_1.calls", "radar.cd.schedule.lr"} <= set(columns)
    assert not re.search(r"_(lo|hi)\b|0-20m|40\+m|src/|stages/", every)
    assert (
        {"cd_1.latency_ms", "radar.cd.schedule.lr"}
        <= set(changed.splitlines()[0].split(","))
        < set(columns) - {"cd_1.calls"}
    )


def test_metrics_diff_names_what_changed(tried: Repository) -> None:
    difference = tried.json("metrics", "diff", "HEAD", "few")
    assert set(difference) <= {f"metrics/radar/{stage}.json" for stage in STAGES[4:]}
    assert difference["metrics/radar/distill_cd.json"]["loss"]["diff"] != 0


def test_params_diff_names_the_one_parameter(tried: Repository) -> None:
    difference = tried.json("params", "diff", "HEAD", "few")
    assert list(difference) == ["params.yaml"]
    assert list(difference["params.yaml"]) == ["radar.cd.schedule.lr"]


def test_plots_diff_has_both_curves_and_both_figures(tried: Repository, tmp_path: Path) -> None:
    plots = tried.json("plots", "diff", "HEAD", "few", "--out", str(tmp_path / "plots"))["data"]
    (curve,) = plots["metrics/radar/live/distill_cd/plots/metrics/loss.tsv"]
    assert set(curve["revisions"]) == {"HEAD", "few"}
    assert len(plots["metrics/radar/plots/evaluate/birdseye.png"]) == 2


def test_the_table_and_the_plot_of_the_docs_have_the_columns_that_they_name(tried: Repository) -> None:
    tried.run("bash", "-e", "-c", documented("sweep.csv"))
    rows = [row.split(",") for row in (tried.root / "sweep.csv").read_text().splitlines()]
    assert rows[0] == ["Experiment", "cd_1.chamfer_m", "radar.ldm.schedule.lr", "radar.cd.schedule.lr"]
    assert [row[3] for row in rows[1:] if row[0] == "few"] == ["5e-05"]
    assert (tried.root / "sweep.png").stat().st_size > 0


def test_an_experiment_beside_the_workspace_leaves_the_workspace_alone(checkout: Repository) -> None:
    before = checkout.digests()
    checkout.dvc("exp", "run", "--temp", "--name", "beside", "-S", "radar.evaluate.resamples=60")
    assert checkout.run("git", "status", "--short") == ""
    assert checkout.digests() == before
    assert "up to date" in checkout.dvc("status")
    assert list(experiments(checkout)) == ["beside"]


def test_the_grid_of_the_docs_on_two_workers_is_four_results_as_if_run_alone(
    checkout: Repository, built: Repository, tmp_path: Path
) -> None:
    queued = checkout.run("bash", "-e", "-c", documented("queue start"))
    assert queued.count("Queued experiment") == 4
    ends = time.monotonic() + PATIENCE_S
    while re.search("Running|Queued", said := checkout.dvc("queue", "status")) and time.monotonic() < ends:
        time.sleep(1)
    assert said.count("Success") == 4, said
    made: dict[tuple[float, float], dict[str, str]] = {}
    for data in experiments(checkout).values():
        params = data["params"]["params.yaml"]["data"]["radar"]
        made[params["ldm"]["schedule"]["lr"], params["cd"]["schedule"]["lr"]] = artifacts(checkout, data["rev"])
    assert sorted(made) == [(5e-4, 2e-4), (5e-4, 8e-4), (2e-3, 2e-4), (2e-3, 8e-4)]
    assert len({values["data/radar/cd.safetensors"] for values in made.values()}) == 4

    (tmp_path / "alone").mkdir()
    alone = built.copy(tmp_path / "alone")  # with a cache of its own: nothing that the queue has made is looked up
    for ldm, cd in ((5e-4, 2e-4), (2e-3, 8e-4)):  # the corners: each value of both parameters once
        name = f"one-{ldm}-{cd}"
        said = alone.dvc(
            "exp", "run", "--name", name, "-S", f"radar.ldm.schedule.lr={ldm}", "-S", f"radar.cd.schedule.lr={cd}"
        )
        assert "stages/distill_cd.py" in said
        assert artifacts(alone, experiments(alone)[name]["rev"]) == made[ldm, cd]


def test_a_queue_runs_the_code_that_was_queued_and_its_status_tells_what_failed(checkout: Repository) -> None:
    """`run --run-all` ends with 0 whatever happened in it."""
    code = {"PYTHONPATH": str(checkout.root / "src")}  # as if this checkout were installed
    checkout = Repository(checkout.root, checkout.home, code)
    checkout.dvc("exp", "run", "--queue", "--name", "good", "-S", "radar.evaluate.resamples=60")
    checkout.dvc("exp", "run", "--queue", "--name", "bad", "-S", "radar.evaluate.resamples=0")
    (checkout.root / "src" / "echoes" / "entry.py").write_text("raise RuntimeError('edited since')\n")
    checkout.dvc("exp", "run", "--run-all")
    listed = {line.split()[1]: line.split()[-1] for line in checkout.dvc("queue", "status").splitlines()[1:3]}
    assert listed == {"good": "Success", "bad": "Failed"}
    assert "resamples: expected" in checkout.dvc("queue", "logs", "bad")
