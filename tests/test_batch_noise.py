"""What a part of a batch draws are its rows of what the whole batch would draw."""

import pytest
import torch

from echoes import batch_noise

CPU = torch.device("cpu")
KINDS = {
    "normal": lambda n: batch_noise.normal(n, 3, device=CPU),
    "normal_like": lambda n: batch_noise.normal_like(torch.zeros(n, 3, dtype=torch.float64)),
    "uniform": lambda n: batch_noise.uniform(n, 2, 2, device=CPU),
    "integers": lambda n: batch_noise.integers(1000, n, CPU),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_of_a_batch_draw_together_what_the_batch_draws(kind):
    def drawn(start, stop):
        torch.manual_seed(0)
        with batch_noise.rows(start, stop, 7):
            return [KINDS[kind](stop - start) for _ in range(2)]

    whole = drawn(0, 7)
    parts = [drawn(0, 3), drawn(3, 4), drawn(4, 7)]
    for i in range(2):
        assert torch.equal(torch.cat([part[i] for part in parts]), whole[i])
    assert not torch.equal(whole[0], whole[1])


@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_a_batch_a_draw_is_what_it_is_asked_for(kind):
    torch.manual_seed(0)
    plain = KINDS[kind](5)
    torch.manual_seed(0)
    with batch_noise.rows(0, 5, 5):
        assert torch.equal(KINDS[kind](5), plain)


def test_the_rows_end_with_their_block_also_after_an_error():
    with pytest.raises(RuntimeError), batch_noise.rows(0, 1, 100):
        raise RuntimeError
    assert len(batch_noise.normal(5, device=CPU)) == 5


def test_dropout_keeps_a_share_scales_it_up_and_rests_in_evaluation():
    layer, x = batch_noise.Dropout(0.25), torch.ones(400, 50)
    torch.manual_seed(0)
    found = layer(x)
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(layer.eval()(x), x)
