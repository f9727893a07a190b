"""Measures over models rather than cells: sample efficiency and transfer beyond mathematics."""

from collections.abc import Sequence
from math import log10

from workflow_scripts.analysis.headline import Value

NO_RELATIVE = "a base score is 0: its relative gain is undefined"


def sample_efficiency(accuracy: float, examples: int) -> Value:
    """Accuracy (in the unit given) per decade of training examples: accuracy / log10(examples)."""
    if examples <= 1:
        return Value(None, "needs more than one training example")
    return Value(accuracy / log10(examples))


def transferability(
    math: Sequence[tuple[float, float]],
    other: Sequence[tuple[float, float]],
    math_gain: tuple[float, float],
) -> Value:
    """Transferability Index: 100 x mean relative gain elsewhere / mean relative gain on math.

    `math` and `other` are (base, tuned) accuracies per benchmark of a group; `math_gain` is the
    interval of the gain on math, for which the index is only defined when it excludes 0.
    """
    if not math or not other:
        return Value(None, "needs a benchmark in both groups")
    if any(base == 0 for base, _ in (*math, *other)):
        return Value(None, NO_RELATIVE)
    if math_gain[0] <= 0 <= math_gain[1]:
        return Value(None, "the gain on math is within noise of 0")
    return Value(100 * _relative_gain(other) / _relative_gain(math))


def _relative_gain(scores: Sequence[tuple[float, float]]) -> float:
    return sum((tuned - base) / base for base, tuned in scores) / len(scores)
