"""FID and KID of spectrograms: the pictures that Inception is shown, and what is no file of its weights."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from echoes import seeds
from echoes.errors import InputError
from echoes.evaluation import inception

CPU = torch.device("cpu")


class Corner(nn.Module):
    """The first row and column of each picture is its feature."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == torch.uint8
        return x[:, :, 0, 0].float()


def test_a_spectrogram_is_a_grey_picture_whose_first_row_is_the_highest_velocity():
    spectrogram = np.array([[[[-1.0, 0.0], [2.0, 1.0]]]], np.float32)
    made = inception.pictures(spectrogram)
    assert made.shape == (1, 3, 2, 2)
    np.testing.assert_array_equal(made[0], np.broadcast_to([[255, 255], [0, 128]], (3, 2, 2)))


def test_colours_stay_as_they_are():
    spectrogram = np.array([-1.0, 0.0, 1.0], np.float32).reshape(1, 3, 1, 1)
    np.testing.assert_array_equal(inception.pictures(spectrogram).reshape(3), [0, 128, 255])


def test_every_picture_has_its_own_features_whatever_the_batch():
    values = np.linspace(-1, 1, inception.BATCH + 3, dtype=np.float32).reshape(-1, 1, 1, 1)
    found = inception.features(Corner(), values, CPU)
    np.testing.assert_array_equal(found[:, 0], np.rint((values.reshape(-1) + 1) / 2 * 255))


def test_equal_sets_have_no_frechet_distance_and_moved_ones_the_square_of_the_way():
    features = seeds.rng(0, "features").normal(size=(60, 4))
    assert inception.distances(features, features)["inception_frechet"] == pytest.approx(0, abs=1e-9)
    moved = inception.distances(features + np.array([3.0, 0, 0, 0]), features)
    assert moved["inception_frechet"] == pytest.approx(9)
    assert moved["inception_kid"] > 0


def test_weights_without_the_package_are_refused_with_what_installs_it(tmp_path: Path):
    if find_spec(inception.PACKAGE):
        pytest.skip("torch-fidelity is installed")
    with pytest.raises(InputError, match=r"^evaluate\.inception: needs .*; run `pip install -e '\.\[inception\]'`$"):
        inception.load(tmp_path / "weights.pth", CPU)


def test_the_features_are_those_of_the_weights_in_the_file(tmp_path: Path):
    fidelity = pytest.importorskip("torch_fidelity", reason="the extra `inception` is not installed")

    class Untrained(fidelity.FeatureExtractorInceptionV3):
        def load_state_dict(self, *_):
            """Its weights stay as they are drawn."""

    torch.save({}, tmp_path / "none.pth")
    torch.manual_seed(0)
    network = Untrained("inception-v3-compat", [inception.LAYER], str(tmp_path / "none.pth"))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    spectrograms = seeds.rng(0, "spectrograms").uniform(-1, 1, (2, 1, 16, 16)).astype(np.float32)
    found = inception.features(inception.load(tmp_path / "weights.pth", CPU), spectrograms, CPU)
    assert found.shape == (2, 2048)
    assert not np.allclose(found[0], found[1])
    with pytest.raises(InputError, match=r"^evaluate\.inception: expected the weights of .*, got .*none\.pth"):
        inception.load(tmp_path / "none.pth", CPU)
    (tmp_path / "text.pth").write_text("weights")
    with pytest.raises(InputError, match=r"^evaluate\.inception: expected a file of tensors .*, got .*text\.pth"):
        inception.load(tmp_path / "text.pth", CPU)
