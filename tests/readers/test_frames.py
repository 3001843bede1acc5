"""What all readers share."""

import numpy as np

from echoes.readers.frames import Box


def test_the_outline_of_a_turned_box_has_its_length_along_its_heading():
    box = Box("Car", (10.0, 2.0, 0.0), (4.0, 2.0, 1.5), np.pi / 2)
    np.testing.assert_allclose(box.outline(), [[9, 4], [11, 4], [11, 0], [9, 0]], atol=1e-12)
