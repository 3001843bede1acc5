"""`make deps` writes the code of a stage into dvc.yaml and nothing else."""

import pytest

import deps
from echoes import imports

PIPELINE = """\
# A comment.
stages:
  extract_latents:
    matrix:
      track: ${tracks}
    cmd: env PYTHONPATH=src python stages/extract_latents.py ${item.track}
    deps:
      - data/${item.track}/grids.zarr # what voxelize wrote
      - src/echoes/gone.py
      # What is trained.
      - data/${item.track}/vae.safetensors
    params:
      - ${item.track}.latents
  train_vae:
    foreach: ${tracks}
    do:
      cmd: env PYTHONPATH=src python stages/train_vae.py ${key}
      deps:
        - src/echoes/gone.py
      params:
        - vae.${key}
  folds:
    cmd: env PYTHONPATH=src python stages/folds.py ${item.track}
    deps:
      - stages
      - src/echoes
"""


def test_code_is_written_anew_and_all_else_stays():
    lines = deps.with_code(PIPELINE).splitlines()
    gone = [line for line in PIPELINE.splitlines() if line not in lines]
    assert [line.strip() for line in gone] == ["- src/echoes/gone.py"] * 2
    new = [line for line in lines if line not in PIPELINE.splitlines()]
    first, second = deps.code("extract_latents"), deps.code("train_vae")
    assert new == [*(f"      - {path}" for path in first), *(f"        - {path}" for path in second)]
    assert deps.with_code("\n".join(lines) + "\n").splitlines() == lines


@pytest.mark.parametrize(
    ("used", "covered"),
    [
        (["one.py"], ["one.py"]),
        (["in/a.py"], ["in/a.py"]),
        (["in/a.py", "in/deep/b.py"], ["in"]),
        (["in/deep/b.py", "one.py"], ["in/deep", "one.py"]),
        (["in/a.py", "in/deep/b.py", "one.py"], [""]),
        ([], []),
    ],
)
def test_a_folder_stands_for_its_modules_where_all_of_them_are_used(tmp_path, used, covered):
    for name in ("one.py", "in/a.py", "in/__init__.py", "in/deep/b.py", "in/deep/__init__.py", "notes/read.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = imports.covering({tmp_path / name for name in used}, tmp_path)
    assert sorted(found) == sorted(tmp_path / name for name in covered)
