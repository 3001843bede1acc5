"""A section of params.yaml -> a frozen dataclass, strictly.

Own code, because the schema libraries either turn one type into another silently or do not
name the full path of the key at fault.
"""

import dataclasses
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from echoes.errors import InputError, one_line


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars (PyYAML alone reads 1.1: `5e-05` is text and `yes` is true)."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (an own table; the base class shares one between all loaders)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                raise yaml.constructor.ConstructorError(None, None, "a key is no single word", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} occurs twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _resolve(tag: str, pattern: str, first: Sequence[str]) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), list(first))


def _refused(loader: yaml.Loader, node: yaml.Node) -> Any:
    raise yaml.constructor.ConstructorError(None, None, f"the tag {node.tag!r} is not known here", node.start_mark)


# What no parameter is, and where the parser stumbles over values that do not fit.
for _tag in ("timestamp", "set", "omap", "pairs", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _refused)
_resolve("null", "~|null|", ["~", "n", ""])  # nothing at all is null too
_resolve("bool", "true|false", "tf")
_resolve("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789")
_NUMBER = r"(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_resolve("float", rf"[-+]?{_NUMBER}|[-+]?\.inf|\.nan", "-+.0123456789")
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _number(node.value))


def _number(text: str) -> float:
    special = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
    return special[text] if text in special else float(text)


MAX_BYTES, MAX_DEPTH = 1 << 20, 100  # of a file; brackets in brackets
# No UTF-8, a number without end, lists without end, and what an explicit tag that does not fit makes the parser raise.
_BROKEN = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError, OSError)


@cache
def _document(path: Path, modified_ns: int) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _broken(error, path) from error
    return parse(content, path)


def parse(content: bytes, path: Path) -> Any:
    """What YAML holds, with YAML 1.2 numbers; path: for messages. Raises InputError for what is none."""
    try:
        _check_extent(content, path)
        return yaml.load(content, Loader=_Loader)  # a SafeLoader: see _Loader
    except InputError:
        raise
    except _BROKEN as error:
        raise _broken(error, path) from error


def _broken(error: Exception, path: Path) -> InputError:
    return InputError(f"{path}: expected YAML, got {one_line(error)}")


def _check_extent(content: bytes, path: Path) -> None:
    """The parser takes minutes for megabytes, and for brackets in brackets a time that grows with their square."""
    if len(content) > MAX_BYTES:
        raise InputError(f"{path}: expected YAML of at most {MAX_BYTES >> 20} MiB, got {len(content)} bytes")
    depth = 0
    for bracket in re.findall(rb"[\[\]{}]", content):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InputError(f"{path}: expected YAML up to {MAX_DEPTH} brackets deep, got more")


def document(path: Path) -> Any:
    """The content of a YAML file, with YAML 1.2 numbers; a key given twice is refused."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return _document(path, path.stat().st_mtime_ns)


def load(cls: Any, section: str, path: Path = Path("params.yaml")) -> Any:
    """Build `cls` from a dotted section such as `radar.ldm`.

    Raises InputError for a missing, an unknown or a mistyped key, with the key's full path.
    """
    node = document(path)
    for depth, key in enumerate(keys := section.split("."), start=1):
        if not isinstance(node, Mapping) or key not in node:
            known = ", ".join(map(str, node)) if isinstance(node, Mapping) else "nothing"
            raise InputError(f"{'.'.join(keys[:depth])}: missing in {path}, which has {known} there")
        node = node[key]
    return build(cls, node, section)


def build(cls: Any, value: Any, path: str) -> Any:
    """Turn parsed YAML into `cls`; `path` names the value in messages.

    Known are dataclasses (strict: no missing, no unknown key), int, float (a whole number is
    taken), str, bool, None, Literal, tuple[X, ...], tuple[X, Y], dict[str, X] and unions. Of a
    union of dataclasses the one is built whose Literal field the value names. A dataclass may tell
    by `RENAMED: ClassVar[Mapping[str, str]]` how keys are called that it had under other names; a
    name that begins with a slash is none of its own section.
    """
    return _build(cls, value, path)


def require_counts(**counts: int) -> None:
    """For a check in __post_init__: raises InputError, with the name, for a count below 1."""
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name}: expected at least 1, got {count}")


def build_subset(cls: Any, told: Mapping[str, Any], path: str) -> Any:
    """Build the dataclass `cls` from what the header of an artifact tells, which may tell more, as strictly."""
    names = [field.name for field in dataclasses.fields(cls)]
    return build(cls, {name: told[name] for name in names if name in told}, path)


def _build(kind: Any, value: Any, path: str) -> Any:
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path)
    if origin is Literal:
        if value in get_args(kind) and type(value) in {type(a) for a in get_args(kind)}:
            return value
        raise _mismatch(path, "one of " + ", ".join(map(str, get_args(kind))), value)
    if origin in (Union, UnionType):
        return _union(get_args(kind), value, path)
    if origin is tuple:
        return _tuple(get_args(kind), value, path)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _mismatch(path, "a mapping", value)
        return {str(k): _build(get_args(kind)[1], v, f"{path}.{k}") for k, v in value.items()}
    if kind is float and type(value) in (int, float):
        if not math.isfinite(value):
            raise _mismatch(path, "a finite number", value)
        return float(value)
    if kind in (int, str, bool, NoneType) and type(value) is kind:
        return value
    raise _mismatch(path, _WORDS[kind], value)


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false", NoneType: "null"}


def _mismatch(path: str, expected: str, value: Any) -> InputError:
    return InputError(f"{path}: expected {expected}, got {reprlib.repr(value)}")


def _dataclass(cls: Any, value: Any, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise _mismatch(path, "a mapping", value)
    hints = get_type_hints(cls)
    fields = [field.name for field in dataclasses.fields(cls)]
    for name in value:
        if name not in fields and (moved := _moved(cls, hints, name)):
            raise InputError(f"{path}.{name}: unknown; it is {moved[1:] if moved[0] == '/' else f'{path}.{moved}'}")
    for name in fields:
        if name not in value:
            raise InputError(f"{path}.{name}: missing; {path} needs {', '.join(fields)}")
    for name in value:
        if name not in fields:
            raise InputError(f"{path}.{name}: unknown; {path} takes {', '.join(fields)}")
    built = {name: _build(hints[name], value[name], f"{path}.{name}") for name in fields}
    try:
        return cls(**built)
    except InputError as error:  # a check in __post_init__ knows the field, not the path
        raise InputError(f"{path}.{error}") from error


def _moved(cls: Any, hints: Mapping[str, Any], name: str) -> str | None:
    """Where a key has moved to: as `cls` tells in RENAMED, or below the first field, a dataclass, that has the key."""
    if told := getattr(cls, "RENAMED", {}).get(name):
        return str(told)
    for field, hint in hints.items():
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        classes = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
        if any(name == each.name for cls in classes for each in dataclasses.fields(cls)):
            return f"{field}.{name}"
    return None


def _union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    classes = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    if classes and isinstance(value, Mapping):
        return _dataclass(_chosen(classes, value, path), value, path)
    for kind in kinds:
        if kind in classes:
            continue
        try:
            return _build(kind, value, path)
        except InputError:
            continue  # the next kind of the union may fit; the last line raises when none does
    if isinstance(value, str) and (spelled := _spelled(classes, value)):
        raise _mismatch(path, spelled, value)
    words = [_word(kind, kind in classes) for kind in kinds]
    raise _mismatch(path, " or ".join(dict.fromkeys(words)), value)


def _word(kind: Any, is_class: bool) -> str:
    """What a kind of a union is called in messages."""
    if get_origin(kind) is tuple:
        return "a list"
    return _WORDS.get(kind, "a mapping" if is_class else str(get_args(kind) or kind))


def _chosen(classes: list[Any], value: Mapping[str, Any], path: str) -> Any:
    """The dataclass whose Literal field (`reader`, `method`) holds what the value names."""
    if len(classes) == 1:
        return classes[0]
    hints = {cls: get_type_hints(cls) for cls in classes}
    shared = set.intersection(*({n for n, h in hints[cls].items() if get_origin(h) is Literal} for cls in classes))
    tags = [n for n in shared if len({get_args(hints[cls][n]) for cls in classes}) == len(classes)]
    tag = min(tags)
    if tag not in value:
        raise InputError(f"{path}.{tag}: missing")
    for cls in classes:
        if value[tag] in get_args(hints[cls][tag]):
            return cls
    known = ", ".join(str(name) for cls in classes for name in get_args(hints[cls][tag]))
    raise _mismatch(f"{path}.{tag}", f"one of {known}", value[tag])


def _spelled(classes: list[Any], name: str) -> str | None:
    """How the section of the dataclass with `name` in a Literal field is written, for who gives the name alone."""
    for cls in classes:
        hints = get_type_hints(cls)
        tags = [key for key, hint in hints.items() if get_origin(hint) is Literal and name in get_args(hint)]
        if tags:
            keys = [field.name for field in dataclasses.fields(cls)]
            return "{" + ", ".join(f"{key}: {name if key == tags[0] else '...'}" for key in keys) + "}"
    return None


def _tuple(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _mismatch(path, "a list", value)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise _mismatch(path, f"{len(kinds)} entries", value)
    return tuple(_build(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True)))
