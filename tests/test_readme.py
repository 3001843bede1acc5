"""The README is short and leads to every page, and its map is the code as it is."""

import re
from pathlib import Path

import pytest

from echoes import imports

WORDS = 1500
README = imports.ROOT / "README.md"
PAGES = [README, imports.ROOT / "bench" / "README.md", *sorted((imports.ROOT / "docs").glob("*.md"))]
OF_PROJECT = [imports.ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")]
MODULES = sorted(path for path in imports.PACKAGE.rglob("*.py") if path.name != "__init__.py")


def linked(page: Path) -> set[Path]:
    """The files that a page links to, pictures too."""
    names = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    return {(page.parent / name).resolve() for name in names}


def drawn() -> list[tuple[str, list[str]]]:
    """The lines of the map below src/echoes/: indent, and the names before the first gap; packages end in a slash."""
    below = README.read_text().split("\nsrc/echoes/\n")[1].split("```")[0]
    return [(indent, names.split(" ")) for indent, names in re.findall(r"^( +)(\S+(?: \S+)*)  ", below, re.MULTILINE)]


def lines() -> list[list[str]]:
    """The names on each line of the map, without those of packages in packages."""
    return [names for indent, names in drawn() if len(indent) == 2]


def name(path: Path) -> str:
    """What the map calls a module, or the package that it is in."""
    first = path.relative_to(imports.PACKAGE).parts[0]
    return first.removesuffix(".py") if first.endswith(".py") else f"{first}/"


def test_the_readme_has_at_most_1500_words():
    assert len(README.read_text().split()) <= WORDS


@pytest.mark.parametrize("page", [*PAGES, *OF_PROJECT], ids=lambda page: str(page.relative_to(imports.ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page):
    assert [path for path in linked(page) if not path.exists()] == []


def test_the_readme_leads_to_every_other_page():
    assert set(PAGES) - {README} <= linked(README)


def test_the_map_names_each_module_and_package_once_and_nothing_else():
    found = [name for names in lines() for name in names]
    assert sorted(found) == sorted({name(path) for path in MODULES})


def test_packages_in_packages_are_where_the_map_draws_them():
    above = imports.PACKAGE
    for indent, names in drawn():
        if len(indent) == 2:
            above = imports.PACKAGE / names[-1]
        else:
            assert all((above / name).is_dir() for name in names), names


def test_a_module_imports_only_from_its_own_line_of_the_map_and_those_above():
    line = {name: i for i, names in enumerate(lines()) for name in names}
    pairs = [(path, imported) for path in MODULES for imported in imports.direct(path)]
    assert [pair for pair in pairs if line[name(pair[1])] > line[name(pair[0])]] == []
