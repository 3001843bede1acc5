"""What would run the code of a stranger's file, or write outside its folder, is nowhere in the sources."""

import ast
from pathlib import Path

import numpy as np
import pytest

import artifacts
from echoes.commands import generate, outputs
from echoes.inference import columns
from echoes.models.radar.clouds import POINT_COLUMNS
from echoes.readers.frames import Entry
from echoes.reports.spectrograms import View

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("src", "stages", "bench", "docs") for path in (ROOT / folder).rglob("*.py"))
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
SAFE_LOADERS = {"SafeLoader", "CSafeLoader", "yaml.SafeLoader", "yaml.CSafeLoader"}


def findings(text: str) -> list[str]:
    """What is unsafe in a source, one entry each."""
    tree = ast.parse(text)
    safe = SAFE_LOADERS | {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & SAFE_LOADERS
    }
    return [found for node in ast.walk(tree) for found in _of(node, safe)]


def _of(node: ast.AST, safe_loaders: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES]
    if isinstance(node, ast.ImportFrom):
        from_pickles = [node.module] if (node.module or "").split(".")[0] in PICKLES else []
        shells = SHELLS & {alias.name for alias in node.names} if node.module in ("os", "subprocess", "asyncio") else []
        return [*from_pickles, *shells]
    return _of_call(node, safe_loaders) if isinstance(node, ast.Call) else []


def _of_call(call: ast.Call, safe_loaders: set[str]) -> list[str]:
    called = ast.unparse(call.func)
    owner, _, name = called.rpartition(".")
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    loader = given.get("Loader") or (ast.unparse(call.args[1]) if len(call.args) > 1 else "none")
    unsafe = {
        "torch.load": called == "torch.load" and given.get("weights_only") != "True",
        "read_pickle": name in ("read_pickle", "to_pickle"),
        "allow_pickle": given.get("allow_pickle", "False") != "False",
        "np.load": called in ("np.load", "numpy.load") and (len(call.args) > 2 or None in given),
        "yaml.load": owner == "yaml" and name in ("load", "load_all") and loader not in safe_loaders,
        "yaml.unsafe_load": owner == "yaml" and name.startswith(("unsafe_load", "full_load")),
        "shell": given.get("shell", "False") != "False",
        "os.system": owner in ("os", "subprocess", "asyncio") and name in SHELLS,
        "extractall": name in ("extractall", "extract", "unpack_archive") and given.get("filter") != "'data'",
        "eval": called in ("eval", "exec"),
    }
    return [what for what, found in unsafe.items() if found]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_neither_unpickles_nor_starts_a_shell_nor_unpacks_an_archive_anywhere(path: Path) -> None:
    assert findings(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import torch; torch.load('a')",
        "import torch; torch.load('a', weights_only=False)",
        "import pickle",
        "from pickle import loads",
        "import joblib.numpy_pickle",
        "import pandas as pd; pd.read_pickle('a')",
        "import numpy as np; np.load('a', allow_pickle=True)",
        "import numpy as np; np.load('a', None, True)",
        "import numpy as np; np.load('a', **options)",
        "import yaml; yaml.load(text)",
        "import yaml; yaml.load(text, Loader=yaml.Loader)",
        "import yaml; yaml.load(text, yaml.UnsafeLoader)",
        "import yaml; yaml.unsafe_load(text)",
        "import yaml\nclass Mine(yaml.FullLoader): pass\nyaml.load(text, Loader=Mine)",
        "import subprocess; subprocess.run('ls', shell=True)",
        "import subprocess; subprocess.getoutput('ls')",
        "import os; os.system('ls')",
        "from os import system",
        "import tarfile; tarfile.open('a').extractall('b')",
        "import zipfile; zipfile.ZipFile('a').extract('b')",
        "import shutil; shutil.unpack_archive('a')",
        "eval('1')",
    ],
)
def test_each_of_them_would_be_found(text: str) -> None:
    assert findings(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "import torch; torch.load('a', weights_only=True)",
        "import numpy as np; np.load('a', allow_pickle=False)",
        "import yaml\nclass Mine(yaml.SafeLoader): pass\nyaml.load(text, Loader=Mine)",
        "import yaml; yaml.safe_load(text)",
        "import subprocess; subprocess.run(['ls'])",
        "import tarfile; tarfile.open('a').extractall('b', filter='data')",
        "model.eval()",
    ],
)
def test_what_is_safe_is_not_taken_for_one_of_them(text: str) -> None:
    assert findings(text) == []


STRANGE = ("..", "../../evil", "/tmp/evil", "a/../../evil", "-rf", "$(touch evil)", "a\nb", "$\\frac", ".", "")


@pytest.mark.parametrize("label", STRANGE)
def test_pictures_of_a_strange_label_stay_in_their_folder(tmp_path: Path, label: str) -> None:
    (tmp_path / "deep" / "out").mkdir(parents=True)
    name = generate.name_of((label,))
    crops = artifacts.spectrograms(0, "1", "fall")
    view = View(artifacts.VELOCITY, artifacts.TIME, (-40.0, 0.0))
    generate.draw(crops, name, view, tmp_path / "deep" / "out")
    found = {path.relative_to(tmp_path / "deep" / "out").as_posix() for path in tmp_path.rglob("*.png")}
    assert found == {f"{name}.png", f"{name}/0000.png", f"{name}/0001.png"}
    assert "/" not in name


@pytest.mark.parametrize("sequence", STRANGE)
@pytest.mark.parametrize("form", ["ply", "pcd", "npy", "csv"])
def test_a_cloud_of_a_strange_sequence_stays_in_its_folder(tmp_path: Path, sequence: str, form: outputs.Format) -> None:
    (tmp_path / "deep" / "out").mkdir(parents=True)
    entry, nothing = Entry(sequence, 0.0, "key"), np.full(3, np.nan)
    cloud, folder = columns.structured(np.zeros((2, 6), np.float32), POINT_COLUMNS), tmp_path / "deep" / "out"
    row = outputs.written(cloud, folder, entry, 7, form, nothing)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "deep" / "out" / row.file]
    assert row.file.endswith(f"_000007.{form}")
    assert "/" not in row.file
