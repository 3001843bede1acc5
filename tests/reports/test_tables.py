"""Tables say what evaluate measured, in the order it was measured."""

import json

import pytest

from echoes.errors import InputError
from echoes.reports import tables

EVALUATION = {
    "radar": {
        "chamfer_m": 2.3456,
        "chamfer_m_lo": 2.2,
        "chamfer_m_hi": 2.5,
        "iou_3d": 0.0312,
        "latency_ms": 0.0,
        "calls": 0,
    },
    "ldm": {
        "chamfer_m": 0.5123,
        "chamfer_m_lo": 0.5,
        "chamfer_m_hi": 0.53,
        "iou_3d": None,
        "latency_ms": 812.6,
        "calls": 79,
    },
    "frames": 64,
    "threshold": 0.46,
}


def test_markdown_has_a_row_per_method_with_intervals():
    lines = tables.markdown(EVALUATION).splitlines()
    assert lines == [
        "| method | chamfer_m | iou_3d | latency_ms | calls |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| radar | 2.35 [2.20, 2.50] | 0.031 | 0.000 | 0 |",
        "| ldm | 0.512 [0.500, 0.530] | - | 813 | 79 |",
    ]


def test_plain_columns_are_aligned_with_intervals_below():
    assert tables.plain(EVALUATION).splitlines() == [
        "method       chamfer_m  iou_3d  latency_ms  calls",
        "radar             2.35   0.031       0.000      0",
        "          [2.20, 2.50]",
        "ldm              0.512       -         813     79",
        "        [0.500, 0.530]",
    ]


def test_small_and_large_numbers_keep_their_meaning():
    block = {"chamfer_m": 12.345, "kid": 0.000512, "frechet": -0.0412, "latency_ms": 1234.5}
    row = tables.markdown({"ldm": block}).splitlines()[-1]
    assert row == "| ldm | 12.3 | -0.041 | 0.00051 | 1234 |"


def test_single_numbers_are_the_caption():
    assert tables.caption("radar", EVALUATION) == "radar: frames 64, threshold 0.460"


def test_the_latest_results_hold_every_evaluated_track(tmp_path):
    for track in ("radar", "astyx"):
        (tmp_path / track).mkdir()
        (tmp_path / track / "evaluate.json").write_text(json.dumps(EVALUATION))
    (tmp_path / "vod").mkdir()
    astyx, radar = tables.latest(tmp_path)
    assert (astyx.split(",")[0], radar.split(",")[0]) == ("astyx: frames 64", "radar: frames 64")
    assert astyx.endswith(f"\n\n{tables.plain(EVALUATION)}")


def test_the_folds_of_a_track_have_a_table_of_their_points(tmp_path):
    (tmp_path / "astyx").mkdir()
    assert tables.folds(tmp_path) == []
    radar = {"points_chamfer_m": 0.81, "points_chamfer_m_lo": 0.6, "points_chamfer_m_hi": 1.2, "chamfer_m": 9.0}
    ldm = {"points_chamfer_m": 0.7, "points_chamfer_m_fold_0": 5.0, "points_worse_than_radar": 1, "chamfer_m": 9.0}
    content = {"radar": radar, "ldm": ldm, "folds": 4, "stretches": 16, "frames": 406}
    (tmp_path / "astyx" / "folds.json").write_text(json.dumps(content))
    (found,) = tables.folds(tmp_path, tables.markdown)
    assert found.splitlines() == [
        "astyx, points of all folds: folds 4, stretches 16, frames 406",
        "",
        "| method | points_chamfer_m | points_worse_than_radar |",
        "| --- | ---: | ---: |",
        "| radar | 0.810 [0.600, 1.20] | - |",
        "| ldm | 0.700 | 1 |",
    ]


def test_results_that_are_no_json_are_named(tmp_path):
    assert tables.latest(tmp_path) == []
    (tmp_path / "radar").mkdir()
    (tmp_path / "radar" / "evaluate.json").write_text("{")
    with pytest.raises(InputError, match=r"radar/evaluate\.json: expected JSON"):
        tables.latest(tmp_path)
