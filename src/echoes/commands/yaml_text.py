"""Other numbers in the text of a YAML file, which keeps its comments and its layout."""

from collections.abc import Mapping
from typing import Any

import yaml


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """The text with other values at dotted paths that it has, such as radar.clutter.false_alarms."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    marks = {path: _found(root, path.split(".")) for path in values}
    for path in sorted(values, key=lambda path: marks[path].start_mark.index, reverse=True):
        start, end = marks[path].start_mark.index, marks[path].end_mark.index
        text = text[:start] + flow(values[path]) + text[end:]
    return text


def with_key(text: str, section: str, key: str, value: Any) -> str:
    """The text with one more key at the head of a section, which must be a mapping that is not empty."""
    parent = _found(yaml.compose(text, Loader=yaml.SafeLoader), section.split("."))
    first = parent.value[0][0].start_mark
    after = ", " if parent.flow_style else "\n" + " " * first.column
    return f"{text[: first.index]}{key}: {flow(value)}{after}{text[first.index :]}"


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
    return str(value)


def _found(node: Any, keys: list[str]) -> Any:
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)
    return node
