"""A training stage starts in as many processes as this machine can hold."""

import pytest

from echoes.errors import InputError
from echoes.training.launch import require_gpus


def test_each_process_needs_a_gpu_of_its_own_where_there_is_one():
    require_gpus(4, 4)
    require_gpus(4, 0)
    with pytest.raises(InputError, match=r"^runtime\.processes: expected at most 2, one for each GPU here, got 4$"):
        require_gpus(4, 2)
