"""The reader of stored pictures: on PNG and JPEG written here, and on damaged ones."""

import struct
import zlib
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from echoes.errors import InputError
from echoes.readers import images

SIZE = 32
GREY = images.Source("images", SIZE, "grey", "viridis")
DRAWN, RGB = replace(GREY, colour="colormap"), replace(GREY, colour="rgb")


def spectrogram():
    """(SIZE, SIZE) 0..1: bright at the top (the highest velocity) and brighter with time."""
    rows, columns = np.meshgrid(np.linspace(1, 0, SIZE), np.linspace(0.2, 1, SIZE), indexing="ij")
    return rows * columns


def pixels(name="viridis"):
    return np.round(matplotlib.colormaps[name](spectrogram())[:, :, :3] * 255).astype(np.uint8)


def grey():
    return np.round(spectrogram() * 255).astype(np.uint8)


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)
    return path


def only(root, source):
    (recorded,) = images.index(root, source)
    return images.read(root, source, recorded).values


@pytest.mark.parametrize(("name", "atol"), [("1.png", 0.003), ("1.jpg", 0.03), ("1.JPEG", 0.03)])
def test_a_grey_picture_is_the_power_with_the_highest_velocity_first(tmp_path, name, atol):
    save(tmp_path / "walk" / name, grey())
    values = only(tmp_path, GREY)
    assert (values.shape, values.dtype) == ((1, SIZE, SIZE), np.float32)
    np.testing.assert_allclose(values[0], spectrogram(), atol=atol)


def test_grey_may_be_stored_in_three_channels_or_16_bits_or_a_palette(tmp_path):
    save(tmp_path / "walk/1.png", np.repeat(grey()[:, :, None], 3, axis=2))
    save(tmp_path / "walk/2.png", np.round(spectrogram() * 65535).astype(np.uint16))
    Image.fromarray(grey()).convert("P").save(tmp_path / "walk/3.png")
    for recorded in images.index(tmp_path, GREY):
        values = images.read(tmp_path, GREY, recorded).values
        np.testing.assert_allclose(values[0], spectrogram(), atol=0.003)


@pytest.mark.parametrize(("name", "atol"), [("1.png", 0.005), ("1.jpg", 0.1)])
def test_a_drawn_picture_gives_the_power_back(tmp_path, name, atol):
    save(tmp_path / "walk" / name, pixels())
    np.testing.assert_allclose(only(tmp_path, DRAWN)[0], spectrogram(), atol=atol)


def test_rgb_keeps_the_channels(tmp_path):
    save(tmp_path / "walk/1.png", pixels())
    values = only(tmp_path, RGB)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, pixels().transpose(2, 0, 1) / 255, atol=1e-6)


def test_a_picture_may_have_fewer_rows_than_columns(tmp_path):
    save(tmp_path / "walk/1.png", grey()[:20])
    np.testing.assert_allclose(only(tmp_path, replace(GREY, size=(20, SIZE)))[0], spectrogram()[:20], atol=0.003)
    with pytest.raises(InputError, match=r"1\.png: expected a picture of 20x32 pixels, got 32x20"):
        images.index(tmp_path, replace(GREY, size=(SIZE, 20)))
    with pytest.raises(InputError, match=r"^size: expected at least 1, got 0"):
        replace(GREY, size=(SIZE, 0))


def test_folders_are_user_and_activity(tmp_path):
    save(tmp_path / "anna/walk/1.png", grey())
    (recorded,) = images.index(tmp_path, GREY)
    assert (recorded.labels, recorded.duration_s) == ({"user": "anna", "activity": "walk"}, 0)


def rewrite(path, values, **options):
    save(path, values, **options)


def chunk(content):
    """Of a PNG: its length, name and data, and a sum of both."""
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


DAMAGES = {
    "another size": (GREY, lambda p: save(p, grey()[:, :30]), "expected a picture of 32x32 pixels, got 30x32"),
    "empty": (GREY, lambda p: p.write_bytes(b""), "expected a whole PNG or JPEG, got: cannot identify"),
    "text": (GREY, lambda p: p.write_text("walk"), "expected a whole PNG or JPEG"),
    "cut off": (GREY, lambda p: p.write_bytes(p.read_bytes()[:-200]), "expected a whole PNG or JPEG"),
    "a broken colour profile at its end": (
        GREY,
        lambda p: p.write_bytes(p.read_bytes()[:-12] + chunk(b"iCCPx\0") + p.read_bytes()[-12:]),
        "expected a whole PNG or JPEG, got: index out of range",
    ),
    "coloured": (GREY, lambda p: save(p, pixels()), "expected a grey picture, got colours that differ by"),
    "another map": (DRAWN, lambda p: save(p, pixels("jet")), "expected colours of viridis, 0.02 off in the mean"),
    "transparent": (
        RGB,
        lambda p: save(p, np.dstack([pixels(), np.full((SIZE, SIZE), 9, np.uint8)])),
        "expected an opaque picture",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_picture_that_does_not_fit_is_refused_in_one_line_that_names_it(tmp_path, damage):
    source, spoil, message = DAMAGES[damage]
    spoil(save(tmp_path / "walk/1.png", grey()))
    with pytest.raises(InputError, match=f"walk/1.png: {message}") as error:
        only(tmp_path, source)
    assert "\n" not in str(error.value)


def test_a_size_is_checked_before_any_picture_is_read(tmp_path):
    save(tmp_path / "walk/1.png", grey())
    save(tmp_path / "walk/2.png", grey()[:20])
    with pytest.raises(InputError, match=r"2\.png: expected a picture of 32x32 pixels, got 32x20"):
        images.index(tmp_path, GREY)


def test_impossible_parameters_are_refused_by_name():
    with pytest.raises(InputError, match=r"^size: expected at least 1, got 0"):
        replace(GREY, size=0)
    with pytest.raises(InputError, match=r"^colormap: .*parula"):
        replace(DRAWN, colormap="parula")
    replace(GREY, colormap="parula")  # it is not used


def test_a_picture_of_another_format_under_a_known_name_is_refused_unopened(tmp_path):
    """Pillow would hand PostScript to a program."""
    (tmp_path / "walk").mkdir()
    eps = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n"
    (tmp_path / "walk/1.png").write_text(eps)
    with pytest.raises(InputError, match=r"1\.png: expected a whole PNG or JPEG"):
        only(tmp_path, GREY)


def test_a_picture_that_claims_billions_of_pixels_is_refused_by_its_size(tmp_path):
    path = save(tmp_path / "walk/1.png", grey())
    data = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + data[24:29]
    path.write_bytes(data[:8] + chunk(header) + data[33:])
    with pytest.raises(InputError, match=r"1\.png: expected a (picture of 32x32|whole PNG)"):
        only(tmp_path, GREY)
