"""Samples of a generator become the clouds of the decoded grids."""

import numpy as np
import torch

from echoes.models import denoisers, methods, students
from echoes.models.methods import Decoder
from echoes.models.radar.clouds import from_decoded
from echoes.models.radar.decoding import CloudDecoder, decoded_clouds

SHAPE = (4, 2, 4, 2)


def test_clouds_are_those_of_the_decoded_samples_and_carry_the_time_they_took(track):
    plain = Decoder(track.vae, denoisers.whitening(track.latents.header))
    decoder = CloudDecoder(plain, track.grids.scaling, 0.5)
    cond = torch.from_numpy(track.grids.radar_batch([0, 1, 2]))
    generator = students.cd(track.model, track.cd_params.sigmas, [], 0)
    found, seconds = decoded_clouds(generator, decoder, cond, [0, 1, 2], SHAPE, 0)
    dense, _ = methods.decoded(generator, plain, cond, [0, 1, 2], SHAPE, 0)
    assert seconds > 0
    assert len(found) == 3
    assert sum(len(cloud.indices) for cloud in found) > 10
    for one, other in zip(found, from_decoded(dense, 0.5, track.grids.scaling), strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.features, other.features)
