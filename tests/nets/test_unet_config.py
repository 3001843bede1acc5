"""The section of a U-Net: its sizes by name, what it refuses, and which grids it takes."""

from dataclasses import asdict, replace
from typing import get_args, get_type_hints

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import networks
from echoes import formats, params
from echoes.errors import InputError
from echoes.nets.attention import Kind
from echoes.nets.conditions import Condition
from echoes.nets.strides import NAMES
from echoes.nets.unet import UNet
from echoes.nets.unet_config import SIZES, UNetConfig

SECTION = asdict(networks.unet())


def section(**changes):
    """The section with other values, of its size by the names that these have there."""
    size = {name: changes.pop(name) for name in list(changes) if name in SECTION["size"]}
    return {**SECTION, "size": {**SECTION["size"], **size}, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": []}, r"size.channels: expected at least one level, got none"),
        ({"channels": [8, 0]}, r"size.channels: expected at least 1 for each level, got \[8, 0\]"),
        ({"blocks": -1}, r"size.blocks: expected 0 or more, got -1"),
        (
            {"attention": ["full"]},
            r"size.attention: expected one for each of the 2 levels of channels, from the finest one, got \['full'\]",
        ),
        ({"attention": ["none", "most"]}, r"size.attention\[1\]: expected one of none, full, .*, got 'most'"),
        ({"norm": {"kind": "group", "groups": 0}}, r"size.norm.groups: expected at least 1, got 0"),
        ({"norm": {"kind": "batch", "groups": 8}}, r"size.norm.kind: expected one of group, .*, got 'batch'"),
        ({"convolution": "sparse"}, r"size.convolution: expected one of dense, depthwise, got 'sparse'"),
        ({"size": "huge"}, r"size: expected \('ldm_default', .*\) or a mapping, got 'huge'"),
        ({"heads": 3}, r"heads: expected a divisor of 16 channels, got 3"),
        ({"heads": 16, "attention": ["linear", "full"]}, r"heads: expected a divisor of 8 channels, got 16"),
        ({"heads": 0}, r"heads: expected at least 1, got 0"),
        ({"window": 0}, r"window: expected at least 1, got 0"),
        ({"keep": 0}, r"keep: expected at least 1, got 0"),
        ({"least": 0}, r"least: expected at least 1, got 0"),
        ({"strides": "half"}, r"strides: expected \('full', .*\) or a list, got 'half'"),
        ({"strides": []}, r"strides: expected a name, or 1 steps between 2 levels, got \[\]"),
        ({"strides": [[2, 0, 2]]}, r"strides: expected at least 1 along each axis, got \[\[2, 0, 2\]\]"),
        ({"dropout": 1.5}, r"dropout: expected 0 to less than 1, got 1.5"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_by_its_key(changes, message):
    with pytest.raises(InputError, match=f"^radar.ldm.unet.{message}$"):
        params.build(UNetConfig, section(**changes), "radar.ldm.unet")


def test_what_was_moved_is_told_by_where_it_is():
    with pytest.raises(InputError, match=r"^unet\.channels: unknown; it is unet\.size\.channels$"):
        params.build(UNetConfig, {**SECTION, "channels": [8]}, "unet")


def test_a_level_without_attention_has_any_number_of_channels():
    assert params.build(UNetConfig, section(attention=["none", "none"], heads=3), "unet").heads == 3


@pytest.mark.parametrize(
    ("changes", "sizes", "message"),
    [
        (
            {"channels": [8, 8, 8, 16], "attention": ["none"] * 4},
            (4, 16, 16),
            r"size.channels: expected at most 3 levels for strides full on \[4, 16, 16\] cells, got 4 levels; "
            r"with strides xy_only or z_half or adaptive they fit",
        ),
        ({}, (1, 8), r"size.channels: expected at most 1 level for .*, got 2 levels; with strides adaptive they fit"),
        ({}, (3, 5), r"size.channels: .*, got 2 levels; no strides by name make so many"),
        (
            {"size": "lightweight", "strides": "adaptive", "least": 4},
            (4, 16, 16),
            r"size: expected at most 3 levels for strides adaptive on \[4, 16, 16\] cells, got lightweight, "
            r"which has 4; with strides xy_only or z_half they fit",
        ),
        (
            {"strides": [[3, 2, 2]]},
            (4, 16, 16),
            r"size.channels: expected at most 1 level for strides \[\[3, 2, 2\]\] on .*; with strides full or .*",
        ),
        (
            {"strides": [[2, 2, 2]]},
            (16, 16),
            r"strides: expected 2 numbers for each step, one for each axis of \[16, 16\] cells, got \[\[2, 2, 2\]\]",
        ),
        (
            {"attention": ["none", "height"]},
            (16, 16),
            r"size.attention: expected an axis of 2, x or y, or another attention, got height",
        ),
        (
            {"norm": {"kind": "instance", "groups": 8}},
            (2, 2),
            r"size.norm: expected channels that share a mean where a level is one cell, as of 16 channels, "
            r"got instance of 8 groups",
        ),
    ],
)
def test_grids_that_a_network_cannot_take_are_refused_by_the_key_and_what_would_fit(changes, sizes, message):
    config = params.build(UNetConfig, section(**changes), "unet")
    with pytest.raises(InputError, match=f"^ldm.unet.{message}$"):
        config.require_sizes(sizes, "ldm.unet")


@pytest.mark.parametrize(
    ("name", "rank", "millions"),
    [
        ("ldm_default", 3, 2.32),
        ("lightweight", 3, 27.8),
        ("ultra_lightweight", 3, 0.745),
        ("balanced", 3, 34.4),
        ("wide_1234", 3, 130),
        ("wide_1248", 3, 376),
        ("doppler_192", 2, 91.2),
        ("doppler_256", 2, 207),
    ],
)
def test_a_size_by_name_has_as_many_weights_as_the_documents_say(name, rank, millions):
    config = replace(networks.unet(), size=name, strides="xy_only")
    with torch.device("meta"):
        network = UNet(rank, 4 + 32, 4, config.written_out((4, 32, 32)[-rank:], "unet"), 0)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=4e-3)


def test_every_name_of_a_size_has_its_numbers():
    named, _ = get_args(get_type_hints(UNetConfig)["size"])
    assert get_args(named) == tuple(SIZES)


OLD = {"channels": [8, 16], "blocks": 2, "heads": 4, "attention": "window", "window": 4, "dropout": 0.1}


def test_a_section_of_format_1_is_the_same_network_today():
    expected = networks.unet(blocks=2, attention="window", heads=4, window=4, dropout=0.1, least=1, keep=1)
    assert params.build(UNetConfig, formats.unet(OLD), "unet") == expected


@pytest.mark.parametrize("damaged", [None, 3, [], {}, {"channels": 3}, {"channels": []}, {**OLD, "attention": 3}])
def test_a_section_of_format_1_that_is_none_is_refused_in_one_line(damaged):
    with pytest.raises(InputError, match=r"^unet[.:\w\[\]]* "):
        params.build(UNetConfig, formats.unet(damaged), "unet")


@st.composite
def drawn(draw):
    """A section of any values, few of which do not fit by themselves, and the sizes of a grid."""

    def usually(good, other):
        return draw(other if draw(st.integers(0, 29)) == 0 else good)

    rank, count = draw(st.integers(2, 3)), draw(st.integers(1, 4))
    kind, number = st.sampled_from(get_args(Kind)), st.integers(1, 5)
    whole = st.lists(st.integers(1, 2), min_size=rank, max_size=rank)
    listed = st.lists(whole, min_size=count - 1, max_size=count - 1)
    size = {
        "channels": draw(st.lists(st.sampled_from([2, 4, 6, 12]), min_size=count, max_size=count)),
        "blocks": draw(st.integers(0, 1)),
        "attention": usually(st.lists(kind, min_size=count, max_size=count), st.lists(kind, max_size=4)),
        "norm": {
            "kind": draw(st.sampled_from(["group", "layer", "instance", "rms", "adaptive"])),
            "groups": usually(number, st.integers(-1, 0)),
        },
        "convolution": draw(st.sampled_from(["dense", "depthwise"])),
    }
    made = {
        "size": size,
        "strides": usually(st.one_of(st.sampled_from(NAMES), listed), st.lists(st.lists(st.integers(0, 3)))),
        "least": usually(number, st.just(0)),
        "heads": usually(st.integers(1, 2), st.integers(-1, 3)),
        "window": usually(number, st.just(0)),
        "keep": usually(number, st.just(0)),
        "dropout": draw(st.sampled_from([0.0, 0.5])),
    }
    return made, tuple(draw(st.sampled_from([8, 4, 12, 2, 1, 3])) for _ in range(rank))


def built(numbers, sizes):
    """The network's section for such a grid, or the line that refuses it."""
    try:
        return params.build(UNetConfig, numbers, "unet").written_out(sizes, "unet")
    except InputError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(drawn())
def test_any_section_trains_on_any_grid_or_is_refused_in_one_line(choice):
    numbers, sizes = choice
    config = built(numbers, sizes)
    if isinstance(config, str):
        assert config.startswith("unet.")
        assert "\n" not in config
        return
    network = UNet(len(sizes), 2, 2, config, 0)
    torch.nn.init.normal_(network.out.weight)
    out = network(torch.randn(1, 2, *sizes), torch.zeros(1), Condition(None, None))
    out.square().sum().backward()
    assert out.shape == (1, 2, *sizes)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
