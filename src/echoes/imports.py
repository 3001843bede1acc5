"""Which modules of echoes a file imports, directly and through others, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parents[1]


@cache
def direct(path: Path) -> frozenset[Path]:
    """The files of echoes that `path` imports, wherever in the file, less those that only type checkers read."""
    names: list[str] = []
    for node in _running(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    candidates = [ROOT / "src" / Path(*name.split(".")).with_suffix(".py") for name in names if _is_ours(name)]
    return frozenset(candidate for candidate in candidates if candidate.is_file())


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, but what stands under `if TYPE_CHECKING`, which never runs."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _running(child)


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == "echoes"


def file_of(module: str) -> Path:
    """Where a module lies, by its dotted name; only the packages that it is in are imported."""
    spec = find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin).resolve()


def closure(path: Path) -> set[Path]:
    """All files of echoes that run when `path` runs, less those of packages (`__init__.py`), which are empty."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        for file in direct(waiting.pop()) - seen:
            seen.add(file)
            waiting.append(file)
    return seen


def covering(files: set[Path], folder: Path) -> list[Path]:
    """The fewest paths that name these files of a folder and no others: a folder where all its modules are meant."""
    modules = {path for path in folder.rglob("*.py") if path.name != "__init__.py"}
    if modules <= files:
        return [folder] if modules else []
    found = [path for path in modules & files if path.parent == folder]
    for inner in folder.iterdir():
        if inner.is_dir():
            found += covering(files, inner)
    return found
