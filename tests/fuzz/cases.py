"""One case: a folder of damaged files, read under limits, and judged."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fuzz import guard, mutations
from fuzz.mutations import Files, Structured

from echoes.errors import InputError

SIGN = Path(mutations.SIGN)  # in the working folder: what a shell would make of a name or a text
LONGEST = 3000  # characters of a message


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    write       writes a small valid recording into a folder.
    read        reads all of a folder, as a stage would.
    check       asserts what a result must be.
    structured  ending of a file's name -> the mutator that knows its format.
    keys        what a message may start with in place of a file's name.
    weight      share of the cases, relative to the other targets.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    check: Callable[[Any], None]
    structured: dict[str, Structured] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    weight: float = 1.0

    def files(self, folder: Path) -> Files:
        """The valid recording, path -> bytes, and proof that it is one."""
        folder.mkdir()
        self.write(folder)
        self.check(self.read(folder))
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Escape(AssertionError):
    """Neither a result nor one clear error."""


def put(files: Files, folder: Path) -> None:
    """Write `files` below `folder`, as far as the file system takes their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.mkdir()
            else:
                path.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue  # a file and a folder of one name: the first stays


def listing(folder: Path) -> list[tuple[str, int]]:
    """Path and size of all that lies below a folder, links not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        found += [(os.path.join(place, name), 0) for name in folders]
        found += [(path := os.path.join(place, name), os.lstat(path).st_size) for name in names]
    return sorted(found)


def judge(target: Target, folder: Path) -> bool:
    """Read a folder; True for a result, False for a clear error. Raises Escape for anything else."""
    before = listing(folder.parent)
    try:
        with guard.limited():
            result = target.read(folder)
    except InputError as error:
        _check_message(str(error), folder, target.keys)
        answered = False
    except guard.Hang as error:
        raise Escape(f"{target.name}: {error}") from error
    except Exception as error:
        raise Escape(f"{target.name}: {type(error).__name__}: {str(error)[:300]}") from error
    else:
        target.check(result)
        answered = True
    if listing(folder.parent) != before or SIGN.exists():
        raise Escape(f"{target.name}: wrote files: {set(listing(folder.parent)) ^ set(before)}")
    return answered


def _check_message(message: str, folder: Path, keys: tuple[str, ...]) -> None:
    if len(message.splitlines()) != 1 or not message.replace(str(folder), "").isprintable():
        raise Escape(f"expected one printable line, got {message!r}")
    if len(message) > LONGEST + len(str(folder)):
        raise Escape(f"expected a line of {LONGEST} characters at most, got {len(message)}: {message[:200]}")
    if str(folder) not in message and not message.startswith(keys or "\n"):
        raise Escape(f"expected the name of a file of {folder}, got {message!r}")


def run(target: Target, files: Files, rng: Random, folder: Path) -> bool:
    """One case in a new folder, which stays where the case escapes or ends the process."""
    put(mutations.mutated(files, rng, target.structured), folder)
    answered = judge(target, folder)
    shutil.rmtree(folder)
    return answered
