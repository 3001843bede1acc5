"""The radar of one sequence: that of the scenario, or another one around it where the scenario gives a spread."""

from dataclasses import replace

import numpy as np

from echoes import seeds
from echoes.readers.street.scenario import Radar

MOST = 3.0  # deviations: beyond them no draw goes


def of_sequence(radar: Radar, seed: int, sequence: int) -> Radar:
    """The radar that drives through the street of one sequence, the same one in all of its frames.

    Powers are normal and mean numbers lognormal around those of the scenario; without a spread it is the scenario's.
    """
    spread = radar.spread
    if spread is None:
        return radar
    normal = np.clip(seeds.rng(seed, "spread", sequence).standard_normal(4), -MOST, MOST)
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
