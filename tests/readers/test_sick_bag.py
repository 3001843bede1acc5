"""The reader of bags on a real one: a 2D radar and a 2D LiDAR, both as PointCloud2."""

import numpy as np
import pytest

from echoes import params
from echoes.readers import bags, ros

NAME = "rms_1xxx_lms_1xx_movement_off.bag"
SECTION = {
    "reader": "ros",
    "ego_motion": "none",
    "doppler": {"span_mps": None, "static_mps": 0.25, "static_share": 0.2, "max_speed_mps": 40.0},
    "radar": {
        "topic": "/cloud_radar_rawtarget",
        "fields": {"x": "x", "y": "y", "z": "z", "doppler": "vrad", "power": "amplitude"},
        "doppler_sign": 1,
        "axes": "FLU",
        "power": {"unit": "dB", "offset_db": 0.0},
        "padding": "zero",
        "stamps": "header",
        "offset_s": 0.0,
        "same_stamp": "last",
    },
    "lidar": {
        "topic": "/cloud",
        "fields": {"x": "x", "y": "y", "z": "z", "reflectivity": "intensity"},
        "reflectivity_max": 255.0,
        "padding": "zero",
        "stamps": "header",
        "offset_s": 0.0,
        "same_stamp": "refuse",
    },
    "motion": None,
    "extrinsics": "extrinsics.yaml",
    "stamp_tolerance_s": 0.03,
    "join_s": 1.0,
}
SOURCE = params.build(ros.Source, SECTION, "sick")


@pytest.fixture
def recording(recordings, tmp_path):
    (tmp_path / NAME).symlink_to((recordings / "sick-rms-lms-bag" / NAME).resolve())
    (tmp_path / "extrinsics.yaml").write_text(
        "maps: lidar_to_radar\nrotation: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\ntranslation_m: [0, 0, 0]\n"
    )
    return tmp_path


def test_the_radar_repeats_each_scan_while_it_grows_and_the_last_one_counts(recording):
    radar = "/cloud_radar_rawtarget"
    assert len(bags.messages(recording / NAME, (radar,))[radar]) == 139
    entries = ros.index(recording, SOURCE)
    assert sum(1 + entry.repeated + entry.empty for entry in entries) == 139
    assert 15 <= len(entries) <= 20
    np.testing.assert_allclose(np.diff([entry.stamp for entry in entries]), 0.1, atol=0.01)


def test_lidar_scans_at_50_hz_are_never_more_than_10_ms_away(recording):
    offsets_s = np.array([entry.offset_s for entry in ros.index(recording, SOURCE)])
    assert np.abs(offsets_s[1:-1]).max() < 0.0105
    assert (offsets_s < 0).any()
    assert (offsets_s > 0).any()


def test_padding_is_dropped_and_everything_stands_still(recording):
    for entry in ros.index(recording, SOURCE):
        frame = ros.read(recording, SOURCE, entry)
        assert 1 <= len(frame.radar) <= 8
        assert (frame.radar[:, 0] > 0).all()
        assert np.median(np.abs(frame.radar[:, 3])) < 0.2
        assert 500 < len(frame.target) <= 541
