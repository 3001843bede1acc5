"""What goes in with a frame: its returns over ground, and earlier ones of the same drive, moved."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from echoes import seeds
from echoes.errors import InputError
from echoes.grids import Grid, Range
from echoes.rasters import voxels
from echoes.rasters.sweeps import Sweeps
from echoes.readers.ego_motion import Doppler
from echoes.readers.frames import Entry, Frame
from echoes.voxelization import accumulation

GRID = Grid.of(z=Range(-2.0, 6.0, 8), y=Range(-16.0, 16.0, 32), x=Range(0.0, 32.0, 32))
VELOCITY = np.array([8.0, 0.5, 0.0])
DOPPLER = Doppler(span_mps=None, static_mps=0.25, static_share=0.2, max_speed_mps=40.0)
THREE = Sweeps(3, 0.25)


def source(ego_motion="recorded"):
    return SimpleNamespace(reader="astyx", ego_motion=ego_motion, doppler=DOPPLER)


def entries(stamps, sequence="drive"):
    return [Entry(sequence, stamp, f"{sequence}/{i}") for i, stamp in enumerate(stamps)]


def seen(stamp):
    """The same static scatterers, from a radar that drives straight on."""
    rng = seeds.rng(0, "scatterers")
    xyz = rng.uniform((5, -15, -1), (31, 15, 5), (80, 3)) - VELOCITY * stamp
    doppler = -(xyz / np.linalg.norm(xyz, axis=1, keepdims=True)) @ VELOCITY
    radar = np.column_stack([xyz, doppler, rng.uniform(40, 100, 80)]).astype(np.float32)
    return Frame("drive", stamp, radar, ego_velocity=VELOCITY), Entry("drive", stamp, str(stamp))


def test_earlier_frames_are_the_newest_of_the_same_sequence_and_not_too_old():
    listed = entries([0.0, 0.1, 0.2, 0.3, 0.9]) + entries([1.0, 1.1], "other")
    numbers = [[e.key for e in before] for before in accumulation.earlier(listed, THREE)]
    assert numbers == [[], ["drive/0"], ["drive/1", "drive/0"], ["drive/2", "drive/1"], [], [], ["other/0"]]
    assert accumulation.earlier(listed, None) == [()] * 7


def test_static_scatterers_of_earlier_frames_fall_on_those_of_the_present_one():
    found = accumulation.of_frames([seen(0.2), seen(0.1), seen(0.0)], source(), THREE)
    assert [sweep.age_s for sweep in found.earlier] == pytest.approx([0.1, 0.2])
    alone = voxels.radar_cells(found.points, GRID)
    cells = found.cells(GRID)
    assert len(cells.indices) < 1.1 * len(alone.indices)  # a scatterer on an edge of cells may fall into the next one
    assert (cells.features[:, -1] == 0).sum() == len(alone.indices)


def test_a_frame_alone_has_no_age():
    found = accumulation.of_frames([seen(0.2)], source(), None)
    assert found.earlier is None
    np.testing.assert_array_equal(found.cells(GRID).features, voxels.radar_cells(found.points, GRID).features)


def test_where_a_sequence_begins_the_cells_are_those_of_the_frame_with_age_0():
    found = accumulation.of_frames([seen(0.2)], source(), THREE).cells(GRID)
    assert not found.features[:, -1].any()


def test_frames_whose_velocity_cannot_be_estimated_are_left_out():
    frame, entry = seen(0.1)
    lost = frame.radar.copy()
    lost[:, 3] = seeds.rng(0, "noise").uniform(-40, 40, len(lost))
    found = accumulation.of_frames(
        [seen(0.2), (replace(frame, radar=lost), entry), seen(0.0)], source("estimated"), THREE
    )
    assert [sweep.age_s for sweep in found.earlier] == pytest.approx([0.2])


def test_earlier_frames_need_doppler_over_ground():
    with pytest.raises(InputError, match=r"^radar\.grid\.sweeps\.count: expected 1 where source\.ego_motion is none"):
        accumulation.require_motion(source("none"), entries([0.0]), THREE, "radar.grid.sweeps.count")
    accumulation.require_motion(source("none"), entries([0.0]), None, "radar.grid.sweeps.count")
    accumulation.require_motion(source(), entries([0.0]), THREE, "radar.grid.sweeps.count")
