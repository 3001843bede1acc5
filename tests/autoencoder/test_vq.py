"""A codebook finds the centres of clusters; dead codes come back, live ones stay; its use is measured as it is."""

from types import SimpleNamespace

import pytest
import torch

from echoes.autoencoder.posteriors import Point
from echoes.autoencoder.vq import CodebookTraining, VectorQuantizer, VqConfig
from echoes.errors import InputError
from echoes.training.ema import Ema

CENTRES = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0], [0.0, -4.0]])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


class Trained(VectorQuantizer):
    """With the weights of its loss at hand."""

    def __init__(self, channels, codes, vq):
        super().__init__(channels, VqConfig(codes))
        self.weights = SimpleNamespace(kl=0.0, vq=vq)

    def update(self, raw_latents):
        super().update(raw_latents, self.weights)

    def penalty(self, posterior):
        return super().penalty(posterior, self.weights)


def quantizer(count=4, restart=1000, decay=0.9, channels=2):
    return Trained(channels, count, CodebookTraining(decay, commitment=0.25, restart=restart))


def placed(codebook, restart=1000):
    """A quantizer that has started, with its codes where they are told to be."""
    found = quantizer(len(codebook), restart, channels=codebook.shape[1])
    for name, value in (("codebook", codebook), ("total", codebook), ("started", torch.tensor(True))):
        getattr(found, name).copy_(value)
    return found


def clustered(count=64, spread=0.1):
    """(B, 2, 4, 4) latents around four centres, as many around each."""
    which = torch.arange(count * 16) % 4
    vectors = CENTRES[which] + spread * torch.randn(count * 16, 2)
    return vectors.reshape(count, 4, 4, 2).movedim(-1, 1)


def test_the_codes_become_the_means_of_the_clusters():
    vq = placed(0.3 * CENTRES)
    batch = clustered()
    for _ in range(200):
        vq.update(batch)
    vectors = batch.movedim(1, -1).reshape(-1, 2)
    means = torch.stack([vectors[i::4].mean(0) for i in range(4)])
    torch.testing.assert_close(vq.codebook, means, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_from_any_start_in_the_data_restarts_lead_to_a_code_in_every_cluster(seed):
    torch.manual_seed(seed)
    vq = quantizer(count=8, restart=5)
    for _ in range(200):
        vq.update(clustered())
    near = torch.cdist(CENTRES, vq.codebook).min(1).values
    assert near.max() < 0.2


def test_one_update_is_one_step_of_the_running_means():
    vq = placed(torch.tensor([[0.0], [10.0]]))
    vq.update(torch.tensor([1.0, 2.0, 12.0]).reshape(3, 1, 1, 1))
    size, total = torch.tensor([0.9 + 0.2, 0.9 + 0.1]), torch.tensor([[0.3], [9.0 + 1.2]])
    torch.testing.assert_close(vq.size, size)
    torch.testing.assert_close(vq.total, total)
    torch.testing.assert_close(vq.codebook, total / size[:, None], rtol=1e-4, atol=1e-5)


def test_the_first_batch_gives_the_codes():
    vq, batch = quantizer(count=16, decay=0.999), clustered()
    vq.update(batch)
    vectors = batch.movedim(1, -1).reshape(-1, 2)
    assert torch.cdist(vq.codebook, vectors).min(1).values.max() < 0.1
    assert vq.usage()["codebook_utilisation"] > 0.9


def test_where_two_codes_live_the_utilisation_says_two_although_restarts_go_on():
    far = torch.full((16, 2), 100.0) + torch.arange(16.0)[:, None]
    far[0], far[1] = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0])
    vq = placed(far, restart=1000)
    batch = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).reshape(2, 2, 1, 1)
    for _ in range(10):
        vq.update(batch)
        assert vq.usage() == {"codebook_utilisation": pytest.approx(2 / 16), "codebook_perplexity": pytest.approx(2.0)}
    assert vq.counts(batch).tolist() == [1, 1, *[0] * 14]


def test_restarted_codes_that_nothing_chooses_are_not_counted_as_used():
    vq = placed(torch.tensor([[1.0], [-1.0], *[[50.0 + i] for i in range(6)]]), restart=2)
    batch = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)  # two points: codes put on them tie, and the first wins
    for _ in range(30):
        vq.update(batch)
    assert vq.codebook.abs().max() < 1.1  # all were restarted
    assert vq.usage()["codebook_utilisation"] <= 0.5
    assert int((vq.last > 0).sum()) == 2


def test_dead_codes_move_to_vectors_of_the_batch_after_so_many_steps_and_used_codes_do_not_move():
    start = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [90.0, 0.0], [-90.0, 0.0]])
    vq, batch = placed(start, restart=3), torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).reshape(2, 2, 1, 1)
    for _ in range(2):
        vq.update(batch)
        torch.testing.assert_close(vq.codebook, start, rtol=1e-3, atol=1e-3)
    vq.update(batch)
    torch.testing.assert_close(vq.codebook[:2], start[:2], rtol=1e-3, atol=1e-3)
    assert vq.codebook[2:].abs().max() == 1.0


def test_planted_dead_codes_come_to_life_on_data_with_room_for_them():
    vq = placed(torch.cat([torch.zeros(2, 2), torch.full((62, 2), 1e3) + torch.arange(62.0)[:, None]]), restart=5)
    for _ in range(40):
        vq.update(torch.randn(16, 2, 8, 8))
    assert vq.usage()["codebook_utilisation"] > 0.9
    assert vq.usage()["codebook_perplexity"] > 30


@pytest.mark.parametrize("rank", [2, 3])
def test_latents_become_their_nearest_codes_and_gradients_pass_unchanged(rank):
    vq = placed(CENTRES)
    raw = torch.randn(2, 2, *[3] * rank, requires_grad=True)
    snapped, weight = vq.quantize(raw), torch.randn(2, 2, *[3] * rank)
    vectors = snapped.detach().movedim(1, -1).reshape(-1, 2)
    assert torch.cdist(vectors, CENTRES).min(1).values.max() < 1e-5
    assert torch.equal(
        torch.cdist(raw.detach().movedim(1, -1).reshape(-1, 2), CENTRES).argmin(1),
        torch.cdist(vectors, CENTRES).argmin(1),
    )
    (snapped * weight).sum().backward()
    torch.testing.assert_close(raw.grad, weight)
    torch.testing.assert_close(vq.quantize(snapped), snapped)


def test_the_commitment_pulls_latents_to_their_codes_per_sample():
    vq = placed(CENTRES)
    raw = CENTRES[:2].reshape(2, 2, 1, 1) + torch.tensor([0.2, 0.4]).reshape(2, 1, 1, 1)
    raw.requires_grad_()
    penalty = vq.penalty(Point(raw))
    torch.testing.assert_close(penalty, 0.25 * torch.tensor([0.04, 0.16]))
    penalty.sum().backward()
    torch.testing.assert_close(raw.grad.flatten(1), 0.25 * torch.tensor([[0.2, 0.2], [0.4, 0.4]]))


def test_the_posterior_is_the_latents_before_they_are_quantized():
    vq, moments = placed(CENTRES), torch.randn(2, 2, 3, 3)
    posterior = vq.posterior(moments)
    assert torch.equal(posterior.sample(), moments)
    assert not posterior.std.any()


def test_an_average_of_weights_carries_the_codebook():
    vq = quantizer()
    ema = Ema(vq, 0.99)
    vq.update(clustered())
    assert not torch.equal(ema.model.codebook, vq.codebook)
    ema.update(0)
    assert torch.equal(ema.model.codebook, vq.codebook)
    assert bool(ema.model.started)


def test_an_update_repeats_with_the_seed_of_its_step():
    found = []
    for _ in range(2):
        torch.manual_seed(7)
        vq = quantizer(count=32, restart=1)
        for _ in range(3):
            vq.update(clustered())
        found.append(vq.codebook)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decay": 1.0}, "decay: expected at least 0 and less than 1, got 1.0"),
        ({"commitment": -1.0}, "commitment: expected 0 or more, got -1.0"),
        ({"restart": 0}, "restart: expected at least 1, got 0"),
    ],
)
def test_numbers_that_make_no_codebook_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        CodebookTraining(**{"decay": 0.9, "commitment": 0.25, "restart": 10} | change)


def test_a_single_code_is_none():
    with pytest.raises(InputError, match="codes: expected at least 2, got 1"):
        VqConfig(1)
