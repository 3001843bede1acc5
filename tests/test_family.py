"""Every value that docs/family.md names is taken on: by its track, and by networks that fit its grid."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from echoes import imports, params
from echoes.commands import trainings
from echoes.models import denoisers
from echoes.models.trained import SampleParams
from echoes.training.runtime import Runtime

PAGE = imports.ROOT / "docs" / "family.md"
NUMBERS = params.document(imports.ROOT / "params.yaml")
SPANS = [span for span in re.findall(r"`([^`]*)`", PAGE.read_text()) if span.startswith("-S ")]
LABELS = {"user": 6, "activity": 6}


def changed(span: str) -> dict[str, Any]:
    """params.yaml with what a span sets; a mapping is merged into the one that is there, as DVC does it."""
    numbers: dict[str, Any] = copy.deepcopy(dict(NUMBERS))
    for setting in re.split(r"(?:^| )-S ", span)[1:]:
        key, value = setting.split("=", 1)
        *above, last = key.split(".")
        section: Any = numbers
        for name in above:
            section = section[name]
        read = yaml.safe_load(value)
        section[last] = {**section[last], **read} if isinstance(read, dict) else read
    return numbers


def test_the_page_names_values_for_most_of_what_earlier_systems_offer():
    assert len(SPANS) > 45
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    assert [row for row in rows if len(row.split(" | ")) != 2] == []


@pytest.mark.parametrize("span", SPANS)
def test_a_value_that_the_page_names_makes_networks_that_fit_the_grid(span: str, tmp_path: Path) -> None:
    path, track = tmp_path / "params.yaml", span.removeprefix("-S ").split(".")[0]
    path.write_text(yaml.safe_dump(changed(span), sort_keys=False))
    params.load(Runtime, "runtime", path)
    if track == "runtime":
        return
    params.load(SampleParams, f"{track}.sample", path)
    sections = trainings.load(track, path)
    made = trainings.stand_ins_of(sections, LABELS, tmp_path)
    with torch.device("meta"):
        denoisers.build(made.latents.header, sections.ldm.architecture)
