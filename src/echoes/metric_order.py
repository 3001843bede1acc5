"""The numbers of a method that come first, in evaluate.json (and so in the table of `dvc exp show`) and in reports."""

from collections.abc import Mapping
from typing import Any

METRIC_ORDER = (
    *("chamfer_m", "f1@1.0m", "iou_bev", "iou_3d", "jsd_bev", "count_ratio"),
    *("points_chamfer_m", "points_chamfer_ratio", "points_f1@1.0m", "points_f1_ratio"),
    *("points_worse_than_radar", "points_worse_than_lidar"),
    *("frechet", "kid", "precision", "recall", "coverage", "inception_frechet", "inception_kid"),
    *("activity_accuracy", "user_accuracy", "train_on_generated_accuracy"),
    *("envelope_w1_mps", "cadence_w1_hz", "latency_ms", "calls"),
    *("set_two_sample_accuracy", "set_frechet", "set_jsd_bev"),
    *("radar_hit_f1", "radar_static_doppler_mps", "set_doppler_w1_mps", "set_power_w1_db"),
)


def in_order(block: Mapping[str, Any]) -> dict[str, Any]:
    """The same block with its headline numbers first, then the others, then both ends of the intervals of all."""
    rank = {key: i for i, key in enumerate(METRIC_ORDER)}
    places = {key: (key.endswith(("_lo", "_hi")), rank.get(key, len(rank))) for key in block}
    return {key: block[key] for key in sorted(block, key=places.__getitem__)}
