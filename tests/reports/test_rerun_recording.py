"""A recording of Rerun holds each frame at its place on the time line, and what is gone does not stay."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rerun", reason="the extra `rerun` is not installed")

from rerun.chunk import RrdReader
from tests.reports.test_scenes import VIEW, layer

from echoes.reports import rerun_recording
from echoes.reports.scenes import Layer, Picture, Scene

RAMP = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 2, 3)


def counts(path: Path) -> dict[tuple[str, int], int]:
    """Entity and frame -> points there."""
    found = {}
    for chunk in RrdReader(path).stream().to_chunks():
        batch = chunk.to_record_batch().to_pydict()
        for name, rows in batch.items():
            if name.endswith("Points3D:positions"):
                found |= {(chunk.entity_path, at): len(row) for at, row in zip(batch["frame"], rows, strict=True)}
    return found


def test_every_frame_is_at_its_place_with_all_its_points(tmp_path: Path) -> None:
    scenes = [Scene("first", [layer("radar", 40, "power"), layer("posterior mean", 300, "probability")])]
    scenes.append(Scene("second", [layer("radar", 7, "power"), layer("posterior mean", 0, "probability")]))
    assert rerun_recording.write("two", VIEW, scenes, tmp_path / "two.rrd") == 2
    assert counts(tmp_path / "two.rrd") == {
        ("/clouds/radar", 0): 40,
        ("/clouds/radar", 1): 7,
        ("/clouds/posterior\\ mean", 0): 300,
        ("/clouds/posterior\\ mean", 1): 0,
        ("/uncertainty/posterior\\ mean", 0): 300,
        ("/uncertainty/posterior\\ mean", 1): 0,
    }


def test_a_picture_that_is_gone_is_cleared_and_nothing_is_left_of_a_recording_that_fails(tmp_path: Path) -> None:
    def broken():
        yield Scene("a", pictures=[Picture("real", RAMP), Picture("cd_1", RAMP)])
        yield Scene("b", pictures=[Picture("real", RAMP)])
        raise ValueError("no third")

    with pytest.raises(ValueError, match="no third"):
        rerun_recording.write("broken", {}, broken(), tmp_path / "broken.rrd")
    assert list(tmp_path.iterdir()) == []
    rerun_recording.write("good", {}, [scene for _, scene in zip(range(2), broken(), strict=False)], tmp_path / "a.rrd")
    cleared = {
        chunk.entity_path
        for chunk in RrdReader(tmp_path / "a.rrd").stream().to_chunks()
        if any(name.endswith("Clear:is_recursive") for name in chunk.to_record_batch().schema.names)
    }
    assert cleared == {"/spectrograms/cd_1"}


def test_uncertainty_is_the_spread_of_samples_or_that_of_a_yes_or_no() -> None:
    points, share = np.zeros((3, 3)), np.float32([0, 0.5, 1])
    of = {"probability": share}
    np.testing.assert_allclose(rerun_recording.uncertainty(Layer("a", points, of)), [0, 0.5, 0])
    np.testing.assert_allclose(rerun_recording.uncertainty(Layer("a", points, {**of, "spread": share / 4})), share / 4)
    assert rerun_recording.uncertainty(Layer("a", points, {"power": share})) is None


def test_the_highest_velocity_is_on_top_of_a_picture() -> None:
    np.testing.assert_array_equal(rerun_recording.pixels(Picture("a", RAMP)), [[153, 204, 255], [0, 51, 102]])
    assert rerun_recording.pixels(Picture("a", np.repeat(RAMP, 3, axis=0))).shape == (2, 3, 3)
