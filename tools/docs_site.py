"""Hooks of mkdocs: the folder docs/ as a site, as it is, with the pages that lie outside of it.

Links between pages lead to pages; links to code, which is none, become their text.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
OTHERS = {  # page of the project -> page of the site
    "README.md": "index.md",
    "bench/README.md": "bench.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that lie outside of docs/."""
    from mkdocs.structure.files import File  # here, because what tests the links needs no mkdocs

    for name, page in OTHERS.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The text of a page with links that lead where they lead on the site."""
    sources = {site: name for name, site in OTHERS.items()}
    name = page.file.src_uri
    return linked(markdown, sources.get(name, f"{DOCS}/{name}"))


def linked(markdown: str, name: str) -> str:
    """The text of the page `name` of the project with the links of the site."""
    return LINK.sub(lambda found: _link(found, posixpath.dirname(name)), markdown)


def _link(found: re.Match[str], folder: str) -> str:
    mark, text, target, anchor = found[1], found[2], found[3], found[4] or ""
    path = posixpath.normpath(posixpath.join(folder, target))
    if path in OTHERS:
        return f"{mark}[{text}]({OTHERS[path]}{anchor})"
    if path.startswith(f"{DOCS}/"):
        return f"{mark}[{text}]({path.removeprefix(f'{DOCS}/')}{anchor})"
    return text
