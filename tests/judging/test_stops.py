"""Which findings stop a track: those that its params.yaml names, and that there are."""

from pathlib import Path

import pytest

from echoes import params
from echoes.commands.sections import tracks
from echoes.errors import InputError
from echoes.judging.stops import Inspect
from echoes.readers.catalog import family_of
from echoes.voxelization.families import voxelizer

KNOWN = tracks(params.document(Path(__file__).resolve().parents[2] / "params.yaml"))
NAMES = ("gaps", "doppler_sign")


@pytest.mark.parametrize("track", KNOWN)
def test_every_track_stops_at_findings_that_there_are_for_its_recordings(track: str) -> None:
    inspect = params.build(Inspect, KNOWN[track]["inspect"], f"{track}.inspect")
    family = family_of(KNOWN[track]["source"]["reader"], "reader")
    inspect.require_known(voxelizer(family).FINDINGS, f"{track}.inspect")
    assert ("doppler_sign" in inspect.stop_at) == (family == "radar")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES, "a.inspect.stop_at: expected some of gaps, doppler_sign, got sign"),
        ((), "a.inspect.stop_at: expected none, as of such recordings nothing is found, got sign"),
    ],
)
def test_an_unknown_finding_is_told_beside_those_there_are(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError) as error:
        Inspect(("sign",)).require_known(names, "a.inspect")
    assert str(error.value) == message


def test_all_findings_that_stop_are_told_in_one_line_and_others_do_not_stop() -> None:
    found = {"gaps": "3 gaps", "doppler_sign": "backwards", "offset": "late"}
    Inspect(("displaced",)).require_sane(found, "a.inspect")
    with pytest.raises(InputError) as error:
        Inspect(("doppler_sign", "gaps")).require_sane(found, "a.inspect")
    told = "a.inspect.stop_at: voxelize stops at doppler_sign (backwards); gaps (3 gaps); "
    assert str(error.value) == f"{told}mend the section source, or take the name out of the list"
