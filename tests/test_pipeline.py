"""dvc.yaml names the code, the data and the parameters that each stage uses, no more and no less."""

import ast
import copy
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

import deps
from echoes import imports, initial, params
from echoes.models import families
from echoes.readers.catalog import family_of
from echoes.voxelization import families as voxelization

INITIALIZE = "initialize"  # the stage that copies what a track starts from
SELECT = "select_code"  # the stage that tells which code a track leads to
FOLDS = "folds"  # the stage that runs all others for each fold
AUGMENT = "augment"  # the stage that tries what was generated
STAGES = ["voxelize", "train_vae", "extract_latents", "train_ldm", "distill_cd", "sample", "evaluate"]
PIPELINE = {
    name: stage | stage.get("do", {}) for name, stage in params.document(imports.ROOT / "dvc.yaml")["stages"].items()
}
NUMBERS = params.document(imports.ROOT / "params.yaml")
TRACKS = [name for name in NUMBERS if name not in ("tracks", "init_from", "folds", "augment", "runtime")]
SPECTROGRAMS = [name for name in TRACKS if NUMBERS[name]["grid"]["raster"] != "voxels"]
ITEM = "${item.track}"
RUN = "env PYTHONPATH=src GOMP_SPINCOUNT=1000 python"


def script(stage: str) -> Path:
    return imports.ROOT / "stages" / f"{stage}.py"


def paths(stage: str, kind: str) -> list[str]:
    """The paths that a stage lists under `deps`, `outs`, `metrics` or `plots`."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in PIPELINE[stage].get(kind, [])]


def loads(stage: str) -> dict[str, ast.expr]:
    """Section -> the class it is loaded as, as written in the script."""
    found = {}
    for node in ast.walk(ast.parse(script(stage).read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "params.load":
            section = ast.unparse(node.args[1])
            if section.startswith("'runtime") or section.endswith(".source.reader'"):
                continue  # of no track, and no reason to run a stage anew; a key of a section that is read whole
            found[section.removeprefix("f'{track}.").removesuffix("'")] = node.args[0]
    return found


def built(stage: str, track: str) -> dict[str, object]:
    """Section -> what the stage builds of it."""
    spec = importlib.util.spec_from_file_location(f"stage_{stage}", script(stage))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = imports.ROOT / "params.yaml"
    reader = NUMBERS[track]["source"]["reader"]
    family = family_of(reader, "reader")
    known = {
        **vars(module),
        "reader": reader,
        "evaluation": families.evaluation(family),
        "voxelizer": voxelization.voxelizer(family),
    }
    classes = {section: eval(ast.unparse(cls), known) for section, cls in loads(stage).items()}
    return {section: params.load(cls, f"{track}.{section}", path) for section, cls in classes.items()}


def test_the_stages_are_those_of_the_design_in_their_order():
    stages = [INITIALIZE, SELECT, *STAGES, FOLDS, AUGMENT]
    assert list(PIPELINE) == stages
    assert sorted(p.stem for p in (imports.ROOT / "stages").glob("*.py")) == sorted(stages)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_its_script_for_each_track_of_the_list(stage):
    assert PIPELINE[stage]["matrix"] == {"track": "${tracks}"}
    assert PIPELINE[stage]["cmd"] == f"{RUN} stages/{stage}.py {ITEM}"
    assert set(NUMBERS["tracks"]) <= set(TRACKS)


def test_every_track_starts_from_scratch_or_from_the_models_of_another_as_dvc_sees_them():
    stage = PIPELINE[INITIALIZE]
    assert stage["foreach"] == "${init_from}"
    assert stage["cmd"] == f"{RUN} stages/initialize.py ${{key}}"
    assert stage["deps"][:2] == [f"data/${{item}}/{name}" for name in initial.WEIGHTS]
    assert stage["params"] == ["init_from.${key}"]
    assert stage["outs"] == ["data/${key}/init"]
    assert list(NUMBERS["init_from"]) == TRACKS
    assert all((imports.ROOT / "data" / initial.SCRATCH / name).read_bytes() == b"" for name in initial.WEIGHTS)


def test_the_folds_of_a_track_are_made_of_all_its_sections_by_all_stages():
    stage = PIPELINE[FOLDS]
    assert stage["matrix"] == {"track": "${folds}"}
    assert stage["cmd"] == f"{RUN} stages/folds.py {ITEM}"
    assert stage["params"] == [f"init_from.{ITEM}", *(one for name in STAGES for one in PIPELINE[name]["params"])]
    assert paths(FOLDS, "deps") == [f"data/raw/{ITEM}", f"data/{ITEM}/init", "stages", "src/echoes"]
    assert set(loads(FOLDS)) == {"split", "evaluate"}
    assert all(NUMBERS[track]["split"]["by"] == "stretch" for track in NUMBERS["folds"])


def test_what_was_generated_is_tried_for_the_tracks_of_a_list_that_is_empty_as_shipped():
    stage = PIPELINE[AUGMENT]
    assert stage["matrix"] == {"track": "${augment}"}
    assert stage["cmd"] == f"{RUN} stages/augment.py {ITEM}"
    assert paths(AUGMENT, "metrics") == [f"metrics/{ITEM}/augment.json"]
    assert NUMBERS[AUGMENT] == []


def test_the_deps_of_every_stage_are_those_that_make_deps_writes():
    written = deps.PIPELINE.read_text()
    assert written == deps.with_code(written)


@pytest.mark.parametrize("stage", [*STAGES, AUGMENT])
def test_the_deps_of_a_stage_name_all_code_that_runs_and_no_other(stage):
    listed = [imports.ROOT / path for path in paths(stage, "deps") if path.split("/")[0] in ("src", "stages")]
    named = {file for path in listed for file in ([path] if path.is_file() else path.rglob("*.py"))}
    run = {script(stage), *imports.closure(script(stage))}
    assert {file for file in named if file.name != "__init__.py"} == run
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize("stage", [*STAGES, AUGMENT])
def test_a_stage_depends_on_the_sections_it_loads_and_on_no_others(stage):
    assert sorted(PIPELINE[stage]["params"]) == sorted(f"{ITEM}.{section}" for section in loads(stage))
    launch = imports.PACKAGE / "training" / "launch.py"  # reads `runtime`, which is no section of a track
    others = imports.closure(script(stage)) - {launch}
    assert not [file for file in others if "params.load(" in file.read_text()]


def test_each_section_is_read_by_one_stage():
    readers = [section for stage in STAGES for section in loads(stage)]
    assert sorted(readers) == sorted(set(readers))
    for track in TRACKS:
        assert set(NUMBERS[track]) == {*readers, *([AUGMENT] if track in SPECTROGRAMS else [])}, track


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("stage", STAGES)
def test_every_section_of_every_track_builds(stage, track):
    assert all(section is not None for section in built(stage, track).values())


@pytest.mark.parametrize("track", SPECTROGRAMS)
def test_every_track_of_spectrograms_says_how_what_it_generates_is_tried(track):
    assert all(section is not None for section in built(AUGMENT, track).values())


def test_the_track_that_generates_radar_is_the_simulated_street_the_other_way_round():
    given, made = (copy.deepcopy(NUMBERS[track]) for track in ("radar", "radar_from_lidar"))
    assert (given["grid"].pop("task"), made["grid"].pop("task")) == ("enhance", "radar_from_lidar")
    for section in (given, made):
        del section["vae"]["loss"]["measured"], section["ldm"]["loss"]["regression"]["measured"]
    assert made == given
    streets = [imports.ROOT / "data" / "raw" / track / "street.yaml" for track in ("radar", "radar_from_lidar")]
    assert streets[0].read_bytes() == streets[1].read_bytes()


def test_the_track_that_generates_radar_from_nothing_is_the_one_from_a_lidar_without_its_condition():
    given, free = (copy.deepcopy(NUMBERS[track]) for track in ("radar_from_lidar", "radar_free"))
    for section, by in ((given, "encoder"), (free, "none")):
        assert section["ldm"]["architecture"].pop("condition")["by"] == by
        del section["ldm"]["architecture"]["regression"], section["ldm"]["loss"]["regression"]
        del section["ldm"]["augmentation"]
    assert free == given
    streets = [imports.ROOT / "data" / "raw" / track / "street.yaml" for track in ("radar", "radar_free")]
    assert streets[0].read_bytes() == streets[1].read_bytes()


def test_the_real_pairs_the_other_way_round_are_those_of_their_track():
    given, made = (copy.deepcopy(NUMBERS[track]) for track in ("astyx", "astyx_from_lidar"))
    assert (given["grid"].pop("task"), made["grid"].pop("task")) == ("enhance", "radar_from_lidar")
    for section in (given, made):
        del section["vae"]["loss"]["measured"], section["ldm"]["loss"]["regression"]["measured"]
    assert made == given


def test_the_street_at_full_size_is_the_street_in_the_grid_of_the_tracks_for_a_gpu():
    full, sized = (NUMBERS[track]["grid"] for track in ("street_full", "vod"))
    assert [full[axis]["size"] for axis in "zyx"] == [sized[axis]["size"] for axis in "zyx"] == [32, 128, 128]
    streets = [imports.ROOT / "data" / "raw" / track / "street.yaml" for track in ("radar", "street_full")]
    assert streets[0].read_bytes() == streets[1].read_bytes()


@pytest.mark.parametrize("stage", [*STAGES, FOLDS, AUGMENT])
def test_a_stage_declares_the_artifacts_its_script_names(stage):
    named = re.findall(r'"([\w.]+\.(?:zarr|safetensors|json|csv|png)|latents)"', script(stage).read_text())
    declared = [path for kind in ("deps", "outs", "metrics", "plots") for path in paths(stage, kind)]
    assert set(named) <= {Path(path).name for path in declared}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_plots_its_script_names_and_no_others(stage):
    text = script(stage).read_text()
    named = [f"metrics/{ITEM}/plots/{name}" for name in re.findall(r'"plots"(?:,| /) "([\w.]+)"', text)]
    if "training_run(" in text:  # what every training tells while it runs
        named += [f"metrics/{ITEM}/live/{stage}/plots/{kind}" for kind in ("metrics", "images")]
    assert sorted(named) == sorted(paths(stage, "plots"))


def test_git_ignores_what_dvc_caches_and_nothing_else():
    entries = [
        entry for stage in PIPELINE.values() for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])
    ]
    cached = {entry.replace(ITEM, "some").replace("${key}", "some") for entry in entries if isinstance(entry, str)}
    others = {next(iter(entry)).replace(ITEM, "some") for entry in entries if not isinstance(entry, str)}
    assert "metrics/some/evaluate.json" in others
    command = ["git", "check-ignore", *cached, *others]
    ignored = subprocess.run(command, cwd=imports.ROOT, capture_output=True, text=True, check=True).stdout
    assert set(ignored.splitlines()) == cached


@pytest.mark.parametrize("track", TRACKS)
def test_the_sections_of_a_track_speak_of_one_family(track):
    """Clouds have a mirror and no labels; of spectrograms it is the other way around."""
    section, clouds = NUMBERS[track], NUMBERS[track]["grid"]["raster"] == "voxels"
    assert section["evaluate"]["of"] == ("clouds" if clouds else "spectrograms")
    assert section["vae"]["loss"]["kind"] == ("occupancy" if clouds else "spectrogram")
    assert (section["ldm"]["architecture"]["condition"]["by"] == "labels") is not clouds
    conditioned = section["ldm"]["architecture"]["condition"]["by"] != "none"
    assert section["ldm"]["architecture"]["regression"]["kind"] == ("birdseye" if clouds and conditioned else "none")
    assert clouds or not any(section[stage]["mirror"] for stage in ("vae", "ldm", "cd"))


def test_what_a_stage_reads_is_raw_or_written_by_a_stage_before_it():
    written: set[str] = {f"data/raw/{ITEM}", f"data/{ITEM}/init", *paths(SELECT, "outs")}
    for stage in (*STAGES, AUGMENT):
        data = {dep for dep in paths(stage, "deps") if dep.startswith(("data/", "metrics/"))}
        assert data <= written, stage
        outputs = [path for kind in ("outs", "metrics", "plots") for path in paths(stage, kind)]
        assert len(outputs) == len(set(outputs))
        assert not set(outputs) & written
        written |= set(outputs)


@pytest.mark.parametrize("stage", [*STAGES, FOLDS, AUGMENT])
def test_a_stage_script_stays_short(stage):
    assert len(script(stage).read_text().splitlines()) <= 60


def test_folders_of_code_do_not_change_when_they_are_imported():
    assert "__pycache__/" in (imports.ROOT / ".dvcignore").read_text().splitlines()
