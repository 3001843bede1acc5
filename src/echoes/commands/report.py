"""Command report: all that is known of a track as one HTML page."""

from html import escape
from pathlib import Path

from echoes import files, params
from echoes.commands import sections
from echoes.commands.report_parts import Track, parts
from echoes.commands.view import check_new
from echoes.errors import InputError
from echoes.reports import page


def report(name: str, output: Path, project: Path, overwrite: bool) -> str:
    """Write the page of a track, with what its stages have made so far; gives what to tell of it.

    Raises InputError for a track that params.yaml lacks, and where `output` may not be written.
    """
    check_new(output, overwrite)
    document = params.document(project / "params.yaml")
    known = sections.tracks(document)
    if name not in known:
        raise InputError(f"--track: expected a track of {project / 'params.yaml'} ({', '.join(known)}), got {name!r}")
    track = Track(name, project / "data" / name, project / "metrics" / name, document)
    made = parts(track)
    absent = ", ".join(title.lower() for title, html in made.items() if not html)
    missing = f"not there yet: {absent}; `dvc repro evaluate@{name}` makes all there is of it" if absent else ""
    text = _page(name, missing, {title: html for title, html in made.items() if html})
    with files.replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    told = f"the report of {name} is in {output} ({output.stat().st_size / 1e6:.1f} MB), to be opened in a browser"
    return "\n".join([told, missing] if missing else [told])


def _page(name: str, missing: str, made: dict[str, str]) -> str:
    """made: title -> HTML of each section."""
    anchors = {title: title.lower().replace(" ", "-") for title in made}
    heads = {title: page.element("h2", escape(title), id=anchors[title]) for title in made}
    filling = {
        "title": escape(f"{name}: report"),
        "style": page.template("page.css"),
        "missing": escape(missing),
        "contents": "".join(page.element("a", escape(title), href=f"#{anchor}") for title, anchor in anchors.items()),
        "sections": "\n".join(page.element("section", heads[title] + html) for title, html in made.items()),
    }
    return page.filled(page.template("report.html"), filling)
