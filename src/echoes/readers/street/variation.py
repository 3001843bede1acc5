"""What one sequence has of its own: the radar around that of the scenario, and the kind of its street."""

from dataclasses import replace

import numpy as np

from echoes import seeds
from echoes.readers.street.scenario import Radar, Scenario

MAX_DEVIATIONS = 3.0  # deviations: beyond them no draw goes


def of_sequence(radar: Radar, seed: int, sequence: int) -> Radar:
    """The radar that drives through the street of one sequence, the same one in all of its frames.

    Powers are normal and mean numbers lognormal around those of the scenario; without a spread it is the scenario's.
    """
    spread = radar.spread
    if spread is None:
        return radar
    normal = np.clip(seeds.rng(seed, "spread", sequence).standard_normal(4), -MAX_DEVIATIONS, MAX_DEVIATIONS)
    power_db, noise_db, ground, alarms = (float(n) for n in normal)
    clutter = radar.clutter
    return replace(
        radar,
        power_at_1m_db=radar.power_at_1m_db + spread.power_at_1m_db * power_db,
        noise_power_db=radar.noise_power_db + spread.noise_power_db * noise_db,
        clutter=replace(
            clutter,
            ground_returns=clutter.ground_returns * float(np.exp(spread.ground_returns * ground)),
            false_alarms=clutter.false_alarms * float(np.exp(spread.false_alarms * alarms)),
        ),
    )


def street_of_sequence(street: Scenario, seed: int, sequence: int) -> Scenario:
    """The street of one sequence: of one of the kinds, each as often as its share says, or that of the file."""
    if not street.kinds:
        return street
    drawn = seeds.rng(seed, "kind", sequence).random()
    for kind, below in zip(street.kinds, np.cumsum([kind.share for kind in street.kinds]), strict=True):
        if drawn < below:
            return kind.street
    return street
