"""Differences between studies, cell by cell, on shared questions: paired and tested together.

Every difference is the later study minus the first. All of them are one family (sign-flip max-T
over questions), so that in equal studies any claim at all has the family's level.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.analysis import ranking
from workflow_scripts.analysis.contrasts import HARMS, HELPS, Rule, verdict
from workflow_scripts.analysis.draws import shortfall
from workflow_scripts.analysis.intervals import Floats, difference_interval, mean_interval
from workflow_scripts.analysis.tables import BENCHMARK
from workflow_scripts.comparing.questions import Shared
from workflow_scripts.comparing.sides import Side

BETTER, WORSE = "better", "worse"
WORDS = {HELPS: BETTER, HARMS: WORSE}
ROUNDING = 1e-9

DIFFERENCES = {
    "study_a": pl.String,
    "study_b": pl.String,
    "model_a": pl.String,
    "model_b": pl.String,
    "dataset": pl.String,
    "method": pl.String,
    "budget": pl.String,
    "questions": pl.Int64,  # shared ones
    "draws_a": pl.Int64,  # per question
    "draws_b": pl.Int64,
    "accuracy_a": pl.Float64,  # shares of 1, on the shared questions
    "accuracy_b": pl.Float64,
    "difference": pl.Float64,  # b - a, percentage points
    "difference_low": pl.Float64,  # interval of this cell alone
    "difference_high": pl.Float64,
    "gained": pl.Int64,  # questions that rose
    "lost": pl.Int64,  # questions that fell
    "unread_a": pl.Float64,  # shares without a readable answer
    "unread_b": pl.Float64,
    "thinking_a": pl.Float64,  # mean thinking tokens; null: not counted
    "thinking_b": pl.Float64,
    "extra_tokens": pl.Float64,
    "extra_tokens_low": pl.Float64,
    "extra_tokens_high": pl.Float64,
    "p_adjusted": pl.Float64,  # sign-flip max-T over all rows
    "verdict": pl.String,  # of b: better, worse, no change, mixed, not resolved; "": no number
    "note": pl.String,  # why there is no number
}


@dataclass(frozen=True)
class Match:
    """A model of the first study and its counterpart in another."""

    a: Side
    b: Side
    model_a: str
    model_b: str


@dataclass(frozen=True)
class Difference:
    """One cell of two studies.

    change  per shared question, b minus a, in the first study's order of ids; None: no number
    ids     of those questions, in the first study
    once    one draw a question on both sides
    row     of the table DIFFERENCES
    """

    match: Match
    dataset: str
    method: str
    budget: str
    change: Floats | None
    ids: tuple[str, ...] = ()
    once: bool = True
    row: dict[str, Any] = field(default_factory=dict)


def differences(
    matches: Sequence[Match], shared: Mapping[tuple[str, str], Sequence[Shared]], rule: Rule
) -> list[Difference]:
    """Every cell that two matched models both have, tested together.

    shared  questions of the benchmarks that two studies share, by the studies' names
    """
    found = [
        one
        for match in matches
        for own in shared[match.a.name, match.b.name]
        for one in _of_benchmark(match, own, rule)
    ]
    return _tested(found, rule)


def table(found: Iterable[Difference]) -> pl.DataFrame:
    """The table DIFFERENCES."""
    return pl.DataFrame([one.row for one in found], schema=DIFFERENCES)


def _of_benchmark(match: Match, own: Shared, rule: Rule) -> Iterator[Difference]:
    ours = _cells(match.a, match.model_a, own.dataset)
    theirs = _cells(match.b, match.model_b, own.dataset)
    for cell in ours:
        if cell in theirs:
            yield _difference(match, own, cell, ours[cell], theirs[cell], rule)


def _cells(side: Side, model: str, dataset: str) -> dict[tuple[str, str], pl.DataFrame]:
    """A row per question of every cell of one model, in the study's order of cells."""
    here = (pl.col("model") == model) & (pl.col("dataset") == dataset)
    parts = side.questions.filter(here).partition_by("method", "budget", as_dict=True)
    order = side.points.filter(here).select("method", "budget").iter_rows()
    return {(m, b): parts[m, b] for m, b in order if (m, b) in parts}


def _difference(
    match: Match,
    own: Shared,
    cell: tuple[str, str],
    ours: pl.DataFrame,
    theirs: pl.DataFrame,
    rule: Rule,
) -> Difference:
    ids = tuple(own.pairs)
    found = Difference(match, own.dataset, *cell, None)
    names = {
        "study_a": match.a.name,
        "study_b": match.b.name,
        "model_a": match.model_a,
        "model_b": match.model_b,
        "dataset": own.dataset,
        "method": cell[0],
        "budget": cell[1],
        "verdict": "",
        "note": "",
    }
    a = _aligned(ours, ids)
    b = _aligned(theirs, [own.pairs[i] for i in ids])
    for side, part in ((match.a, a), (match.b, b)):
        lacking = "no shared question" if not ids else shortfall(part["draws"], len(ids))
        if lacking:
            note = f"{side.name}: {lacking}" if ids else lacking
            return replace(found, row=names | {"note": note})
    change = _numbers(b, "verdict") - _numbers(a, "verdict")
    draws = [int(part["draws"][0]) for part in (a, b)]
    # A vote, or draws that differ, has verdicts between 0 and 1 with one draw, too.
    binary = draws == [1, 1] and bool(np.isin(change, (-1, 0, 1)).all())
    low, high = difference_interval(change, binary, rule.confidence)
    row = names | {
        "questions": len(change),
        "draws_a": draws[0],
        "draws_b": draws[1],
        "accuracy_a": float(_numbers(a, "verdict").mean()),
        "accuracy_b": float(_numbers(b, "verdict").mean()),
        "difference": 100 * float(change.mean()),
        "difference_low": low,
        "difference_high": high,
        "gained": int((change > ROUNDING).sum()),
        "lost": int((change < -ROUNDING).sum()),
        "unread_a": float(_numbers(a, "no_answer").mean()),
        "unread_b": float(_numbers(b, "no_answer").mean()),
        **_tokens(a, b, rule.confidence),
    }
    return replace(found, change=change, ids=ids, once=binary, row=row)


def _aligned(part: pl.DataFrame, ids: Sequence[str]) -> pl.DataFrame:
    """The rows of some questions, in their order; those that a cell lacks are absent."""
    order = pl.DataFrame({"question_id": list(ids)}, schema={"question_id": pl.String})
    return order.join(part, on="question_id", how="inner", maintain_order="left")


def _numbers(part: pl.DataFrame, column: str) -> Floats:
    return part[column].cast(pl.Float64).to_numpy()


def _tokens(a: pl.DataFrame, b: pl.DataFrame, confidence: float) -> dict[str, float | None]:
    """Thinking tokens of both; a null where nobody counted them."""
    sides = [None if part["thinking_tokens"].has_nulls() else part for part in (a, b)]
    means = [None if p is None else float(_numbers(p, "thinking_tokens").mean()) for p in sides]
    found: dict[str, float | None] = {"thinking_a": means[0], "thinking_b": means[1]}
    found |= dict.fromkeys(("extra_tokens", "extra_tokens_low", "extra_tokens_high"))
    if sides[0] is None or sides[1] is None:
        return found
    moved = _numbers(sides[1], "thinking_tokens") - _numbers(sides[0], "thinking_tokens")
    low, high = mean_interval(moved, confidence)
    return found | {
        "extra_tokens": float(moved.mean()),
        "extra_tokens_low": low,
        "extra_tokens_high": high,
    }


def _tested(found: list[Difference], rule: Rule) -> list[Difference]:
    """The same with p values of the whole family, and verdicts."""
    numbered = [(place, one) for place, one in enumerate(found) if one.change is not None]
    every: dict[str, dict[str, int]] = {}
    for _, one in numbered:
        places = every.setdefault(one.dataset, {})
        for i in one.ids:
            places.setdefault(i, len(places))
    pairs = [_pair(one, every[one.dataset]) for _, one in numbered]
    judged = dict(enumerate(found))
    for (place, one), p in zip(numbered, ranking.family(pairs, rule), strict=True):
        facts = one.row | {"draws": 1 if one.once else max(one.row["draws_a"], one.row["draws_b"])}
        word = verdict(facts, p, rule)
        own = one.row | {"p_adjusted": p, "verdict": WORDS.get(word, word)}
        judged[place] = replace(one, row=own)
    return list(judged.values())


def _pair(one: Difference, places: Mapping[str, int]) -> ranking.Pair:
    """A difference over all questions that any has: 0, which adds nothing, where it has none.

    A question keeps its sign in all differences, whichever studies they are of.
    """
    assert one.change is not None
    padded = np.zeros(len(places))
    padded[[places[i] for i in one.ids]] = one.change
    scope = ranking.Scope(BENCHMARK, one.dataset, (one.dataset,))
    return ranking.Pair(scope, one.match.a.name, one.match.b.name, (padded,))
