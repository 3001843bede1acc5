"""Latents of every frame, with what belongs to them, and the statistics of the train split alone."""

import numpy as np
import pytest
import torch

from echoes import latentstore
from echoes.models import autoencoders, denoisers
from echoes.models.extraction import Extraction

CPU = torch.device("cpu")
PAIRED = ("latents", "std", "cond", "latents_mirrored", "std_mirrored", "cond_mirrored")
LABELLED = ("latents", "std", "labels")


def extraction(track):
    return Extraction(track.vae, track.grids, autoencoders.load(track.data / "vae.safetensors", CPU)[1])


@pytest.fixture(scope="module", params=["track", "people", "people_vq"])
def case(request):
    """A track, and name -> (N, Z, *S / 4) or (N, kinds) of all its frames, in batches of 4."""
    track = request.getfixturevalue(request.param)
    names = PAIRED if request.param == "track" else LABELLED
    pieces = list(extraction(track).batches(4))
    assert all(set(piece) == set(names) for piece in pieces)
    return track, {name: np.concatenate([piece[name] for piece in pieces]) for name in names}


def encode(track, dense):
    with torch.no_grad():
        posterior = track.vae.encode(torch.from_numpy(np.ascontiguousarray(dense)))
    return posterior.mean.numpy(), posterior.std.numpy()


def assert_near(found, expected, name):
    """The processor may compute in bfloat16: 8 bits of mantissa."""
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max(), err_msg=name)


def test_every_frame_is_encoded_in_order(case):
    track, rows = case
    dense = track.grids.target_batch(np.arange(len(track.grids)))
    mean, std = encode(track, dense)
    assert_near(rows["latents"], mean, "latents")
    assert_near(rows["std"], std, "std")


def test_the_radar_and_the_mirrored_frame_are_encoded_too(track):
    rows = next(extraction(track).batches(len(track.grids)))
    every = np.arange(len(track.grids))
    target, radar = track.grids.target_batch(every), track.grids.input_as_target_batch(every)
    for ending, change in (("", lambda x: x), ("_mirrored", lambda x: np.flip(x, -2))):
        mean, std = encode(track, change(target))
        cond, _ = encode(track, change(radar))
        for name, expected in (("latents", mean), ("std", std), ("cond", cond)):
            assert_near(rows[name + ending], expected, name + ending)


def test_spectrograms_keep_their_labels_and_have_no_mirror(people):
    rows = next(extraction(people).batches(len(people.grids)))
    assert set(rows) == set(LABELLED)
    np.testing.assert_array_equal(rows["labels"], people.grids.labels(np.arange(len(people.grids))))
    assert len(np.unique(rows["labels"], axis=0)) == 5


def test_the_store_holds_what_was_encoded(case):
    track, rows = case
    every = np.arange(len(track.grids))
    for name, values in rows.items():
        stored = values if name == "labels" else values.astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(track.latents.rows(name, every), stored)


@pytest.mark.parametrize("form", ["safetensors", "zarr"])
def test_both_formats_hold_the_latents_and_labels_of_spectrograms(form, people, tmp_path):
    made = extraction(people)
    latentstore.write(tmp_path / "latents", form, made.batches(4), lambda: made.header({"batch": 4}))
    store, some = latentstore.read(tmp_path / "latents"), np.array([50, 3, 3, 17])
    for name in LABELLED:
        assert store.rows(name, some).dtype == (np.int32 if name == "labels" else np.float32)
        np.testing.assert_array_equal(store.rows(name, some), people.latents.rows(name, some))
    assert store.header.content == people.latents.header.content
    assert store.header.parents == people.latents.header.parents
    assert store.header.params == {"batch": 4}


def test_the_statistics_are_those_of_the_train_split_drawn_from_its_posteriors(case):
    track, rows = case
    train, cells = track.grids.frames("train"), (0, *range(2, rows["latents"].ndim))
    mean, std = (rows[name][train].astype(np.float64) for name in ("latents", "std"))
    found = denoisers.whitening(track.latents.header)
    np.testing.assert_allclose(found.mean, mean.mean(cells), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.std, np.sqrt(mean.var(cells) + (std**2).mean(cells)), rtol=1e-5)


def test_the_header_names_shape_compression_and_parents(case):
    track, rows = case
    header = track.latents.header
    assert header.content["latent_shape"] == list(rows["latents"].shape[1:])
    assert header.content["compression"] == 4
    vae = autoencoders.load(track.data / "vae.safetensors", CPU)[1]
    assert header.content["axes"] == vae.content["axes"]
    assert header.parents == {"grids": track.grids.header.identity, "vae": vae.identity}


def test_a_codebook_leaves_latents_as_they_were_encoded(people_vq):
    """What the denoiser learns are points before they are quantized, which have no deviation."""
    every = np.arange(len(people_vq.grids))
    assert not people_vq.latents.rows("std", every).any()
    latents = torch.from_numpy(people_vq.latents.rows("latents", every))
    assert (people_vq.vae.bottleneck.quantize(latents) - latents).abs().max() > 0


def test_the_metrics_are_flat_and_finite(case):
    made = extraction(case[0])
    list(made.batches(5))
    found = made.statistics()
    assert found["frames"] == len(case[0].grids)
    assert set(found) == {"frames", *(f"{name}_{i}" for name in ("mean", "std") for i in range(4))}
    assert all(np.isfinite(value) for value in found.values())
