"""Other numbers in the text of a YAML file, which keeps its comments and its layout."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

PLAIN = re.compile(r"[A-Za-z_][\w/.-]*")  # a text that needs no quotes, unless it is a word such as true


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """The text with other values at dotted paths that it has, such as radar.clutter.false_alarms."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    marks = {path: _found(root, path.split(".")) for path in values}
    for path in sorted(values, key=lambda path: marks[path].start_mark.index, reverse=True):
        start, end = marks[path].start_mark.index, last_index(marks[path])
        text = text[:start] + flow(values[path]) + text[end:]
    return text


def with_key(text: str, section: str, key: str, value: Any) -> str:
    """The text with one more key at the head of a section, which must be a mapping that is not empty."""
    parent = _found(yaml.compose(text, Loader=yaml.SafeLoader), section.split("."))
    first = parent.value[0][0].start_mark
    after = ", " if parent.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}{key}: {flow(value)}{after}{text[first.index :]}"


def with_last_key(text: str, section: str, key: str, value: Any) -> str:
    """The text with one more key at the end of a section, which must be a mapping that is not empty."""
    parent = _found(yaml.compose(text, Loader=yaml.SafeLoader), section.split("."))
    first, last = parent.value[0][0].start_mark, parent.value[-1][1]
    if parent.flow_style:
        end = last.end_mark.index
        return f"{text[:end]}, {key}: {flow(value)}{text[end:]}"
    end = line_end(text, last_index(last))
    before = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    return f"{before}{' ' * first.column}{key}: {flow(value)}\n{text[end:]}"


def has(text: str, path: str) -> bool:
    """Whether the text has something at the path, be it null."""
    *section, last = path.split(".")
    parent = _found(yaml.compose(text, Loader=yaml.SafeLoader), section)
    return any(key.value == last for key, _ in parent.value)


def alias(text: str) -> str:
    """The first name in the text that stands for a value elsewhere, which cannot be changed alone; empty if none."""
    return next((token.value for token in yaml.scan(text) if isinstance(token, yaml.AliasToken)), "")


def flow(value: Any) -> str:
    """A value on one line: [0.5, 2.0], {a: 1.0}."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, str) and not (PLAIN.fullmatch(value) and yaml.safe_load(value) == value):
        return json.dumps(value)  # which is a text of YAML, too
    return str(value)


def line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Behind the end of the line."""
    return text.find("\n", index) + 1 or len(text)


def last_index(node: Any) -> int:
    """Where the content of a node ends, which in block style itself reaches over comments to the next key."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return last_index(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _found(node: Any, keys: list[str]) -> Any:
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)
    return node
