"""Weights survive the disk in the same bytes, and what does not fit is refused in one line."""

import json
import tracemalloc
from functools import partial

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from echoes import weights
from echoes.errors import InputError
from echoes.provenance import Header

HEADER = Header("vae", {"lr": 1e-3}, {"grids": "g"}, {"b": 1, "a": 2})


def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "b.weight": torch.randn(3, 4, generator=generator).t(),  # not contiguous
        "a.bias": torch.randn(2, generator=generator).bfloat16(),
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False]),
    }


def test_tensors_and_header_come_back(tmp_path):
    weights.save(tensors(), HEADER, tmp_path / "vae.safetensors")
    found, header = weights.load(tmp_path / "vae.safetensors", "vae")
    torch.testing.assert_close(found, dict(tensors()), rtol=0, atol=0)
    assert (header.params, header.parents, header.content) == (HEADER.params, HEADER.parents, HEADER.content)
    assert len(header.identity) == 64


def test_saving_twice_in_any_order_gives_the_same_bytes(tmp_path):
    weights.save(tensors(), HEADER, tmp_path / "a")
    weights.save(dict(reversed(tensors().items())), HEADER, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_changed_number_changes_the_identity(tmp_path):
    changed = tensors()
    changed["mask"] = torch.tensor([True, True])
    for name, content in (("a", tensors()), ("b", changed)):
        weights.save(content, HEADER, tmp_path / name)
    assert weights.load(tmp_path / "a", "vae")[1].identity != weights.load(tmp_path / "b", "vae")[1].identity


def test_a_module_comes_back_bit_for_bit(tmp_path):
    torch.manual_seed(0)
    module = nn.Linear(3, 4)
    weights.save(module.state_dict(), HEADER, tmp_path / "a")
    other = weights.rebuilt(lambda: nn.Linear(3, 4), weights.load(tmp_path / "a", "vae")[0], tmp_path / "a")
    torch.testing.assert_close(other.state_dict(), module.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    "other", [partial(nn.Linear, 3, 5), partial(nn.Linear, 3, 4, bias=False), lambda: nn.Sequential(nn.Linear(3, 4))]
)
def test_weights_of_another_module_are_refused_in_one_line(tmp_path, other):
    weights.save(nn.Linear(3, 4).state_dict(), HEADER, tmp_path / "a")
    with pytest.raises(InputError, match="a: weights do not fit the network") as raised:
        weights.rebuilt(other, weights.load(tmp_path / "a", "vae")[0], tmp_path / "a")
    assert "\n" not in str(raised.value)


def test_missing_truncated_foreign_and_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "vae.safetensors"
    weights.save(tensors(), HEADER, path)
    whole = path.read_bytes()
    with pytest.raises(InputError, match=r"vae\.safetensors: expected an artifact of kind ldm, got vae"):
        weights.load(path, "ldm")
    for content in (whole[:-1], whole[:100], whole[:4], b"", b"no weights at all", b"\xff" * 8 + whole[8:]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"vae\.safetensors: expected a safetensors file") as raised:
            weights.load(path, "vae")
        assert "\n" not in str(raised.value)
    path.unlink()
    with pytest.raises(InputError, match=r"vae\.safetensors: no such file"):
        weights.load(path, "vae")


def test_every_byte_that_flips_in_a_file_is_noticed(tmp_path):
    path = tmp_path / "vae.safetensors"
    weights.save(tensors(), HEADER, path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(InputError, match=r"vae\.safetensors: expected "):
            weights.load(path, "vae")


def test_the_header_alone_is_read_without_the_tensors(tmp_path):
    path = tmp_path / "vae.safetensors"
    weights.save(tensors(), HEADER, path)
    assert weights.header(path, "vae") == weights.load(path, "vae")[1]
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    assert weights.header(path, "vae").kind == "vae"
    with pytest.raises(InputError, match=r"expected the tensors \w{12} as written, got \w{12}"):
        weights.load(path, "vae")


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [10**13], "data_offsets": [0, 10**13]},
        {"shape": [10**13]},
        {"data_offsets": [0, 1 << 62]},
        {"dtype": "F64"},
        {"shape": [-1, -8]},
    ],
)
def test_a_small_file_that_claims_terabytes_is_refused_before_anything_is_allocated(tmp_path, change):
    weights.save({"a": torch.zeros(2)}, HEADER, tmp_path / "a")
    raw = (tmp_path / "a").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8 : 8 + length])
    table["a"] |= change
    text = json.dumps(table).encode()
    (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    tracemalloc.start()
    with pytest.raises(InputError, match="a: expected a safetensors file, got "):
        weights.load(tmp_path / "a", "vae")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_weights_that_echoes_did_not_write_are_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a")
    with pytest.raises(InputError, match="expected the header of an echoes artifact"):
        weights.load(tmp_path / "a", "vae")


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: nn.Linear(1 << 40, 1 << 20), "weights do not fit the network"),
        (lambda: nn.Linear(1 << 62, 1 << 62), "expected params of a network"),
        (lambda: nn.Linear(-3, 4), "expected params of a network"),
        (lambda: nn.Sequential(*(nn.Linear(3, 4) for _ in range(10**12))), "more weights than the 2 tensors"),
        (lambda: with_table(1 << 40), "expected tables of at most"),
    ],
)
def test_params_that_claim_any_size_are_refused_without_memory(tmp_path, build, told):
    weights.save(nn.Linear(3, 4).state_dict(), HEADER, tmp_path / "a")
    tracemalloc.start()
    with pytest.raises(InputError, match=f"a: .*{told}"):
        weights.rebuilt(build, weights.load(tmp_path / "a", "vae")[0], tmp_path / "a")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def with_table(rows):
    module = nn.Linear(3, 4)
    module.register_buffer("table", torch.zeros(rows), persistent=False)
    return module


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path, value):
    module = nn.Linear(3, 4)
    nn.init.constant_(module.bias, value)
    weights.save(module.state_dict(), HEADER, tmp_path / "a")
    with pytest.raises(InputError, match="a: expected finite weights, got others in bias"):
        weights.rebuilt(lambda: nn.Linear(3, 4), weights.load(tmp_path / "a", "vae")[0], tmp_path / "a")


def test_a_network_is_built_as_before_once_another_was_refused(tmp_path):
    weights.save(nn.Linear(3, 4).state_dict(), HEADER, tmp_path / "a")
    tensors = weights.load(tmp_path / "a", "vae")[0]
    with pytest.raises(InputError, match="more weights"):
        weights.rebuilt(lambda: nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)), tensors, tmp_path / "a")
    assert len(list(nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)).parameters())) == 4
