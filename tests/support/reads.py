"""Which keys of a section are read: by code that runs meanwhile, or by the source of modules."""

import ast
import re
import sys
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest


class Reads:
    """The dotted keys that are read of sections, dataclasses, from when they are followed; copies of them belong to it.

    What the module dataclasses reads, to copy one or to write it down, does not count. tags: keys by which the class of
    a section was chosen before; mappings: keys of mappings that are no sections.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: set[str] = set()
        self.tags: set[str] = set()
        self.mappings: set[str] = set()
        self._patch, self._classes = patch, set()
        self._places: dict[int, str] = {}
        self._followed: list[Any] = []  # kept, because another object could get its id

    def follow(self, section: Any, place: str) -> None:
        """place: the dotted key of the section."""
        self._places[id(section)] = place
        self._followed.append(section)
        self._listen(type(section))
        hints = get_type_hints(type(section))
        for name in (field.name for field in fields(section)):
            value = object.__getattribute__(section, name)
            if is_dataclass(value):
                self.follow(value, f"{place}.{name}")
            elif isinstance(value, dict):
                self.mappings.add(f"{place}.{name}")
            elif get_origin(hints[name]) is Literal and len(get_args(hints[name])) == 1:
                self.tags.add(f"{place}.{name}")

    def has(self, key: str) -> bool:
        """Whether a value was read."""
        return self.named(key) in self.seen

    def named(self, key: str) -> str:
        """The key itself, or that of the mapping which it is in, such as the weights by channel: no attributes."""
        above = key.rpartition(".")[0]
        return above if above in self.mappings else key

    def copied(self, section: Any, copy: Any) -> Any:
        self._places[id(copy)] = self._places.get(id(section), "")
        self._followed.append(copy)
        return copy

    def _listen(self, cls: type) -> None:
        if cls in self._classes:
            return
        self._classes.add(cls)
        names = {field.name for field in fields(cls)}

        def read(section: Any, name: str) -> Any:
            value = object.__getattribute__(section, name)
            outside = sys._getframe(1).f_globals.get("__name__") != "dataclasses"
            if name in names and outside and not is_dataclass(value):
                self.seen.add(f"{self._places.get(id(section), '')}.{name}")
            return value

        self._patch.setattr(cls, "__getattribute__", read)


def chains(section: str, *files: Path) -> set[str]:
    """The dotted keys of the section that modules read of what they call `p`: p.schedule.ema."""
    text = "".join(file.read_text() for file in files)
    return {f"{section}.{chain}" for chain in re.findall(r"\b_?p\.([a-z_]\w*(?:\.\w+)*)", text)}


@cache
def attributes(file: Path) -> frozenset[str]:
    """The names of all attributes that a module reads, but for the checks of its dataclasses."""
    tree = ast.parse(file.read_text())
    checks = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__post_init__"]
    unwanted = {id(node) for check in checks for node in ast.walk(check)}
    return frozenset(
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in unwanted
    )
