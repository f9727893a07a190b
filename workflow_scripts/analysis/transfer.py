"""What training did to areas of benchmarks: gains, and what of a gain on math shows elsewhere.

Every number compares the natural end of a trained model with its base at its best form on the same
questions, as the contrasts of training do. Models that differ in their seed alone are one: a
question counts with its mean over them. The index is that of arXiv 2507.00432; verdicts are those
of the contrasts, none comes from here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.analysis.best_form import at_its_best
from workflow_scripts.analysis.cells import Cell, dataset_cells, natural_end
from workflow_scripts.analysis.contrasts import expected_questions
from workflow_scripts.analysis.efficiency import NO_RELATIVE, transferability
from workflow_scripts.analysis.grid import CellKey
from workflow_scripts.analysis.intervals import (
    Floats,
    difference_interval,
    generator,
    resample_counts,
)
from workflow_scripts.analysis.study import Model
from workflow_scripts.analysis.tables import TRANSFER
from workflow_scripts.common.formats import AREAS, MATH

BLOCK = 2_000_000  # numbers of resamples that are held at a time
MATH_FELL = "accuracy on math fell: an index above 0 is a loss, too"
NO_INTERVAL = "no interval: too often a resample leaves no index"
UNCHANGED = "no interval: no question of the area changed"


@dataclass(frozen=True)
class Pair:
    """One benchmark before and after training.

    before, after  mean verdict of each question, (questions,)
    binary         both are single verdicts
    missing        why there is no number: "" where both models have every question and draw
    """

    dataset: str
    before: Floats
    after: Floats
    binary: bool
    missing: str = ""

    @property
    def scores(self) -> tuple[float, float]:
        """Accuracies, shares of 1."""
        return float(self.before.mean()), float(self.after.mean())


@dataclass(frozen=True)
class Resampling:
    """How intervals are made: confidence, bootstrap resamples, seed of the study."""

    confidence: float
    resamples: int
    seed: int


def transfer(
    points: pl.DataFrame,
    outcomes: pl.DataFrame,
    models: Sequence[Model],
    areas: Mapping[str, str],
    how: Resampling,
) -> pl.DataFrame:
    """The table TRANSFER of a study, in the order of its models and of AREAS.

    areas  of each benchmark, by its name
    """
    cells = {
        name: dataset_cells(outcomes, name, count)
        for name, count in expected_questions(points).items()
    }
    rows = []
    for unit, members in units(models).items():
        pairs = [_pair(points, own, members, name, how.seed) for name, own in cells.items()]
        by_area = {area: [p for p in pairs if areas[p.dataset] == area] for area in AREAS}
        own = {area: found for area, found in by_area.items() if found}
        rows += [{"model": unit, "seeds": len(members)} | row for row in area_rows(own, how)]
    return pl.DataFrame(rows, schema=TRANSFER, orient="row")


def units(models: Sequence[Model]) -> dict[str, list[Model]]:
    """Models that were trained from a base, by family: one that has no seeds is its own."""
    found: dict[str, list[Model]] = {}
    for model in models:
        if model.base:
            found.setdefault(model.family or model.name, []).append(model)
    return found


def _pair(
    points: pl.DataFrame,
    cells: dict[CellKey, Cell],
    members: Sequence[Model],
    dataset: str,
    seed: int,
) -> Pair:
    best = at_its_best(points, cells, str(members[0].base), dataset, seed)
    ends = [_end(points, cells, model.name, dataset) for model in members]
    named = [("the base", best.cell if best else None)]
    named += [(model.name, end) for model, end in zip(members, ends, strict=True)]
    told = [f"{name} {'lacks answers' if cell else 'has no generation'} on {dataset}"
            for name, cell in named if cell is None or cell.missing]  # fmt: skip
    if told:
        return Pair(dataset, np.zeros(0), np.zeros(0), binary=False, missing="; ".join(told))
    base, *after = [cell for _, cell in named if cell]
    single = len(after) == 1 and base.draws == after[0].draws == 1
    return Pair(dataset, base.right, np.mean([cell.right for cell in after], axis=0), single)


def _end(points: pl.DataFrame, cells: dict[CellKey, Cell], model: str, dataset: str) -> Cell | None:
    key = natural_end(points.filter((pl.col("model") == model) & (pl.col("dataset") == dataset)))
    return cells.get(key) if key else None


def area_rows(by_area: Mapping[str, Sequence[Pair]], how: Resampling) -> Iterator[dict[str, Any]]:
    """A row for each area of one model, without its name.

    An area in which a benchmark lacks an answer has no number: the others are not its mean.
    """
    math = by_area.get(MATH, ())
    for area, pairs in by_area.items():
        row = {"area": area, "benchmarks": " ".join(pair.dataset for pair in pairs)}
        missing = [pair.missing for pair in pairs if pair.missing]
        if missing:
            yield row | {"note": "; ".join(missing)}
            continue
        row |= {"questions": sum(len(pair.before) for pair in pairs)} | _gain(pairs, how)
        yield row | (_on_math(row) if area == MATH else _index(math, pairs, how))


def _on_math(row: Mapping[str, Any]) -> dict[str, str]:
    return {"note": NO_RELATIVE if row["relative_gain"] is None else ""}


def _gain(pairs: Sequence[Pair], how: Resampling) -> dict[str, float | None]:
    """Mean gain over benchmarks, in points with its interval, and relative to the base."""
    mean, low, high = mean_gain(pairs, how.confidence)
    scores = [pair.scores for pair in pairs]
    known = all(before > 0 for before, _ in scores)
    relative = [100 * (after - before) / before for before, after in scores] if known else []
    return {
        "difference": mean,
        "difference_low": low,
        "difference_high": high,
        "relative_gain": sum(relative) / len(relative) if relative else None,
    }


def mean_gain(pairs: Sequence[Pair], confidence: float) -> tuple[float, float, float]:
    """Mean gain over benchmarks in points, and its interval; their questions are independent."""
    means, below, above = np.array([_change(pair, confidence) for pair in pairs]).T
    mean = float(means.mean())
    low, high = (sqrt(float((ends**2).sum())) / len(pairs) for ends in (below, above))
    return mean, mean - low, mean + high


def _change(pair: Pair, confidence: float) -> tuple[float, float, float]:
    """Gain of one benchmark in points, and how far its interval reaches below and above."""
    change = pair.after - pair.before
    mean = 100 * float(change.mean())
    low, high = difference_interval(change, pair.binary, confidence)
    return mean, mean - (low or 0.0), (high or 0.0) - mean


def _index(math: Sequence[Pair], other: Sequence[Pair], how: Resampling) -> dict[str, Any]:
    """Index, its interval, and a note; no index where the gain on math is not known."""
    missing = [pair.missing for pair in math if pair.missing]
    if missing:
        return {"note": "; ".join(missing)}
    gain = mean_gain(math, how.confidence)[1:] if math else (0.0, 0.0)
    found = transferability([p.scores for p in math], [p.scores for p in other], gain)
    if found.value is None:
        return {"note": found.note}
    notes = [MATH_FELL] if gain[1] < 0 else []
    low, high, why = index_interval(math, other, how)
    return {
        "index": found.value,
        "index_low": low,
        "index_high": high,
        "note": "; ".join([*notes, why] if why else notes),
    }


def index_interval(
    math: Sequence[Pair], other: Sequence[Pair], how: Resampling
) -> tuple[float | None, float | None, str]:
    """Percentile interval of the index over questions, resampled within each benchmark.

    A resample in which a base score is 0, or the gain on math has the other sign, has no index.
    It is counted beyond both ends, so that such resamples only widen the interval; where they are
    too many for an end, there is none, and the text says why. Neither is one of width 0.
    """
    below, above = resampled_gain(math, how), resampled_gain(other, how)
    sign = np.sign(_relative(math))
    known = np.isfinite(below) & np.isfinite(above) & (sign * below > 0)
    values = np.divide(100 * above, below, out=np.full_like(above, np.nan), where=known)
    tail = (1 - how.confidence) / 2
    low = np.quantile(np.where(known, values, -np.inf), tail, method="inverted_cdf")
    high = np.quantile(np.where(known, values, np.inf), 1 - tail, method="inverted_cdf")
    if not np.isfinite([low, high]).all():
        return None, None, NO_INTERVAL
    return (None, None, UNCHANGED) if high - low < 1e-9 else (float(low), float(high), "")


def _relative(pairs: Sequence[Pair]) -> float:
    scores = [pair.scores for pair in pairs]
    return sum((after - before) / before for before, after in scores) / len(scores)


def resampled_gain(pairs: Sequence[Pair], how: Resampling) -> Floats:
    """Mean relative gain of each resample, (resamples,); not finite where a base score is 0."""
    return np.mean([_resampled(pair, how) for pair in pairs], axis=0)


def _resampled(pair: Pair, how: Resampling) -> Floats:
    """Relative gain of one benchmark, (resamples,): the same resamples for every model."""
    rng, count = generator(how.seed, f"transfer {pair.dataset}"), len(pair.before)
    size = max(1, BLOCK // count)
    sums = [
        resample_counts(count, min(size, how.resamples - start), rng)
        @ np.stack([pair.before, pair.after - pair.before], axis=1)
        for start in range(0, how.resamples, size)
    ]
    before, change = np.concatenate(sums).T
    return np.divide(change, before, out=np.full_like(before, np.nan), where=before > 0)
