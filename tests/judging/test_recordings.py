"""What is found of the recordings of a micro-Doppler track, from what each of them told."""

from dataclasses import replace

import pytest

from echoes import params
from echoes.judging.recordings import FINDINGS, filled_mps, findings
from echoes.judging.signals import Traits
from echoes.readers.recordings import RecordingEntry
from echoes.voxelization.spectrograms import SpectrogramParams
from tracks import STFT

LAYOUT = params.build(SpectrogramParams, STFT, "grid")
RECORDED = [RecordingEntry(f"{name}/{i}", {"activity": name}, 2.0 + i) for name in ("run", "walk") for i in range(5)]
SANE = Traits("", clipped=0.0, wavelength_m=0.0124, offset_db=-20.0, image_db=-40.0, folded=0.0, approaching=0.7)
TRAITS = {one.key: replace(SANE, digest=one.key) for one in RECORDED}


def found(recorded=RECORDED, layout=LAYOUT, **changes):
    """Name -> text, with the traits of some recordings changed, or those of all."""
    traits = {key: replace(each, **changes) for key, each in TRAITS.items()}
    return {each.name: each.text for each in findings(recorded, traits, layout).found}


def of_some(keys, **changes):
    traits = TRAITS | {key: replace(TRAITS[key], **changes) for key in keys}
    return {each.name: each.text for each in findings(RECORDED, traits, LAYOUT).found}


def test_sane_recordings_have_no_warnings():
    told = findings(RECORDED, TRAITS, LAYOUT)
    assert told.found == []
    assert dict(told.lines)["recordings"] == "10 of 2 labels, 5 to 5 of each"
    assert dict(told.lines)["duration"] == "4.00 s (median), 2.00 to 6.00 s; a crop has 0.8 s"
    assert dict(told.lines)["approaching"] == "of the power of what moves, median: run 70%, walk 70%"
    assert told.text().endswith("\nno warnings")


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({"constant": "Q"}, "constant_channel", "1 of 10 recordings never change: run/3 (Q)"),
        ({"one_channel": True}, "one_channel", "I and Q are one channel in 1 of 10 recordings: run/3; "),
        (
            {"clipped": 0.02},
            "clipped",
            "samples lie at the limits of what was stored in 1 of 10 recordings: run/3 (2.0%)",
        ),
        ({"folded": 0.05}, "folded_velocity", "in 1 of 10 recordings: run/3 (5% of the windows)"),
        ({"digest": "walk/0"}, "duplicates", "1 of 10 recordings are those of another name: run/3 = walk/0"),
    ],
)
def test_one_recording_that_is_not_sane_is_named(changes, name, text):
    told = of_some(["run/3"], **changes)
    assert list(told) == [name]
    assert text in told[name]


def test_what_a_receiver_does_is_told_where_it_shows_in_many_recordings():
    for changes, name in (({"image_db": -20.0}, "iq_imbalance"), ({"offset_db": 80.0}, "dc_offset")):
        assert of_some(["run/3"], **changes) == {}
        assert list(of_some(["run/1", "run/3", "walk/0"], **changes)) == [name]
    assert "mirror image 20 dB below it in 10 recordings" in found(image_db=-20.0)["iq_imbalance"]


def test_an_offset_is_told_where_the_notch_lets_it_through():
    assert found(offset_db=20.0) == {}
    narrow = params.build(SpectrogramParams, STFT | {"notch_mps": 0.0, "window": "boxcar"}, "grid")
    assert filled_mps(20.0, 0.0124, LAYOUT) == pytest.approx(1.66 * 10 * 0.0062, rel=0.05)
    assert found(layout=narrow, offset_db=40.0)["dc_offset"].endswith("notch_mps = 0 lets it through")
    assert found(layout=narrow, offset_db=-1.0) == {}


def test_short_recordings_and_labels_with_a_single_one_are_told():
    short = [
        *RECORDED,
        RecordingEntry("run/x", {"activity": "run"}, 0.79),
        RecordingEntry("fall/0", {"activity": "fall"}, 0.8),
    ]
    told = found(short)
    assert told["short_recordings"] == "1 of 12 recordings are shorter than a crop of 0.8 s: run/x (0.790 s)"
    assert told["single_recording"].startswith("1 of 3 labels have one recording only: fall; ")


def test_dark_pictures_are_told_with_the_bits_that_they_may_have():
    picture = params.build(
        SpectrogramParams,
        {k: STFT[k] for k in ("velocity", "time", "floor_db", "ceiling_db")} | {"raster": "picture"},
        "grid",
    )
    still = {
        "clipped": None,
        "wavelength_m": None,
        "offset_db": None,
        "image_db": None,
        "folded": None,
        "approaching": None,
    }
    assert found(layout=picture, **still, largest=0.9) == {}
    told = found(layout=picture, **still, largest=4095 / 65535)
    assert told == {
        "dark_pictures": "pictures: no value is above 0.062 of 1; are these 12 bits stored as 16, or 4 as 8?"
    }


def test_recordings_that_never_change_are_no_duplicates():
    assert list(of_some(["run/1", "run/2"], digest="silence", constant="I and Q")) == ["constant_channel"]


def test_every_name_says_what_it_is_of():
    assert all(text for text in FINDINGS.values())
