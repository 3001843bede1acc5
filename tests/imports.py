"""Which modules of echoes a file imports, directly and through others, read from the source."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "echoes"


def direct(path: Path) -> set[Path]:
    """The files of echoes that `path` imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "echoes":
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "echoes"]
        candidates = [ROOT / "src" / Path(*name.split(".")).with_suffix(".py") for name in names]
        found |= {candidate for candidate in candidates if candidate.is_file()}
    return found


def closure(path: Path) -> set[Path]:
    """All files of echoes that run when `path` runs."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        for file in direct(waiting.pop()) - seen:
            seen.add(file)
            waiting.append(file)
    return seen
