"""A recording judged frame by frame: each of several sources by itself, from frames that are evenly spread."""

import numpy as np

from echoes.judging.found import by_name
from echoes.judging.judge import Judge, evenly, measured
from echoes.readers import mixed, simulated
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import Entry, Frame

DOPPLER = Doppler(span_mps=None, static_mps=0.5, static_share=0.2, max_speed_mps=30.0)
ONE = simulated.Source("simulated", 2, 2, 0, "recorded", DOPPLER)
SEVERAL = mixed.Source("mixed", "drives", {"drives": ONE, "street": ONE}, {"drives": 1.0, "street": 1.0}, ())


def seen(sign: float) -> Frame:
    """Walls on both sides of a radar that drives 8 m/s forward."""
    rng = np.random.default_rng(0)
    places = rng.uniform((6, -9, -1), (40, 9, 2), (200, 3))
    doppler = -8 * sign * places[:, 0] / np.linalg.norm(places, axis=1)
    return Frame("a", 0.0, np.column_stack([places, doppler, rng.normal(60, 5, 200)]).astype(np.float32))


def test_a_source_of_several_is_judged_by_its_own_frames() -> None:
    entries = [Entry(f"{name}-a", 0.1 * i, f"{name}/{i}") for name in ("drives", "street") for i in range(3)]
    judge = Judge(SEVERAL, entries)
    for entry in entries:
        judge.take(entry, measured(seen(-1 if entry.key.startswith("street") else 1), SEVERAL, entry))
    found = by_name(judge.found())
    assert list(found) == ["doppler_sign"]
    assert found["doppler_sign"].startswith("street: Doppler sign: the ego velocity points backwards in 100% of 3 ")


def test_a_recording_of_which_no_frame_was_measured_has_no_findings() -> None:
    assert Judge(ONE, [Entry("a", 0.0, "0")]).found() == []


def test_numbers_are_spread_from_the_first_to_the_last() -> None:
    assert evenly(5, 3) == [0, 2, 4]
    assert evenly(2, 200) == [0, 1]
    assert evenly(0, 200) == []
