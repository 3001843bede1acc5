"""Sets of samples part by part: what is between all pairs of two sets never lies in memory as a whole."""

PART = 2048  # samples of either set: 34 MB for a matrix of float64


def parts(count: int) -> list[slice]:
    """The places of `count` samples, PART at a time."""
    return [slice(start, min(start + PART, count)) for start in range(0, count, PART)]
