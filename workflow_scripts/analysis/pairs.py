"""Paired comparisons of cells on the same questions: the ones that the report speaks about."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.analysis.adjustment import adjusted_p, study_error
from workflow_scripts.analysis.grid import CellKey, Grid
from workflow_scripts.analysis.intervals import (
    Floats,
    mcnemar,
    percentile_interval,
    resampled_means,
)
from workflow_scripts.analysis.study import Model
from workflow_scripts.analysis.tables import PAIRS
from workflow_scripts.common.cells import INFINITE

ADDED_WAIT, TRAINING, BUDGET = "added-continuation", "training", "budget"
PHRASE, CLASS, ABLATION = "phrase", "class-prompt", "ablation"
COMPARISONS = (TRAINING, ABLATION, BUDGET, ADDED_WAIT, PHRASE, CLASS)
BETTER, WORSE, UNRESOLVED, IDENTICAL = "better", "worse", "unresolved", "identical"


@dataclass(frozen=True)
class Pair:
    """Cells a and b of one dataset; the difference is b minus a."""

    comparison: str
    dataset: str
    a: CellKey
    b: CellKey


def planned(points: pl.DataFrame, models: list[Model]) -> Iterator[Pair]:
    """Every comparison of the study whose two cells exist."""
    for (dataset,), part in points.group_by("dataset", maintain_order=True):
        yield from _training(part, dataset, models)
        yield from _ablations(part, dataset, models)
        for (model,), own in part.group_by("model", maintain_order=True):
            yield from _budgets(own, dataset, model)
            yield from _added(own, dataset, model)
            yield from _phrases(own, dataset, model)
            yield from _classes(own, dataset, model)


def _training(part: pl.DataFrame, dataset: str, models: list[Model]) -> Iterator[Pair]:
    """The same cell of a trained model and of the model it was trained from."""
    have = set(part.select("model", "method", "budget").iter_rows())
    for model in models:
        own = part.filter(pl.col("model") == model.name).select("method", "budget")
        for method, budget in own.iter_rows():
            if model.base and (model.base, method, budget) in have:
                a, b = (model.base, method, budget), (model.name, method, budget)
                yield Pair(TRAINING, dataset, a, b)


def _ablations(part: pl.DataFrame, dataset: str, models: list[Model]) -> Iterator[Pair]:
    """The first trained model against every other one of the same base, at infinite budgets."""
    have = set(part.select("model", "method", "budget").iter_rows())
    for i, other in enumerate(models):
        first = next((m for m in models[:i] if m.trained and m.base == other.base), None)
        own = part.filter((pl.col("model") == other.name) & (pl.col("budget") == INFINITE))
        for method, budget in own.select("method", "budget").iter_rows():
            if other.trained and first and (first.name, method, budget) in have:
                a, b = (first.name, method, budget), (other.name, method, budget)
                yield Pair(ABLATION, dataset, a, b)


def _budgets(own: pl.DataFrame, dataset: str, model: str) -> Iterator[Pair]:
    """Smallest against largest budget of every capped method."""
    capped = own.filter(pl.col("kind").is_in(["truncation", "force"]))
    for (method,), rows in capped.group_by("method", maintain_order=True):
        if rows.height > 1:
            first, last = rows["budget"][0], rows["budget"][-1]
            yield Pair(BUDGET, dataset, (model, method, first), (model, method, last))


def _added(own: pl.DataFrame, dataset: str, model: str) -> Iterator[Pair]:
    """n continuations against the next smaller n, truncation standing for none."""
    for _, rows in own.filter(pl.col("kind") == "force").group_by("family", maintain_order=True):
        for (budget,), cells in rows.group_by("budget", maintain_order=True):
            ladder = cells.sort("n")["method"].to_list()
            none = own.filter((pl.col("kind") == "truncation") & (pl.col("budget") == budget))
            ladder = none["method"].to_list() + ladder
            for fewer, more in zip(ladder, ladder[1:], strict=False):
                yield Pair(ADDED_WAIT, dataset, (model, fewer, budget), (model, more, budget))


def _phrases(own: pl.DataFrame, dataset: str, model: str) -> Iterator[Pair]:
    """The first phrase against every other one, at equal n and budget."""
    force = own.filter(pl.col("kind") == "force")
    for _, cells in force.group_by("n", "budget", maintain_order=True):
        first, *others = cells.select("method", "budget").iter_rows()
        for other in others:
            yield Pair(PHRASE, dataset, (model, *first), (model, *other))


def _classes(own: pl.DataFrame, dataset: str, model: str) -> Iterator[Pair]:
    """Class prompts against no prompt, and long against short."""
    found = {
        row["kind"]: (model, row["method"], row["budget"]) for row in own.iter_rows(named=True)
    }
    for a, b in (
        ("natural", "class-short"),
        ("natural", "class-long"),
        ("class-short", "class-long"),
    ):
        if a in found and b in found:
            yield Pair(CLASS, dataset, found[a], found[b])


def differences(plan: list[Pair], grids: dict[str, Grid]) -> dict[Pair, Floats]:
    """Each question's change from a to b; 0 where a cell lacks the question: (questions,)."""
    return {
        pair: np.nan_to_num(
            _column(pair.b, grids[pair.dataset]) - _column(pair.a, grids[pair.dataset])
        )
        for pair in plan
    }


def _column(cell: CellKey, grid: Grid) -> Floats:
    return grid.correct[:, grid.columns[cell]]


def measure_pairs(
    plan: list[Pair],
    grids: dict[str, Grid],
    identical: dict[Pair, float],
    largest: Floats,
    confidence: float,
) -> pl.DataFrame:
    """The pairs table (PAIRS): differences, intervals, flips, tests.

    `identical` holds shares of generations with equal ids (`identical_shares`), `largest` is the
    study's yardstick (`adjustment`). Rows are ordered by dataset, then as planned.
    """
    rows: list[dict[str, Any]] = []
    for dataset, grid in grids.items():
        own = [pair for pair in plan if pair.dataset == dataset]
        if own:
            rows += _measured(own, grid, identical, largest, confidence)
    return _judged(pl.DataFrame(rows, schema=PAIRS), study_error(confidence))


def _measured(
    plan: list[Pair],
    grid: Grid,
    identical: dict[Pair, float],
    largest: Floats,
    confidence: float,
) -> list[dict[str, Any]]:
    a = grid.correct[:, grid.index([pair.a for pair in plan])]
    b = grid.correct[:, grid.index([pair.b for pair in plan])]
    change = b - a
    low, high = percentile_interval(resampled_means(grid.counts, change), confidence)
    return [
        {
            **_names(pair),
            **_counts(a[:, i], b[:, i]),
            "difference_low": _percent(low[i]),
            "difference_high": _percent(high[i]),
            "identical_share": identical.get(pair, 0.0),
            "p_adjusted": adjusted_p(largest, np.nan_to_num(change[:, i])),
        }
        for i, pair in enumerate(plan)
    ]


def _percent(share: float) -> float | None:
    """Percent of a share; None where no question is shared."""
    return None if np.isnan(share) else float(100 * share)


def _names(pair: Pair) -> dict[str, Any]:
    names = {"comparison": pair.comparison, "dataset": pair.dataset}
    for side, cell in (("a", pair.a), ("b", pair.b)):
        names |= {f"model_{side}": cell[0], f"method_{side}": cell[1], f"budget_{side}": cell[2]}
    return names


def _counts(a: Floats, b: Floats) -> dict[str, Any]:
    """Accuracies and flips of two columns over the questions that both have."""
    shared = ~np.isnan(a) & ~np.isnan(b)
    a, b = a[shared], b[shared]
    gained, lost = int((b > a).sum()), int((b < a).sum())
    nothing = len(a) == 0
    return {
        "questions": len(a),
        "accuracy_a": None if nothing else float(a.mean()),
        "accuracy_b": None if nothing else float(b.mean()),
        "difference": None if nothing else float(100 * (b - a).mean()),
        "gained": gained,
        "lost": lost,
        "p_value": mcnemar(gained, lost),
    }


def _judged(frame: pl.DataFrame, alpha: float) -> pl.DataFrame:
    """Verdicts: the interval excludes 0 and the adjusted test agrees."""
    certain = pl.col("p_adjusted") <= alpha
    return frame.with_columns(
        verdict=pl.when(pl.col("identical_share") >= 1)
        .then(pl.lit(IDENTICAL))
        .when(certain & (pl.col("difference_low") > 0))
        .then(pl.lit(BETTER))
        .when(certain & (pl.col("difference_high") < 0))
        .then(pl.lit(WORSE))
        .otherwise(pl.lit(UNRESOLVED))
    )


def identical_shares(plan: list[Pair], outcomes: pl.DataFrame) -> dict[Pair, float]:
    """Share of questions whose two generations have the same ids, per pair within one model.

    A generation's canonical cell is the one its `same_as` names, else its own.
    """
    cell = pl.concat_str("method", "budget", separator="/")
    canonical = outcomes.select(
        "model",
        "dataset",
        "method",
        "budget",
        "question_id",
        "sample",
        canonical=pl.coalesce("same_as", cell),
    )
    parts = canonical.partition_by("dataset", "model", "method", "budget", as_dict=True)
    shares: dict[Pair, float] = {}
    for pair in plan:
        left, right = parts.get((pair.dataset, *pair.a)), parts.get((pair.dataset, *pair.b))
        if pair.a[0] != pair.b[0] or left is None or right is None:
            continue
        both = left.join(right, on=["question_id", "sample"])
        if both.height:
            shares[pair] = float((both["canonical"] == both["canonical_right"]).mean())
    return shares
