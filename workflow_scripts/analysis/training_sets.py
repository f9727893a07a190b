"""Which training set is better: accuracy over questions and training seeds, and every difference.

A set is trained several times, with other seeds, and every model answers the same questions. Both
are samples: other questions and other seeds would give other numbers, so both are in an interval.
The mean over seeds and questions of one set has the variance of a table of two random ways
(questions by seeds; Cornfield and Tukey 1956, Owen 2007):

    V = V_questions + V_seeds - V_rest

V_questions is that of the questions' means, V_seeds that of the seeds' means, and both hold the
rest (what a question adds under one seed alone), which is taken off once; V is never below
V_questions. Of the difference of two sets, questions are paired, and seeds are not. How far seeds
lie apart is taken to be alike in all sets of equal size, and is estimated from all of them: three
seeds alone say little. Where every seed has another draw of the rows, what the draw does is in how
far seeds lie apart, and those sets are taken together. Sets whose rows stay are taken with both:
that is rather too wide than too narrow, and one such set among many has more than its own three
seeds. Degrees of freedom are Satterthwaite's. What is asked of differences is one family, and its p
values are Holm's.

Several benchmarks have the same weight each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf, sqrt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from workflow_scripts.analysis.intervals import tango
from workflow_scripts.analysis.tables import ALL, BENCHMARK, SET_PAIRS, SETS

Floats = NDArray[np.float64]
BETTER, WORSE, ALIKE, OPEN = "better", "worse", "no change", "not resolved"
EQUAL_ROWS, MORE_ROWS, EVERY_ROW = "equal rows", "more rows", "every row"
FULL = "full"
ONE_SEED = "one seed: the interval is over questions alone"


@dataclass(frozen=True)
class Run:
    """A model that was trained on a set.

    arm   sets that differ in their size alone
    full  whether the set is every row
    cost  device hours of training; None where nobody measured
    draw  which draw of the set's rows it was trained on; equal for the same rows
    """

    model: str
    set: str
    arm: str
    rows: int
    seed: int | None
    full: bool = False
    tokens: int = 0
    cost: float | None = None
    draw: str = ""


@dataclass(frozen=True)
class Trained:
    """The runs of one set and their verdicts.

    verdicts  by benchmark: (seeds, questions), shares of 1, questions in the same order in all sets
    """

    name: str
    runs: tuple[Run, ...]
    verdicts: Mapping[str, Floats]

    @property
    def first(self) -> Run:
        """One of the runs: what they share is the same in each."""
        return self.runs[0]

    @property
    def seeds(self) -> int:
        """How often the set was trained."""
        return len(self.runs)

    @property
    def draws(self) -> int:
        """Draws of its rows that were trained on."""
        return len({run.draw for run in self.runs})

    def lends_to(self, other: "Trained") -> bool:
        """Whether the seeds of this set tell how far those of another lie apart, or more."""
        return self.first.rows == other.first.rows and (self.draws > 1 or other.draws == 1)


@dataclass(frozen=True)
class Spread:
    """Estimate and variance parts of a mean over benchmarks, and their degrees of freedom."""

    mean: float
    questions: float
    questions_df: float
    seeds: float
    seeds_df: float
    rest: float
    rest_df: float

    @property
    def variance(self) -> float:
        """V of the module's text."""
        return self.questions + max(self.seeds - self.rest, 0.0)

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of V."""
        parts = [(self.questions, self.questions_df)]
        if self.seeds > self.rest:
            parts += [(self.seeds, self.seeds_df), (self.rest, self.rest_df)]
        below = sum(value**2 / df for value, df in parts if df > 0)
        return self.variance**2 / below if below > 0 else inf


def trained_sets(runs: Sequence[Run], outcomes: pl.DataFrame) -> list[Trained]:
    """The sets with the verdicts of their models, in the order of the runs.

    Benchmarks of which some model of any set lacks questions are left out of all.

    outcomes  one cell of each model and benchmark; draws of a question are averaged
    """
    means = outcomes.group_by("model", "dataset", "question_id", maintain_order=True).agg(
        pl.col("verdict").cast(pl.Float64).mean()
    )
    by_model = {key[0]: part for key, part in means.group_by("model", maintain_order=True)}
    datasets = _shared_datasets(runs, by_model)
    names = dict.fromkeys(run.set for run in runs)
    found = []
    for name in names:
        own = tuple(run for run in runs if run.set == name)
        verdicts = {d: np.stack([_of(by_model[r.model], d) for r in own]) for d in datasets}
        found.append(Trained(name, own, verdicts))
    return found


def _of(own: pl.DataFrame, dataset: str) -> Floats:
    return own.filter(dataset=dataset).sort("question_id")["verdict"].to_numpy()


def _shared_datasets(runs: Sequence[Run], by_model: Mapping[str, pl.DataFrame]) -> list[str]:
    """Benchmarks of which every model answered the same questions."""
    asked: dict[str, list[tuple[str, ...]]] = {}
    for own in (by_model[run.model] for run in runs if run.model in by_model):
        for (dataset,), part in own.group_by("dataset", maintain_order=True):
            asked.setdefault(str(dataset), []).append(tuple(sorted(part["question_id"])))
    return [name for name, ids in asked.items() if len(ids) == len(runs) and len(set(ids)) == 1]


def spread(values: Mapping[str, Floats]) -> Spread:
    """The parts of one set, from its verdicts by benchmark: (seeds, questions)."""
    weight = 1 / len(values)
    seeds = next(iter(values.values())).shape[0]
    questions, rest = _question_part(_means(values)), _Part(0.0, 0.0)
    apart, apart_df = 0.0, 0.0
    if seeds > 1:
        by_seed = weight * sum(table.mean(axis=1) for table in values.values())
        apart, apart_df = float(np.var(by_seed, ddof=1)) / seeds, seeds - 1.0
        rest = _rest(values)
    mean = weight * sum(float(table.mean()) for table in values.values())
    return Spread(
        mean, questions.value, questions.df, apart, apart_df, rest.value, rest.df
    )  # fmt: skip


@dataclass(frozen=True)
class _Part:
    value: float
    df: float


def _means(values: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: table.mean(axis=0) for name, table in values.items()}


def _question_part(means: Mapping[str, Floats]) -> _Part:
    """Variance of the mean over benchmarks of questions' means."""
    parts = [
        (float(np.var(own, ddof=1)) / len(own) / len(means) ** 2, len(own) - 1.0)
        for own in means.values()
        if len(own) > 1
    ]
    return _summed(parts)


def _rest(values: Mapping[str, Floats]) -> _Part:
    """Variance of the mean that is due to what a question adds under one seed alone."""
    parts = []
    for table in values.values():
        seeds, count = table.shape
        if count < 2:
            continue
        left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        df = (seeds - 1.0) * (count - 1.0)
        parts.append((float((left**2).sum()) / df / (seeds * count) / len(values) ** 2, df))
    return _summed(parts)


def _summed(parts: Sequence[tuple[float, float]]) -> _Part:
    """Sum of independent variances, with Satterthwaite's degrees of freedom."""
    total = sum(value for value, _ in parts)
    below = sum(value**2 / df for value, df in parts)
    return _Part(total, total**2 / below if below > 0 else inf)


def pooled(own: Spread, seeds: int, lenders: Sequence[tuple[Spread, int]]) -> Spread:
    """A set's parts, with how far seeds lie apart, and the rest, estimated from all lenders.

    lenders  parts and numbers of seeds of the sets that lend, the set itself among them
    """
    if seeds < 2:
        return own
    known = [(s, n) for s, n in lenders if n > 1]
    df = sum(s.seeds_df for s, _ in known)
    apart = sum(s.seeds * n * s.seeds_df for s, n in known) / df
    rest_df = sum(s.rest_df for s, _ in known if s.rest_df < inf)
    rest = sum(s.rest * n for s, n in known) / len(known)
    return replace(
        own,
        seeds=apart / seeds,
        seeds_df=df,
        rest=rest / seeds,
        rest_df=max(rest_df, 1.0),
    )


def difference(one: Trained, other: Trained, spreads: Mapping[str, Spread]) -> Spread:
    """`other` minus `one`, questions paired.

    spreads  of the sets by name, over the same benchmarks
    """
    a, b = spreads[one.name], spreads[other.name]
    means, others = _means(one.verdicts), _means(other.verdicts)
    questions = _question_part({name: others[name] - means[name] for name in means})
    apart = _sum([(a.seeds, a.seeds_df), (b.seeds, b.seeds_df)])
    rest = _sum([(a.rest, a.rest_df), (b.rest, b.rest_df)])
    # Both estimates of sets of equal size hold the same seeds: they do not add degrees of freedom.
    same = one.first.rows == other.first.rows and one.seeds > 1 and other.seeds > 1
    shared = min(a.seeds_df, b.seeds_df) if same else apart.df
    return Spread(
        b.mean - a.mean,
        questions.value,
        questions.df,
        apart.value,
        shared,
        rest.value,
        rest.df,
    )


def _sum(parts: Sequence[tuple[float, float]]) -> _Part:
    return _summed([(value, df) for value, df in parts if 0 < df < inf])


def bounds(found: Spread, questions: int, confidence: float) -> tuple[float, float]:
    """Student's t interval, in points; Tango's where nothing varies, never of width 0."""
    if found.variance <= 0:
        gained, lost = max(found.mean, 0.0) * questions, max(-found.mean, 0.0) * questions
        low, high = tango(gained, lost, questions, confidence)
        return 100 * low, 100 * high
    half = float(student.ppf(0.5 + confidence / 2, found.df)) * sqrt(found.variance)
    return 100 * (found.mean - half), 100 * (found.mean + half)


def accuracy_bounds(found: Spread, questions: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval with as many questions as are as precise; shares of 1, never of width 0."""
    p = found.mean
    least = p * (1 - p) / questions
    n = questions if found.variance <= 0 else p * (1 - p) / max(found.variance, least / 100)
    n = max(n, 1.0)
    quantile = float(student.ppf(0.5 + confidence / 2, found.df))
    z = quantile if np.isfinite(quantile) else float(norm.ppf(0.5 + confidence / 2))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979), in their own order."""
    order = np.argsort(values)
    adjusted, most = [0.0] * len(values), 0.0
    for place, at in enumerate(order):
        most = max(most, min(1.0, (len(values) - place) * values[at]))
        adjusted[at] = most
    return adjusted


def question(one: Trained, other: Trained) -> str:
    """What the comparison of two sets asks, or "" where they differ in rule and size at once."""
    if one.first.rows == other.first.rows and one.first.arm != other.first.arm:
        return EQUAL_ROWS
    if one.first.arm == other.first.arm and one.first.rows != other.first.rows:
        return MORE_ROWS
    return EVERY_ROW if one.first.full != other.first.full else ""


def compare(
    sets: Sequence[Trained], confidence: float, smallest: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Tables SETS and SET_PAIRS. `smallest` is the effect below which nothing changes, in points.

    Pairs of all benchmarks together are one family; those of single benchmarks have intervals and
    no verdict.
    """
    datasets = list(sets[0].verdicts) if sets else []
    scopes = [(ALL, "", datasets)] if len(datasets) > 1 else []
    scopes += [(BENCHMARK, name, [name]) for name in datasets]
    rows, pairs = [], []
    for number, (kind, name, own) in enumerate(scopes):
        part = [Trained(s.name, s.runs, {d: s.verdicts[d] for d in own}) for s in sets]
        spreads = spreads_of(part)
        scope = {"scope": kind, "name": name}
        rows += [scope | row for row in _set_rows(part, spreads, confidence)]
        made = list(_pair_rows(part, spreads, confidence))
        if number == 0:
            judge(made, smallest, 1 - confidence)
        pairs += [scope | row for row in made]
    return (
        pl.DataFrame(rows, schema=SETS, orient="row"),
        pl.DataFrame(pairs, schema=SET_PAIRS, orient="row"),
    )


def spreads_of(sets: Sequence[Trained]) -> dict[str, Spread]:
    """The parts of every set by name, with what sets of equal size share estimated from all."""
    alone = {s.name: spread(s.verdicts) for s in sets}
    return {
        one.name: pooled(
            alone[one.name],
            one.seeds,
            [(alone[s.name], s.seeds) for s in sets if s.lends_to(one)],
        )
        for one in sets
    }


def _set_rows(
    sets: Sequence[Trained], spreads: Mapping[str, Spread], confidence: float
) -> Iterator[dict[str, Any]]:
    for one in sets:
        found = spreads[one.name]
        count = sum(table.shape[1] for table in one.verdicts.values())
        low, high = accuracy_bounds(found, count, confidence)
        means = np.mean([table.mean(axis=1) for table in one.verdicts.values()], axis=0)
        by_seed = [float(value) for value in means]
        costs = [run.cost for run in one.runs if run.cost is not None]
        yield {
            "arm": one.first.arm,
            "set": one.name,
            "rows": one.first.rows,
            "seeds": one.seeds,
            "draws": one.draws,
            "questions": count,
            "accuracy": found.mean,
            "ci_low": low,
            "ci_high": high,
            "by_seed": " ".join(f"{100 * value:.1f}" for value in by_seed),
            "seeds_apart": 100 * float(np.std(by_seed, ddof=1)) if one.seeds > 1 else None,
            "frontier": not any(_ahead(other, one, spreads) for other in sets),
            "tokens": one.first.tokens or None,
            "device_hours": sum(costs) / len(costs) if costs else None,
            "note": "" if one.seeds > 1 else ONE_SEED,
        }


def _ahead(other: Trained, one: Trained, spreads: Mapping[str, Spread]) -> bool:
    """Whether a set needs no more rows than another and is more accurate, or as good on fewer."""
    better = spreads[other.name].mean - spreads[one.name].mean
    fewer = one.first.rows - other.first.rows
    return fewer >= 0 and better >= 0 and (fewer > 0 or better > 0)


def _pair_rows(
    sets: Sequence[Trained], spreads: Mapping[str, Spread], confidence: float
) -> Iterator[dict[str, Any]]:
    for one, other in combinations(sets, 2):
        asks = question(one, other)
        if not asks:
            continue
        if asks != EQUAL_ROWS and one.first.rows > other.first.rows:
            one, other = other, one
        found = difference(one, other, spreads)
        count = sum(table.shape[1] for table in one.verdicts.values())
        low, high = bounds(found, count, confidence)
        yield {
            "asks": asks,
            "set_a": one.name,
            "set_b": other.name,
            "difference": 100 * found.mean,
            "difference_low": low,
            "difference_high": high,
            "df": found.df if found.df < inf else None,
            "p": p_value(found, count),
            "note": "" if min(one.seeds, other.seeds) > 1 else ONE_SEED,
        }


def p_value(found: Spread, questions: int) -> float:
    """Two-sided, of a mean difference being 0."""
    if found.variance <= 0:  # every question changed alike: the sign test
        return 1.0 if found.mean == 0 else 2.0 ** (1 - questions)
    return float(2 * student.sf(abs(found.mean) / sqrt(found.variance), found.df))


def judge(pairs: list[dict[str, Any]], smallest: float, error: float) -> None:
    """Adjusted p values and verdicts of the pairs of one family, put into them."""
    for pair, p in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_adjusted"] = p
        inside = -smallest < pair["difference_low"] and pair["difference_high"] < smallest
        told = BETTER if pair["difference"] > 0 else WORSE
        pair["verdict"] = told if p < error else ALIKE if inside else OPEN
