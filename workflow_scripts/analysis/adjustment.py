"""One yardstick for every test of the study, so that no effect anywhere yields no claim anywhere.

A study tests dozens of slopes and hundreds of paired differences. Under no effect a question's
contribution to each of them is as likely of either sign. Signs are flipped per question for all
models and methods of a benchmark together, which keeps how tests depend on each other; the largest
studentised sum over the whole study is what a single one must exceed (Westfall and Young 1993).
"""

from collections.abc import Iterable

import numpy as np

from workflow_scripts.analysis.grid import Grid
from workflow_scripts.analysis.intervals import Floats, flipped_maximum, studentised

ROUNDING = 1e-9


def study_error(confidence: float) -> float:
    """Largest adjusted p value of a claim: the chance that a study without effect makes any claim.

    Half of what the intervals leave open, 2.5 % at 95 %: claims are of two directions, and a
    study's readers take each of them as its own.
    """
    return (1 - confidence) / 2


def yardstick(grids: dict[str, Grid], tests: Iterable[tuple[str, Floats]]) -> Floats:
    """Largest absolute studentised sum over all tests under every sign flip: (resamples,).

    `tests` are (dataset, contribution of each question); datasets share no question, so their
    flips are independent.
    """
    columns: dict[str, list[Floats]] = {}
    for dataset, contributions in tests:
        columns.setdefault(dataset, []).append(contributions)
    extremes = [
        flipped_maximum(grids[dataset].flips, np.stack(found, axis=1))
        for dataset, found in columns.items()
    ]
    return np.maximum.reduce(extremes) if extremes else np.zeros(0)


def adjusted_p(largest: Floats, contributions: Floats) -> float:
    """Two-sided p value of one test against the yardstick; 1 where nothing changed at all."""
    observed = abs(float(studentised(contributions[:, None])[0]))
    if observed == 0:
        return 1.0
    return float((1 + (largest >= observed - ROUNDING).sum()) / (1 + len(largest)))
