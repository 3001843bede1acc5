"""Writes into dvc.yaml which code each stage depends on, because DVC does not follow imports.

Of a list of `deps`, the script of the stage and all that lies in src/ are written anew; data, comments and everything
outside of such lists stay as they are. A stage that depends on the folder `stages` runs all others, and is left alone.
"""

import re
from pathlib import Path

from echoes import imports, track_code

PIPELINE = imports.ROOT / "dvc.yaml"
# The script that a stage runs, and the lines of its `deps`, which stand deeper than that word.
STAGE = re.compile(r"(python stages/(\w+)\.py .*\n( +)deps:\n)((?:\3 +.*\n)+)")
CODE = ("- src/", "- stages/")
CHOICES = "select_code"  # the stage that tells which track leads to which code


def with_code(text: str) -> str:
    """The text of dvc.yaml with the code of each stage."""
    return STAGE.sub(lambda found: found[1] + _deps(found[2], found[4].splitlines(keepends=True), found[3]), text)


def _deps(stage: str, lines: list[str], indent: str) -> str:
    kept = [line for line in lines if not line.lstrip().startswith(CODE)]
    if f"{indent}  - stages\n" in kept:
        return "".join(lines)
    return "".join([*kept, *(f"{indent}  - {path}\n" for path in code(stage))])


def code(stage: str) -> list[str]:
    """The script of a stage, and what covers the modules that it imports."""
    script = imports.ROOT / "stages" / f"{stage}.py"
    used = imports.closure(script) | (track_code.every() if stage == CHOICES else set())
    return [_named(script), *sorted(map(_named, imports.covering(used, imports.PACKAGE)))]


def _named(path: Path) -> str:
    return path.relative_to(imports.ROOT).as_posix()


if __name__ == "__main__":
    PIPELINE.write_text(with_code(PIPELINE.read_text()))
