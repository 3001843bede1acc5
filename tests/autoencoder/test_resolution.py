"""Coarser grids hold what the whole grid holds; which a step gets is a function of the step."""

import pytest
import torch

from echoes import params
from echoes.autoencoder import resolution
from echoes.autoencoder.resolution import Full, Progressive, Resolution, Several
from echoes.errors import InputError
from echoes.tasks import LIDAR_AND_RADAR

SIZES = (4, 8, 12)


def cells():
    """(2, 5, 4, 8, 12) a tenth of the cells occupied, half of these with a Doppler; values in occupied cells alone."""
    draw = torch.Generator().manual_seed(0)
    occupied = (torch.rand((2, *SIZES), generator=draw) < 0.1).float()
    valid = occupied * (torch.rand((2, *SIZES), generator=draw) < 0.5)
    values = torch.randn((3, 2, *SIZES), generator=draw)
    return torch.stack([occupied, values[0] * occupied, values[1] * valid, valid, values[2] * valid], dim=1)


def test_half_the_cells_hold_blocks_of_two():
    whole = cells()
    found = resolution.coarser_cells(whole, LIDAR_AND_RADAR, 0.5, 2)
    blocks = whole.unfold(2, 2, 2).unfold(3, 2, 2).unfold(4, 2, 2).flatten(5)
    occupied, valid = blocks[:, 0], blocks[:, 3]
    torch.testing.assert_close(found[:, 0], occupied.amax(-1))
    torch.testing.assert_close(found[:, 3], valid.amax(-1))
    torch.testing.assert_close(found[:, 1], blocks[:, 1].sum(-1) / occupied.sum(-1).clamp(min=1))
    torch.testing.assert_close(found[:, 2], blocks[:, 2].sum(-1) / valid.sum(-1).clamp(min=1))
    torch.testing.assert_close(found[:, 4], blocks[:, 4].sum(-1) / valid.sum(-1).clamp(min=1))


@pytest.mark.parametrize(("scale", "sizes"), [(0.75, (4, 6, 8)), (0.5, (2, 4, 6)), (0.1, (2, 2, 2)), (1.0, SIZES)])
def test_sizes_stay_multiples_and_no_cell_is_lost(scale, sizes):
    whole = cells()
    found = resolution.coarser_cells(whole, LIDAR_AND_RADAR, scale, 2)
    assert found.shape == (2, 5, *sizes)
    assert found[:, 0].flatten(1).any(1).all()
    torch.testing.assert_close(
        resolution.summed(whole[:, 0], scale, 2).flatten(1).sum(1), whole[:, 0].flatten(1).sum(1)
    )


def test_a_coarser_picture_has_the_mean_of_the_whole():
    whole = cells()[:, :, 0]
    found = resolution.coarser_picture(whole, 0.5, 2)
    assert found.shape == (2, 5, 4, 6)
    torch.testing.assert_close(found.mean((2, 3)), whole.mean((2, 3)))
    assert resolution.coarser_picture(whole, 1.0, 2) is whole


def test_a_step_has_the_scale_of_its_time_or_one_that_its_seed_draws():
    progressive = Progressive("progressive", (10, 30), (0.5, 0.75))
    assert [progressive.scale(step, 0) for step in (0, 9, 10, 29, 30, 99)] == [0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    several = Several("several", (0.5, 1.0))
    drawn = [several.scale(step, 3) for step in range(40)]
    assert set(drawn) == {0.5, 1.0}
    assert drawn == [several.scale(step, 3) for step in range(40)]
    assert {Full("full").scale(step, 0) for step in range(9)} == {1.0}


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"kind": "several", "scales": []}, r"^r\.scales: expected some more than 0 and at most 1, got \[\]$"),
        ({"kind": "several", "scales": [1.5]}, r"^r\.scales: expected some more than 0 and at most 1, got \[1\.5\]$"),
        (
            {"kind": "progressive", "until": [30, 10], "scales": [0.5, 0.75]},
            r"^r\.until: expected an increasing step for each of 2 scales, got \[30, 10\]$",
        ),
    ],
)
def test_scales_that_are_none_are_refused(section, told):
    with pytest.raises(InputError, match=told):
        params.build(Resolution, section, "r")
