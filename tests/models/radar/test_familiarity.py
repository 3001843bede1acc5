"""How unlike the training a recording is, by the radar's cells that the networks see."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from echoes.errors import InputError
from echoes.evaluation import unlikeness
from echoes.models.radar import familiarity
from echoes.models.radar.familiarity import Recording
from echoes.provenance import Header
from echoes.rasters.cells import Cells


def told(track, seen, change=lambda power, doppler: (power, doppler)):
    """Of the training frames, played again with another power and Doppler."""
    recording = Recording(seen)
    for frame in track.grids.frames("train"):
        cells = track.grids.cells("input", int(frame))
        power, doppler, variance = cells.features.T
        features = np.stack([*change(power, doppler), variance], axis=1)
        recording.take(Cells(cells.indices, features), track.grids.grid)
    return recording.told()


@pytest.fixture(scope="module")
def seen(track):
    return familiarity.of_training(track.grids)


def test_the_training_frames_themselves_are_alike(track, seen):
    assert told(track, seen) == []


def test_a_recording_of_another_unit_or_direction_is_told(track, seen):
    (line,) = told(track, seen, lambda power, doppler: (power + 100, doppler))
    assert line.startswith("power: ")
    assert line.endswith(" deviations")
    (line,) = told(track, seen, lambda power, doppler: (power, doppler + 60))
    assert line.startswith("Doppler: median ")


def test_power_shifted_by_30_db_is_told_of_a_radar_whose_power_varies_little(track):
    frames = [track.grids.cells("input", int(f)) for f in track.grids.frames("train")]
    quiet = [Cells(c.indices, c.features * np.float32([0.1, 1, 1])) for c in frames]  # within 6 dB
    grid = track.grids.grid
    seen = unlikeness.fit(np.stack([familiarity._summary(cells, grid) for cells in quiet]))
    for shift_db, lines in ((0, 0), (30, 1)):
        recording = Recording(seen)
        for cells in quiet:
            recording.take(Cells(cells.indices, cells.features + np.float32([shift_db, 0, 0])), grid)
        assert len(recording.told()) == lines


def test_what_is_summarised_are_cells_with_their_power_and_doppler(track, seen):
    cells, grid = track.grids.cells("input", 0), track.grids.grid
    found = dict(zip(seen.names, familiarity._summary(cells, grid), strict=True))
    assert found["power_db_q50"] == pytest.approx(np.median(cells.features[:, 0]))
    assert found["doppler_median_mps"] == pytest.approx(np.median(cells.features[:, 1]))
    assert found["points_log10"] == pytest.approx(np.log10(len(cells.indices)))
    x, y, z = grid.centres(cells.indices).T
    assert found["range_m_q50"] == pytest.approx(np.median(np.hypot(x, y)))
    assert found["height_m_q90"] == pytest.approx(np.quantile(z, 0.9))


def test_a_recording_without_frames_tells_nothing(seen):
    assert Recording(seen).told() == []


def test_what_was_seen_travels_in_the_header_and_is_missed_where_it_does_not(seen):
    content = {"seen": json.loads(json.dumps(asdict(seen)))}
    assert familiarity.stored(Header("cd", {}, {}, content)) == seen
    with pytest.raises(InputError, match=r"^cd: seen: expected a mapping, got None$"):
        familiarity.stored(Header("cd", {}, {}, {}))
