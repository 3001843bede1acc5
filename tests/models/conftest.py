"""Small trained-looking tracks of both families: everything on disk from grids to consistency model."""

from types import SimpleNamespace

import pytest

import tracks


@pytest.fixture(scope="session")
def track(tmp_path_factory) -> SimpleNamespace:
    return tracks.radar(tmp_path_factory.mktemp("radar"))


@pytest.fixture(scope="session")
def track_vae(tmp_path_factory) -> SimpleNamespace:
    """The same with the radar through the autoencoder."""
    return tracks.radar(tmp_path_factory.mktemp("radar"), by="vae")


@pytest.fixture(scope="session")
def both_ends(tmp_path_factory) -> SimpleNamespace:
    """The same with a student that has two times."""
    return tracks.both_ends(tmp_path_factory.mktemp("radar"))


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> SimpleNamespace:
    """Continuous latents, flow matching by a U-Net."""
    return tracks.people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="session")
def people_vq(tmp_path_factory) -> SimpleNamespace:
    """A codebook, DDPM by a transformer."""
    return tracks.people(tmp_path_factory.mktemp("people"), "vq", parameterization="ddpm", network="dit")


@pytest.fixture(scope="session")
def lidar_track(tmp_path_factory) -> SimpleNamespace:
    """A track whose radar is made from a LiDAR."""
    return tracks.radar_from_lidar(tmp_path_factory.mktemp("lidar"))
