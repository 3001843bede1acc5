"""A module imports only from floors below its own, or from its own package."""

from pathlib import Path

import pytest

from echoes import imports

FLOORS = [
    {"errors"},
    {"files", "urls", "imports", "memory", "tasks"},
    {"formats"},
    {"params", "grids", "seeds", "batch_noise", "terms", "provenance", "metrics", "metric_order"},
    {"compute"},
    {"entry", "choices", "readers", "rasters", "nets", "arrays", "weights", "initial"} | {"evaluation", "reports"},
    {"training", "latentstore", "dataset", "augmentation", "judging"},
    {"autoencoder", "diffusion", "voxelization", "folds"},
    {"distillation"},
    {"models"},
    {"track_code", "inference"},
    {"exports"},
    {"stages", "commands"},
    {"cli"},
]
MODULES = sorted([*imports.PACKAGE.rglob("*.py"), *(imports.ROOT / "stages").glob("*.py")])


def room(path: Path) -> str:
    """The package of a module, or the module itself where it has none."""
    if path.is_relative_to(imports.PACKAGE):
        return path.relative_to(imports.PACKAGE).parts[0].removesuffix(".py")
    return path.relative_to(imports.ROOT).parts[0]


def floor(path: Path) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if room(path) in rooms)


def test_every_module_stands_on_a_floor():
    assert {room(path) for path in MODULES} - {"__init__"} == set.union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(imports.ROOT)))
def test_a_module_imports_only_from_below_or_from_its_own_package(path):
    wrong = [i for i in imports.direct(path) if room(i) != room(path) and floor(i) >= floor(path)]
    assert wrong == []


def test_diffusion_nets_and_training_know_neither_radar_nor_autoencoders():
    known = {"readers", "rasters", "evaluation", "reports", "dataset", "latentstore", "autoencoder", "grids"}
    for package in ("nets", "training", "diffusion", "distillation"):
        for path in (imports.PACKAGE / package).glob("*.py"):
            assert {room(i) for i in imports.closure(path)} & known == set(), path


def test_packages_export_nothing_because_a_re_export_makes_a_stage_depend_on_every_file():
    """But for the one that users import, which no stage does."""
    public = imports.PACKAGE / "inference" / "__init__.py"
    for path in set(imports.PACKAGE.rglob("__init__.py")) - {public}:
        assert path.read_text() == "", path
    for stage in (imports.ROOT / "stages").glob("*.py"):
        assert "inference" not in {room(path) for path in imports.closure(stage)}, stage
