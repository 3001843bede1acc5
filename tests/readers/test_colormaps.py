"""Inverting a colormap gives the values that were drawn."""

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echoes import seeds
from echoes.errors import InputError
from echoes.readers import colormaps


@given(name=st.sampled_from(["viridis", "jet", "inferno", "turbo", "gray", "hot", "viridis_r"]), seed=st.integers(0, 9))
def test_values_come_back_within_one_step_of_the_table(name, seed):
    values = seeds.rng(seed, "values").random((5, 7))
    drawn = np.round(matplotlib.colormaps[name](values)[:, :, :3] * 255) / 255
    found, distance = colormaps.invert(drawn, colormaps.table(name))
    assert (found.shape, found.dtype) == ((5, 7), np.float32)
    np.testing.assert_allclose(found, values, atol=3 / 255)  # jet and hot hold a colour over some steps
    assert distance < 0.005


def test_colours_of_another_map_are_far():
    drawn = matplotlib.colormaps["jet"](np.linspace(0, 1, 100).reshape(10, 10))[:, :, :3]
    assert colormaps.invert(drawn, colormaps.table("viridis"))[1] > 0.2


@pytest.mark.parametrize("name", ["twilight", "prism", "flag", "tab20", "Set1"])
def test_a_map_that_cannot_be_inverted_is_refused(name):
    with pytest.raises(InputError, match=f"^colormap: expected one whose colours occur once .*, got '{name}'"):
        colormaps.table(name)


def test_unknown_maps_are_refused_and_parula_is_explained():
    with pytest.raises(InputError, match=r"^colormap: expected a colormap of matplotlib .* 'parula'; parula is MATLAB"):
        colormaps.table("parula")
    with pytest.raises(InputError, match=r"^colormap: expected a colormap of matplotlib such as viridis, got 'x'$"):
        colormaps.table("x")
