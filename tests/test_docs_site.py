"""The site of the docs has every page, and its links lead to pages of it."""

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml

import docs_site
from echoes import imports

CONFIG = yaml.safe_load((imports.ROOT / "mkdocs.yml").read_text())
PAGES = {f"docs/{path.name}": path.name for path in (imports.ROOT / "docs").glob("*.md")} | docs_site.OTHERS


def test_every_page_is_listed_once():
    listed = [page for part in CONFIG["nav"] for pages in part.values() for page in ([pages] * isinstance(pages, str))]
    listed += [page for part in CONFIG["nav"] for pages in part.values() if isinstance(pages, list) for page in pages]
    assert sorted(listed) == sorted(PAGES.values())


def test_links_of_every_page_lead_to_pages_and_pictures_of_the_site():
    pictures = {path.name for path in (imports.ROOT / "docs").glob("*.png")}
    for name in PAGES:
        text = docs_site.linked((imports.ROOT / name).read_text(), name)
        targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
        assert set(targets) <= {*PAGES.values(), *pictures}, name


def test_a_link_to_code_becomes_its_text_and_one_to_a_page_keeps_its_anchor():
    text = "see [the readers](../src/echoes/readers), [Benchmarks](../bench/README.md#a) and ![x](x.png), [b](#b)"
    told = "see the readers, [Benchmarks](bench.md#a) and ![x](x.png), [b](#b)"
    assert docs_site.linked(text, "docs/recordings.md") == told
    assert docs_site.linked("[u](docs/using.md#c)", "README.md") == "[u](using.md#c)"
    assert docs_site.linked("[web](https://diffusers)", "README.md") == "[web](https://diffusers)"


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs mkdocs")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=imports.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
