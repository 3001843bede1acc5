"""A self-contained HTML page: templates beside this file, filled with text that is escaped; nothing is fetched."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

MARK = re.compile(r"\{\{(\w+)\}\}")


def template(name: str) -> str:
    """The text of a file beside this one."""
    return Path(__file__).with_name(name).read_text()


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A template with `{{name}}` replaced by HTML, each mark once: what a part contains is no mark."""
    return MARK.sub(lambda found: parts[found[1]], text)


def element(name: str, content: str, **attributes: str) -> str:
    """`<name attribute="...">content</name>`; content is HTML, attributes are text: `class_` is class, `aria_label`
    is aria-label.
    """
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    told = "".join(f' {names[key]}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{told}>{content}</{name}>"


def script(value: Any) -> str:
    """JSON that cannot end the element `script` that it stands in, whatever its texts are."""
    told = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return told.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def packed(values: np.ndarray) -> str:
    """The bytes of an array, in the order of its rows, as text."""
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()


def picture(path: Path) -> str:
    """A PNG as an address that holds it."""
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}"


def table(head: list[str], rows: list[list[str]], **attributes: str) -> str:
    """Texts in a table; the first of each row heads it."""
    top = element("tr", "".join(element("th", escape(text), scope="col") for text in head))
    body = "".join(
        element("tr", element("th", escape(row[0]), scope="row") + "".join(element("td", escape(t)) for t in row[1:]))
        for row in rows
    )
    return element("table", element("thead", top) + element("tbody", body), **attributes)
