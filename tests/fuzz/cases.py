"""One case: a folder of damaged files, read under limits, and judged."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from echoes.errors import InputError
from fuzz import guard, mutations
from fuzz.mutations import Files, Structured

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
    sealed      makes damaged files agree with their digests again, as a stranger would; for every other case.
    """

    name: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    check: Callable[[Any], None]
    structured: dict[str, Structured] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    weight: float = 1.0
    sealed: Callable[[Files], Files] | None = None

    def files(self, folder: Path) -> Files:
        """The valid recording, path -> bytes, and proof that it is one."""
        folder.mkdir()
        self.write(folder)
        self.check(self.read(folder))
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class EscapeError(AssertionError):
    """Neither a result nor one clear error."""


class Folder:
    """A folder of files that takes a new name for each case, because readers remember a path.

    Only what differs is written: making and removing folders is slow.
    """

    def __init__(self, above: Path) -> None:
        self._above, self._held, self._number = above, Files(), 0
        self.path = above / "case-0"
        self.path.mkdir(parents=True)

    def put(self, files: Files) -> Path:
        """The folder, with these files, as far as the file system takes their names."""
        if files.keys() != self._held.keys() or None in [*files.values(), *self._held.values()]:
            shutil.rmtree(self.path)
            self.path.mkdir()
            self._held = Files()
        for name, content in files.items():
            if name not in self._held or content != self._held[name]:
                _write(self.path / name, content)
        self._held = dict(files)
        self._number += 1
        self.path = self.path.rename(self._above / f"case-{self._number}")
        return self.path


def _write(path: Path, content: bytes | None) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        pass  # a file and a folder of one name: the first stays


def listing(folder: Path) -> list[tuple[str, int]]:
    """Path and size of all that lies below a folder, links not followed."""
    return sorted((str(path), 0 if path.is_dir() else path.lstat().st_size) for path in folder.rglob("*"))


def judge(target: Target, folder: Path) -> bool:
    """Read a folder; True for a result, False for a clear error. Raises EscapeError for anything else."""
    before = listing(folder.parent)
    try:
        with guard.limited():
            result = target.read(folder)
    except InputError as error:
        _check_message(str(error), folder, target.keys)
        answered = False
    except guard.Hang as error:
        raise EscapeError(f"{target.name}: {error}") from error
    except Exception as error:
        raise EscapeError(f"{target.name}: {type(error).__name__}: {str(error)[:300]}") from error
    else:
        target.check(result)
        answered = True
    if listing(folder.parent) != before or SIGN.exists():
        raise EscapeError(f"{target.name}: wrote files: {set(listing(folder.parent)) ^ set(before)}")
    return answered


def _check_message(message: str, folder: Path, keys: tuple[str, ...]) -> None:
    if len(message.splitlines()) != 1 or not message.replace(str(folder), "").isprintable():
        raise EscapeError(f"expected one printable line, got {message!r}")
    if len(message) > LONGEST + len(str(folder)):
        raise EscapeError(f"expected a line of {LONGEST} characters at most, got {len(message)}: {message[:200]}")
    if str(folder) not in message and not message.startswith(keys or "\n"):
        raise EscapeError(f"expected the name of a file of {folder}, got {message!r}")


@dataclass
class Tally:
    """What happened to the cases of a target."""

    cases: int = 0
    results: int = 0
    escapes: int = 0


def fuzz(target: Target, count: int, above: Path, repeated: bool, tally: Tally) -> None:
    """`count` cases of a target or more; raises EscapeError for one that escapes.

    repeated   the same cases each time; else new ones.
    tally      counts them, also where one escapes.
    """
    files = target.files(above / "valid")
    folder = Folder(above / "cases")

    @settings(
        max_examples=count,
        derandomize=repeated,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(st.integers(0, 2**64 - 1))
    def case(seed: int) -> None:
        rng = Random(seed)  # of its own: mutators swallow what a generator of hypothesis raises
        tally.cases += not tally.escapes  # after one, hypothesis looks for simpler forms of it
        try:
            damaged = mutations.mutated(files, rng, target.structured)
            if target.sealed and rng.random() < 0.5:
                damaged = target.sealed(damaged)
            tally.results += judge(target, folder.put(damaged))
        except AssertionError:
            tally.escapes = 1
            raise

    case()
