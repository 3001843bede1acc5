"""Commands on radar clouds say that a reader of micro-Doppler is not for them."""

from pathlib import Path

import pytest

from echoes import params
from echoes.commands import sources
from echoes.errors import InputError
from echoes.readers import mars


def test_a_reader_of_micro_doppler_is_refused_by_name(tmp_path: Path) -> None:
    message = r"^--reader: expected a reader of radar clouds \(simulated, .*\), got mars, which reads micro-Doppler$"
    with pytest.raises(InputError, match=message):
        sources.chosen("inspect", "mars", "", tmp_path / "params.yaml")


def test_a_track_of_micro_doppler_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^source\.reader: expected a reader of radar clouds .* got mars"):
        sources.listed(tmp_path, mars.Source("mars"))


@pytest.mark.parametrize(("key", "now"), [("workers", "processes"), ("scheduler", "scheduler")])
def test_who_reads_is_no_key_of_a_source_any_more_and_its_place_is_told(key: str, now: str) -> None:
    told = rf"^mars\.source\.{key}: unknown; it is runtime\.workers\.{now}$"
    with pytest.raises(InputError, match=told):
        params.build(mars.Source, {"reader": "mars", key: 0}, "mars.source")
