"""The order of the numbers of a method: what is looked at first comes first, nothing is lost."""

from echoes.metric_order import in_order


def test_headline_numbers_come_first_and_intervals_last():
    block = {"mhd_m": 1, "mhd_m_lo": 0, "calls": 2, "chamfer_m_0-20m": 3, "chamfer_m_hi": 5, "chamfer_m": 4}
    assert list(in_order(block)) == ["chamfer_m", "calls", "mhd_m", "chamfer_m_0-20m", "mhd_m_lo", "chamfer_m_hi"]
    assert in_order(block) == block
