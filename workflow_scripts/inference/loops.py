"""Repetition at the end of a trace, found after the fact; it never changes what is generated."""

from collections.abc import Sequence

import numpy as np

TAIL = 2048  # ids looked at
MIN_IDS = 48  # repeated stretch, shortest
MIN_TIMES = 4  # repetitions, fewest
PROBE = 8  # ids compared before a candidate period is measured


def loops(ids: Sequence[int]) -> bool:
    """Whether the trace ends in one block repeated at least 4 times over at least 48 ids."""
    tail = np.asarray(ids[-TAIL:], dtype=np.int64)
    if len(tail) < MIN_IDS:
        return False
    longest = len(tail) // MIN_TIMES
    periods = np.nonzero(tail[-2 : -longest - 2 : -1] == tail[-1])[0] + 1
    return any(_repeats(tail, int(period)) for period in periods)


def _repeats(tail: np.ndarray, period: int) -> bool:
    probe = min(PROBE, len(tail) - period)
    if not np.array_equal(tail[-probe:], tail[-probe - period : len(tail) - period]):
        return False
    same = tail[period:] == tail[:-period]
    differing = np.nonzero(~same)[0]
    run = len(same) - (int(differing[-1]) + 1 if len(differing) else 0) + period
    return run >= max(MIN_IDS, MIN_TIMES * period)
