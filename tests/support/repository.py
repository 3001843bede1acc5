"""A repository of its own in which the radar track was built once at the smallest size, and `dvc` and `git` in it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from textwrap import dedent
from typing import Any

import yaml

import test_end_to_end
from echoes import files

TRACK = "radar"
ARTIFACTS = test_end_to_end.MADE


@dataclass(frozen=True)
class Repository:
    """A checkout, and the environment in which its commands run: nothing of the user's own settings."""

    root: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        """The environment of its commands."""
        return {
            **{name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.home / "site"),
            **{f"GIT_{who}_NAME": "test" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "test@localhost" for who in ("AUTHOR", "COMMITTER")},
            **self.environment,
        }

    def run(self, *command: str, status: int | None = 0) -> str:
        """What the command printed; fails unless it ends with `status`, where that is given."""
        done = subprocess.run(
            command, cwd=self.root, env=self.variables(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert status is None or done.returncode == status, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def dvc(self, *arguments: str, status: int | None = 0) -> str:
        return self.run("dvc", *arguments, status=status)

    def json(self, *arguments: str) -> Any:
        """What a DVC command prints as JSON; NaN and infinity, which are no JSON, fail."""
        printed = self.dvc(*arguments, "--json")
        return json.loads(printed, parse_constant=_refuse)

    def stages(self, *names: str) -> None:
        """Run scripts of stages without DVC, in one process: `import torch` takes longer than such small stages.

        They import the code of which this checkout has a copy, so that numba compiles it once for all tests.
        """
        loop = f"import runpy\nfor s in {names}: runpy.run_path(f'stages/{{s}}.py')['main']({TRACK!r})"
        self.run("env", f"PYTHONPATH={test_end_to_end.ROOT / 'src'}", "python", "-c", loop)

    def change(self, section: str, **values: Any) -> None:
        """Change parameters of a section of the track in params.yaml; a dot in its name leads to one inside."""
        path = self.root / "params.yaml"
        params = yaml.safe_load(path.read_text())
        found = params[TRACK]
        for name in section.split("."):
            found = found[name]
        found |= values
        path.write_text(yaml.safe_dump(params, sort_keys=False))

    def digests(self) -> dict[str, str]:
        """sha256 of every artifact of the track."""
        return {name: files.digest(self.root / "data" / TRACK / name) for name in ARTIFACTS.values()}

    def evaluation(self) -> dict[str, Any]:
        """What evaluate.json says, without what a clock measured."""
        report = json.loads((self.root / "metrics" / TRACK / "evaluate.json").read_text())
        blocks = {name: block for name, block in report.items() if isinstance(block, dict)}
        return report | {
            name: {key: value for key, value in block.items() if key != "latency_ms"} for name, block in blocks.items()
        }

    def cached(self, path: str) -> Path:
        """The cache object of a file that dvc.lock names."""
        stages = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"].values()
        found = {out["path"]: out["md5"] for stage in stages for out in stage["outs"] if "md5" in out}[path]
        return self.root / ".dvc" / "cache" / "files" / "md5" / found[:2] / found[2:]

    def wrong_objects(self) -> list[str]:
        """Cache objects whose name is not the md5 of their content."""
        cache = self.root / ".dvc" / "cache" / "files" / "md5"
        objects = [path for path in cache.rglob("*") if path.is_file()]
        assert objects
        return [p.name for p in objects if md5(p.read_bytes()).hexdigest() != (p.parent.name + p.name)[:32]]

    def copy(self, folder: Path) -> "Repository":
        """The same checkout in another folder, with its cache, and with nothing else that DVC remembers."""
        shutil.copytree(self.root, folder / "copy", symlinks=True)
        (folder / "home").mkdir()
        return Repository(folder / "copy", folder / "home")

    def clone(self, folder: Path) -> "Repository":
        """A fresh `git clone`, with a home of its own that has the same keys."""
        shutil.copytree(self.home, folder / "home", ignore=shutil.ignore_patterns("site"))
        self.run("git", "clone", "--quiet", str(self.root), str(folder / "clone"))
        return Repository(folder / "clone", folder / "home", self.environment)


def _refuse(constant: str) -> None:
    raise ValueError(f"expected JSON, got {constant}")


def documented(word: str) -> str:
    """The block of shell commands in docs/experiments.md that has `word` in it."""
    text = (test_end_to_end.ROOT / "docs" / "experiments.md").read_text()
    blocks = re.findall(r"(?:^    .+\n)+", text, flags=re.MULTILINE)
    (found,) = [block for block in blocks if word in block]
    return dedent(found)


def build(folder: Path) -> None:
    """The radar track at the smallest size, every stage run once, all of it committed."""
    folder.mkdir(parents=True)
    repository = checked_out(folder, _smallest())
    repository.stages("select_code", *ARTIFACTS, "evaluate")
    repository.dvc("commit", "--force", "--quiet")
    repository.run("git", "add", ".")
    repository.run("git", "commit", "--quiet", "-m", "first results")


def checked_out(folder: Path, numbers: dict[str, Any]) -> Repository:
    """The project with these params, as one commit, in which nothing has run yet."""
    repository = Repository(folder / "repository", folder / "home")
    repository.home.mkdir()
    repository.root.mkdir()
    for path in _project():
        target = repository.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(test_end_to_end.ROOT / path, target)
    (repository.root / "params.yaml").write_text(yaml.safe_dump(numbers, sort_keys=False))
    repository.run("git", "init", "--quiet", "--initial-branch", "main")
    repository.run("git", "add", ".")
    repository.run("git", "commit", "--quiet", "-m", "the project")
    return repository


def _project() -> list[str]:
    """The files of this checkout as they lie on disk, less what git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=test_end_to_end.ROOT, capture_output=True, text=True, check=True).stdout
    roots = ("src/", "stages/", "data/raw/", "data/scratch/", ".dvc/", ".dvcignore", ".gitignore", "dvc.yaml")
    return [path for path in listed.splitlines() if path.startswith(roots) and (test_end_to_end.ROOT / path).exists()]


def _smallest() -> dict[str, Any]:
    params = test_end_to_end.small_params(TRACK)
    params[TRACK]["sample"]["sigmas"]["steps"] = 2
    return params
