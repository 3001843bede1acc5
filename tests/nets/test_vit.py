"""A vision transformer computes what torch's own layers do with the same weights."""

import pytest
import torch
from torch import nn

import vits
from echoes import params
from echoes.errors import InputError
from echoes.nets.vit import Vit, VitShape


def shape(registers=0, placed=True, **others):
    numbers = {
        "inputs": 3,
        "patch": vits.PATCH,
        "width": vits.WIDTH,
        "depth": vits.DEPTH,
        "hidden": vits.HIDDEN,
        "heads": vits.HEADS,
        "registers": registers,
        "positions": vits.SIDE**2 + placed,
        "placed": placed,
        "scaled": True,
    }
    return params.build(VitShape, numbers | others, "vit")


def reference(tensors, i):
    """torch's layer with the weights of a block; the scales of what is added are in the matrices that give it."""
    layer = nn.TransformerEncoderLayer(
        vits.WIDTH, vits.HEADS, vits.HIDDEN, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
    )
    t = {name.removeprefix(f"blocks.{i}."): tensor for name, tensor in tensors.items()}
    state = {
        "self_attn.in_proj_weight": t["attn.qkv.weight"],
        "self_attn.in_proj_bias": t["attn.qkv.bias"],
        "self_attn.out_proj.weight": t["ls1.gamma"][:, None] * t["attn.proj.weight"],
        "self_attn.out_proj.bias": t["ls1.gamma"] * t["attn.proj.bias"],
        "linear1.weight": t["mlp.fc1.weight"],
        "linear1.bias": t["mlp.fc1.bias"],
        "linear2.weight": t["ls2.gamma"][:, None] * t["mlp.fc2.weight"],
        "linear2.bias": t["ls2.gamma"] * t["mlp.fc2.bias"],
        **{f"norm{n}.{kind}": t[f"norm{n}.{kind}"] for n in (1, 2) for kind in ("weight", "bias")},
    }
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize(("registers", "placed"), [(0, True), (2, True), (2, False)])
def test_it_computes_what_torchs_own_layers_do(registers, placed):
    """A token of the class, then registers without a position, then patches row by row."""
    tensors, vit = vits.tensors(registers, placed), Vit(shape(registers, placed))
    vit.load_state_dict({name: tensor for name, tensor in tensors.items() if name != "mask_token"})
    torch.manual_seed(0)
    x = torch.randn(2, 3, vits.SIDE * vits.PATCH, vits.SIDE * vits.PATCH)
    with torch.no_grad():
        matrix, rows = tensors["patch_embed.proj.weight"].flatten(1), x.unfold(2, 2, 2).unfold(3, 2, 2)
        patches = rows.permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2) @ matrix.T + tensors["patch_embed.proj.bias"]
        class_token = tensors["cls_token"] + (tensors["pos_embed"][:, :1] if placed else 0)
        before = [class_token, *([tensors["reg_token"]] if registers else [])]
        tokens = torch.cat(
            [*(t.expand(2, -1, -1) for t in before), patches + tensors["pos_embed"][:, int(placed) :]], dim=1
        )
        expected = []
        for i in range(vits.DEPTH):
            tokens = reference(tensors, i)(tokens)
            expected.append(tokens)
        expected[-1] = nn.functional.layer_norm(
            tokens, (vits.WIDTH,), tensors["norm.weight"], tensors["norm.bias"], 1e-6
        )
        found = vit(x)
    for ours, theirs in zip(found, expected, strict=True):
        places = theirs[:, 1 + registers :].reshape(2, vits.SIDE, vits.SIDE, vits.WIDTH).movedim(-1, 1)
        torch.testing.assert_close(ours, places, atol=1e-4, rtol=1e-4)


def test_positions_of_another_grid_lie_between_those_that_were_learned():
    """A plane of embeddings is the same plane where it is sampled more finely, away from the edge."""
    vit = Vit(shape(positions=1 + 6**2))
    plane = torch.arange(6.0)[:, None] + 10 * torch.arange(6.0)
    with torch.no_grad():
        vit.pos_embed[:, 1:] = plane.flatten()[None, :, None]
        positions = vit._positions(torch.Size((12, 12)))[1].unflatten(1, (12, 12))[0, :, :, 0]
    where = (torch.arange(12.0) + 0.5) / 2 - 0.5
    inner = slice(4, -4)
    torch.testing.assert_close(positions[inner, inner], (where[:, None] + 10 * where)[inner, inner])


def test_sizes_that_make_no_transformer_are_refused_by_their_key():
    for others, message in (
        ({"heads": 5}, "heads: expected a divisor of 12 features, got 5"),
        ({"positions": 12}, "positions: expected those of a square of patches, got 12"),
        ({"depth": 0}, "depth: expected at least 1, got 0"),
    ):
        with pytest.raises(InputError, match=rf"^vit\.{message}$"):
            shape(**others)
