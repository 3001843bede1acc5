"""The sections of params.yaml that are tracks, those that have a source."""

from collections.abc import Mapping
from typing import Any


def tracks(document: Any) -> dict[str, Mapping[str, Any]]:
    """Name -> section, in the order of the file."""
    sections = document.items() if isinstance(document, Mapping) else ()
    return {
        str(name): section
        for name, section in sections
        if isinstance(section, Mapping) and isinstance(section.get("source"), Mapping)
    }
