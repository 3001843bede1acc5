"""The second step starts from a level that the consistency model was trained on, near the deviation of the data."""

import pytest

from echoes.diffusion.schedules import SigmaRange, schedule
from echoes.errors import InputError
from echoes.models import second_step


@pytest.mark.parametrize("name", ["track", "people", "people_vq"])
def test_candidates_are_inner_levels_of_the_schedule_near_the_deviation_of_the_data(name, request):
    track = request.getfixturevalue(name)
    levels = second_step.candidates(track.model, track.cd_params.sigmas)
    sigmas = schedule(track.cd_params.sigmas, track.denoiser.parameterization).tolist()
    assert set(levels) == {sigma for sigma in sigmas if 1 / 8 <= sigma <= 8}
    assert levels


def test_neither_the_start_nor_the_end_is_a_candidate(people):
    found = second_step.candidates(people.model, SigmaRange(4, 0.5, 4.0, 1.0, "karras", 1.0))
    assert found == pytest.approx([2.8333, 1.6667], abs=1e-4)


def test_a_schedule_without_one_is_refused_by_its_key(people):
    far = SigmaRange(2, 0.001, 1000.0, 7.0, "karras", 1.0)
    with pytest.raises(InputError, match=r"cd\.sigmas: expected a level between 0\.125 and 8\.0 for the second step"):
        second_step.candidates(people.model, far)
