"""How many damaged inputs each test tries, and the count that the summary prints."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz import cases
from fuzz.artifact_targets import ARTIFACTS, FOREIGN
from fuzz.cases import Tally, Target
from fuzz.targets import READERS

DEFAULT = 1500  # cases in all
WEIGHTS = sum(target.weight for target in (*READERS, *ARTIFACTS, *FOREIGN))


@pytest.fixture
def fuzzed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Fuzz a target with its share of --fuzz-cases. Without that option the cases are the same each time."""
    told = request.config.getoption("fuzz_cases")
    tally = Tally()

    def run(target: Target) -> None:
        count = math.ceil((told or DEFAULT) * target.weight / WEIGHTS)
        cases.fuzz(target, count, tmp_path, told is None, tally)
        assert tally.cases >= count, "hypothesis knew no more cases"

    yield run
    request.node.user_properties.append(("fuzz", (tally.cases, tally.escapes)))
