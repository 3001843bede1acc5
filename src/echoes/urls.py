"""Files at a URL that fsspec reads, such as s3://bucket/folder: their sizes and bytes.

A network that does not answer is asked again.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import fsspec

from echoes.errors import InputError, one_line

TOGETHER = 16  # requests at once
TRIES, PAUSE_S = 5, 0.5  # the pause doubles: 7.5 s in all
LIBRARIES = ("aiohttp", "botocore")  # whose errors of a network are no OSError
FINAL = (IsADirectoryError, NotADirectoryError, PermissionError)  # however often one asks
Result = TypeVar("Result")


@dataclass(frozen=True)
class Url:
    """A file or a folder, of which `/` names what lies below it."""

    text: str

    def __truediv__(self, name: str) -> "Url":
        return Url(f"{self.text.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return self.text

    def size(self) -> int | None:
        """Bytes of a file; None where there is none. Raises InputError where nobody answers."""
        try:
            found = asked(self, lambda: self._files().info(self.text)["size"])
        except FileNotFoundError:
            return None
        if found is None:
            raise InputError(f"{self}: expected a server that tells the size of a file, got one that does not")
        return int(found)

    def sizes(self, names: Iterable[str]) -> dict[str, int | None]:
        """Name of a file below this one -> its size; several are asked for at once."""
        listed = list(names)
        with ThreadPoolExecutor(TOGETHER) as pool:
            return dict(zip(listed, pool.map(lambda name: (self / name).size(), listed), strict=True))

    def read(self) -> bytes:
        """Raises InputError where there is no file, or where nobody answers."""
        try:
            return asked(self, lambda: bytes(self._files().cat_file(self.text)))
        except FileNotFoundError as error:
            raise InputError(f"{self}: no such file") from error

    def _files(self) -> fsspec.AbstractFileSystem:
        try:
            return fsspec.url_to_fs(self.text)[0]
        except (ImportError, ValueError) as error:  # a protocol whose package is missing, or that nobody knows
            raise InputError(f"{self}: expected a URL that can be read, got {one_line(error)}") from error


def asked(place: Url, ask: Callable[[], Result]) -> Result:
    """What `ask` answers, tried again where a network may be at fault; then an InputError that names `place`.

    FileNotFoundError, and what is no fault of a network, comes through.
    """
    for number in range(TRIES):
        try:
            return ask()
        except Exception as error:
            if isinstance(error, FileNotFoundError) or not _of_network(error):
                raise
            if isinstance(error, FINAL) or number == TRIES - 1:
                raise InputError(f"{place}: expected an answer, got {one_line(error)}") from error
        time.sleep(PAUSE_S * 2**number)
    raise AssertionError("the last try has answered or raised")


def _of_network(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in LIBRARIES
