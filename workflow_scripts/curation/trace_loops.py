"""Traces that end in a loop: the same stretch of text over and over until the end."""

from dataclasses import dataclass

TAIL = 6000  # characters looked at
PROBE = 48  # characters that must recur for a closer look
MIN_REPEATS = 4
MIN_CHARACTERS = 300  # shorter repetition is ordinary writing ("... = 1 + 1 + 1 + 1")


@dataclass(frozen=True)
class Loop:
    """The repeated unit (its last occurrence) and how often it stands at the end."""

    unit: str
    repeats: int


def find_loop(trace: str) -> Loop | None:
    """The loop that a trace ends in, if its tail is `MIN_REPEATS` or more copies of one unit."""
    tail = trace.rstrip()[-TAIL:]
    probe = tail[-PROBE:]
    if len(probe) < PROBE or tail.count(probe) < MIN_REPEATS - 1:
        return None
    # The distance between the last two probes is the period of any loop at the end.
    period = len(tail) - PROBE - tail.rfind(probe, 0, len(tail) - 1)
    length = _periodic_length(tail, period)
    if length < MIN_CHARACTERS or length < MIN_REPEATS * period:
        return None
    return Loop(tail[-period:], length // period)


def _periodic_length(text: str, period: int) -> int:
    """Characters at the end of `text` that equal those one period before, plus that period."""
    end = len(text)
    same = 0
    while end - same - period > 0 and text[end - same - 1] == text[end - same - 1 - period]:
        same += 1
    return same + period
