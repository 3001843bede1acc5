"""Before a stage works: which of its values changed since its last run although they have no effect."""

import logging
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from echoes import params
from echoes.choices.rules import Choice, idle, leaves

LOG = logging.getLogger(__name__)
PARAMS, LOCK = Path("params.yaml"), Path("dvc.lock")


def tell(stage: str, track: str, choices: Callable[[str], Sequence[Choice] | None]) -> None:
    """A line for a user who changed what has no effect, as the stage runs anew for it; nothing for others.

    choices  name of a section of the track -> its choices; None for none.
    """
    for section, before in last_run(stage, track, LOCK).items():
        name = section.removeprefix(f"{track}.")
        now = params.document(PARAMS)[track].get(name)
        if line := changed_in_vain(section, before, now, choices(name) or ()):
            LOG.warning("%s: %s", stage, line)


def changed_in_vain(section: str, before: Any, now: Any, choices: Sequence[Choice]) -> str:
    """What differs between two states of a section without effect, and whether nothing else does; empty for nothing."""
    past, present, reasons = leaves(before), leaves(now), idle(now, choices)
    changed = [key for key in present if key in past and past[key] != present[key]]
    if not (vain := [key for key in changed if key in reasons]):
        return ""
    told = "; ".join(f"{section}.{key} has no effect, as {reasons[key]}" for key in vain)
    alone = changed == vain and set(past) == set(present)
    return f"{told}; nothing else of {section} has changed since the last run" if alone else told


def last_run(stage: str, track: str, lock: Path) -> Mapping[str, Any]:
    """Section -> what it held when DVC last ran a stage for a track; nothing where it never did.

    Only the lines of the stage are parsed, because the whole file takes seconds.
    """
    text = lock.read_text() if lock.is_file() else ""
    of_stage = re.search(rf"^  {re.escape(f'{stage}@{track}')}:\n((?:    .*\n)*)", text, re.MULTILINE)
    found = re.search(r"^    params:\n((?:      .*\n)*)", of_stage[1], re.MULTILINE) if of_stage else None
    told = params.parse(textwrap.dedent(found[1]).encode(), lock) if found else {}
    sections = told.get(PARAMS.name) if isinstance(told, Mapping) else None
    return sections if isinstance(sections, Mapping) else {}
