"""What docs/recordings.md shows of a section `source` of micro-Doppler recordings is one, and reads what it says."""

import re

import numpy as np
import pytest
import yaml
from tests.readers import test_adc, test_iq

from echoes import imports, params
from echoes.readers import adc, iq
from echoes.readers.catalog import RECORDINGS

PAGE = (imports.ROOT / "docs" / "recordings.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(source:\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def source(block):
    held = yaml.safe_load(block)["source"]
    return params.build(RECORDINGS[held["reader"]].Source, held, "source")


def test_the_page_shows_the_sections_that_the_command_track_writes():
    assert {iq.EXAMPLE, adc.EXAMPLE} < set(BLOCKS)
    assert len([source(block) for block in BLOCKS]) == 3


@pytest.mark.parametrize("block", [block for block in BLOCKS if "reader: adc" in block])
def test_files_as_the_page_describes_them_have_the_velocity_of_their_target(tmp_path, block):
    told = source(block)
    cube = test_adc.target(told, 2)
    (tmp_path / "walk").mkdir()
    if "lanes" in told.axes:
        paired = cube.reshape(*cube.shape[:3], -1, 1, 2)
        words = np.concatenate([paired.real, paired.imag], axis=4).astype("<i2")
        (tmp_path / "walk/1.bin").write_bytes(words.tobytes())
    else:
        test_adc.write(tmp_path / "walk/1.npy", cube)
    recorded, signal = test_adc.only(tmp_path, told)
    assert recorded.duration_s == pytest.approx(2 * 0.0128)
    assert test_adc.velocity_mps(signal) == pytest.approx(test_adc.SPEED_MPS, rel=0.01)


def test_a_file_of_i_and_q_as_the_page_describes_it_is_read(tmp_path):
    (told,) = (source(block) for block in BLOCKS if "reader: iq" in block)
    test_iq.FILES["npy"](tmp_path / "walk", test_iq.target())
    signal = test_iq.only(tmp_path, told)[1]
    np.testing.assert_allclose(signal.samples, test_iq.target(), rtol=1e-6)
    assert (signal.rate_hz, signal.wavelength_m) == (test_iq.RATE_HZ, pytest.approx(0.0124914, rel=1e-5))
