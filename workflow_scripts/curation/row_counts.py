"""Where the rows went, and what the sets are like: the tables behind curation.md.

Pool, eligible and selected rows by domain and by source, beside the counts that the s1 paper and
its released notebook report (arXiv 2501.19393); how even a set is over domains, how its traces
differ in length, and what length goes with.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.curation.keyed_random import uniform
from workflow_scripts.curation.lengths import limo_scores, word_counts
from workflow_scripts.curation.pool import UNKNOWN, stream_columns
from workflow_scripts.curation.selection import find_selector, stage

# What the paper and its notebook report.
# Rows that remain after a stage (section 3.1).
FUNNEL: dict[str, int] = {
    "pool": 59_029,
    "completeness": 54_116,
    "format": 51_581,
    "difficulty": 24_496,
    "s1k": 1_000,
}

# Rows per source in the 59K pool (Table 7).
POOL_SOURCES: dict[str, int] = {
    "NuminaMATH": 30_660,
    "MATH": 11_999,
    "OlympicArena": 4_250,
    "OmniMath": 4_238,
    "AGIEval": 2_385,
    "xword": 999,
    "OlympiadBench": 896,
    "AIME": 890,
    "TheoremQA": 747,
    "USACO": 519,
    "JEEBench": 515,
    "GPQA": 348,
    "SciEval": 227,
    "s1-prob": 182,
    "LiveCodeBench": 151,
    "s1-teasers": 23,
}

# Rows per source in s1K, counted from the notebook's printed listing.
SET_SOURCES: dict[str, int] = {
    "AIME": 305,
    "NuminaMATH": 278,
    "GPQA": 107,
    "OmniMath": 83,
    "MATH": 74,
    "OlympiadBench": 63,
    "JEEBench": 50,
    "TheoremQA": 24,
    "OlympicArena": 5,
    "xword": 3,
    "s1-prob": 3,
    "SciEval": 2,
    "AGIEval": 2,
    "s1-teasers": 1,
}

# Rows per domain in s1K (Table 6): the domains that the paper names.
SET_DOMAINS: dict[str, int] = {
    "Geometry": 109,
    "Number theory": 98,
    "Combinatorics": 75,
    "Real functions": 43,
    "Biology": 41,
    "Complex functions": 32,
    "Quantum theory": 32,
    "Field theory": 28,
    "Calculus of variations": 28,
    "Difference equations": 24,
    "Electromagnetic theory": 23,
    "Group theory": 22,
    "Linear algebra": 22,
    "Probability": 20,
    "Algebraic systems": 19,
    "Mechanics": 19,
    "Thermodynamics": 19,
    "Differential equations": 18,
    "Computer science": 18,
    "Numerical analysis": 18,
    "Calculus": 17,
    "Algebraic structures": 17,
    "Astronomy": 16,
}

# The same domains as the MSC 2020 and other releases spell them.
DOMAIN_SPELLINGS: dict[str, tuple[str, ...]] = {
    "Biology": ("Biology and other natural sciences",),
    "Complex functions": ("Functions of a complex variable",),
    "Field theory": ("Field theory and polynomials",),
    "Calculus of variations": ("Calculus of variations and optimal control; optimization",),
    "Difference equations": ("Difference and functional equations",),
    "Electromagnetic theory": ("Optics, electromagnetic theory",),
    "Group theory": ("Group theory and generalizations",),
    "Linear algebra": ("Linear and multilinear algebra; matrix theory",),
    "Probability": ("Probability theory", "Probability theory and stochastic processes"),
    "Algebraic systems": ("General algebraic systems",),
    "Mechanics": ("Mechanics of particles and systems",),
    "Thermodynamics": ("Classical thermodynamics, heat transfer",),
    "Differential equations": ("Ordinary differential equations",),
    "Algebraic structures": ("Order, lattices, ordered algebraic structures",),
    "Astronomy": ("Astronomy and astrophysics",),
}


def set_domains() -> dict[str, int]:
    """SET_DOMAINS under every spelling of a domain."""
    spelt = dict(SET_DOMAINS)
    for name, others in DOMAIN_SPELLINGS.items():
        spelt |= dict.fromkeys(others, SET_DOMAINS[name])
    return spelt


# The quality filter's reasons by the question they answer; the paper counts after each.
GROUPS: dict[str, tuple[str, ...]] = {
    "completeness": (
        "missing-question",
        "api-error",
        "missing-trace",
        "missing-attempt",
        "no-solution",
        "missing-feature",
    ),
    "teacher": ("teacher-wrong", "teacher-unlabelled"),
}
FUNNEL_SCHEMA = {
    "stage": pl.String,
    "reason": pl.String,
    "removed": pl.Int64,
    "remaining": pl.Int64,
    "paper": pl.Int64,
}
NO_DOMAIN = "(none)"
OWN = 20  # sources of a user's own that are told apart


def group_of(reason: str) -> str:
    """Stage of the funnel that a reason of the quality filter belongs to."""
    return next((name for name, reasons in GROUPS.items() if reason in reasons), "format")


def eligible_ids(
    decisions: Mapping[str, pl.DataFrame], name: str, rules: Mapping[str, str] | None = None
) -> pl.Series:
    """Ids of the rows that a set is chosen from: the hard ones, or all clean ones.

    rules  selectors of the sets that are no selector's own
    """
    hard = find_selector((rules or {}).get(name, name))[0].hard
    return decisions["difficulty" if hard else "decontamination"].filter("keep")["row_id"]


def funnel(
    rows: int,
    decisions: Mapping[str, pl.DataFrame],
    sets: Mapping[str, pl.DataFrame],
    rules: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """One row per stage and reason, and one with reason "total" per stage that the paper counts by.

    `remaining` is what is left after the reason; `paper` is the published count, at totals only.
    A set's row tells how many of the rows that it chose from it left out; some sets choose from
    easy rows as well.
    """
    lines: list[tuple[str, str, int, int, int | None]] = [
        ("pool", "total", 0, rows, FUNNEL["pool"])
    ]
    left = rows
    for name, reasons in _staged(decisions).items():
        before = left
        for reason, count in reasons:
            left -= count
            lines.append((name, reason, count, left, None))
        lines.append((name, "total", before - left, left, FUNNEL.get(name)))
    for selector, frame in sets.items():
        entered = eligible_ids(decisions, selector, rules).len()
        removed = max(0, entered - frame.height)
        lines.append(("selection", selector, removed, frame.height, FUNNEL.get(selector)))
    return pl.DataFrame(lines, schema=FUNNEL_SCHEMA, orient="row")


def _staged(decisions: Mapping[str, pl.DataFrame]) -> dict[str, list[tuple[str, int]]]:
    staged: dict[str, list[tuple[str, int]]] = {"completeness": [], "format": [], "teacher": []}
    for name, table in decisions.items():
        for reason, count in stage(name, table).dropped:
            key = group_of(reason) if name == "quality" else name
            staged.setdefault(key, []).append((reason, count))
        if name != "quality":
            staged.setdefault(name, [])
    return staged


def domain_table(
    labels: pl.DataFrame, eligible: pl.Series, sets: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Rows per domain: pool, eligible, selected (the first set), paper, then each further set.

    The column `set` names the first set.
    """
    labels = labels.with_columns(pl.col("domain").fill_null(NO_DOMAIN))
    filled = {k: f.with_columns(pl.col("domain").fill_null(NO_DOMAIN)) for k, f in sets.items()}
    return _table(labels, eligible, filled, "domain", set_domains())


def source_table(
    labels: pl.DataFrame, eligible: pl.Series, sets: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Rows per source: pool, eligible, selected (the first set), paper (s1K), then further sets.

    `paper_pool` is the published count of the 59K pool. The column `set` names the first set.
    Sources that are none of the named ones stand under their own spelling, the largest of them.
    """
    own = labels.filter(pl.col("source_name") == UNKNOWN)["source"].value_counts(sort=True)
    shown = pl.lit(own.sort("count", "source", descending=[True, False])["source"].head(OWN))
    told = (pl.col("source_name") == UNKNOWN) & pl.col("source").is_in(shown.implode())
    label = pl.when(told).then("source").otherwise("source_name").alias("source_name")
    sets = {name: frame.with_columns(label) for name, frame in sets.items()}
    table = _table(labels.with_columns(label), eligible, sets, "source_name", SET_SOURCES)
    quoted = pl.col("source_name").replace_strict(POOL_SOURCES, default=None, return_dtype=pl.Int64)
    return table.with_columns(quoted.alias("paper_pool"))


def _table(
    labels: pl.DataFrame,
    eligible: pl.Series,
    sets: Mapping[str, pl.DataFrame],
    column: str,
    paper: Mapping[str, int],
) -> pl.DataFrame:
    chosen = labels.filter(pl.col("row_id").is_in(eligible.implode()))
    table = _count(labels, column, "pool").join(
        _count(chosen, column, "eligible"), on=column, how="left"
    )
    names = list(sets)
    for i, name in enumerate(names):
        alias = "selected" if i == 0 else f"selected_{name}"
        table = table.join(_count(sets[name], column, alias), on=column, how="left")
    if not names:
        table = table.with_columns(pl.lit(None, pl.Int64).alias("selected"))
    quoted = pl.DataFrame(
        {"key": [name.casefold() for name in paper], "paper": list(paper.values())},
        schema={"key": pl.String, "paper": pl.Int64},
    )
    table = table.with_columns(pl.col(column).str.to_lowercase().alias("key"))
    table = table.join(quoted, on="key", how="left").drop("key")
    counts = [name for name in table.columns if name.startswith(("eligible", "selected"))]
    table = table.with_columns(pl.col(counts).fill_null(0)) if names else table
    table = table.with_columns(pl.lit(names[0] if names else None, pl.String).alias("set"))
    first = [column, "pool", "eligible", "selected", "paper"]
    rest = [name for name in table.columns if name not in first]
    return table.sort("pool", column, descending=[True, False]).select(first + rest)


def _count(frame: pl.DataFrame, column: str, alias: str) -> pl.DataFrame:
    return frame.group_by(column).agg(pl.len().cast(pl.Int64).alias(alias))


def dropped_rows(decisions: Mapping[str, pl.DataFrame], labels: pl.DataFrame) -> pl.DataFrame:
    """Every row that a filter dropped: row id, stage, reason, evidence, source, question."""
    parts = [
        table.filter(~pl.col("keep")).select(
            "row_id", pl.lit(name).alias("stage"), "reason", "evidence"
        )
        for name, table in decisions.items()
    ]
    joined = pl.concat(parts).join(labels, on="row_id", how="left")
    return joined.sort("row_id").select(
        "row_id", "stage", "reason", "source_name", "domain", "question", "evidence"
    )


SAMPLE = 5000  # traces whose words are counted for the rank correlations


@dataclass(frozen=True)
class Balance:
    """Evenness of a distribution over domains.

    entropy    in bits; `even` is the entropy of the uniform distribution over the same domains
    largest    share of the most frequent domain, smallest of the least frequent
    """

    domains: int
    entropy: float
    even: float
    largest: float
    smallest: float


def balance(counts: list[int]) -> Balance | None:
    """Balance of counts; None when all are zero."""
    counts = [count for count in counts if count > 0]
    total = sum(counts)
    if not total:
        return None
    shares = [count / total for count in counts]
    entropy = -sum(share * math.log2(share) for share in shares)
    return Balance(len(counts), entropy, math.log2(len(counts)), max(shares), min(shares))


def length_shift(eligible: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """Mean trace characters per domain, eligible and chosen, and their ratio.

    Both frames: domain, trace_characters.
    """
    mean = pl.col("trace_characters").mean()
    before = eligible.group_by("domain").agg(mean.alias("eligible"), pl.len().alias("rows"))
    after = chosen.group_by("domain").agg(mean.alias("selected"), pl.len().alias("selected_rows"))
    joined = before.join(after, on="domain", how="inner").drop_nulls("domain")
    ratio = (pl.col("selected") / pl.col("eligible")).alias("ratio")
    return joined.with_columns(ratio).sort("selected_rows", "domain", descending=[True, False])


def rank_correlations(pool: Path, row_ids: pl.Series, seed: int) -> tuple[pl.DataFrame, int]:
    """Spearman correlations of trace length, teacher's correctness and LIMO score, and rows used.

    Over those of the rows that have a trace and a label, at most SAMPLE of them, chosen by a hash.
    Length is in words, and so are the LIMO rates here.
    """
    ids = sorted(row_ids, key=lambda row_id: (uniform(seed, "correlation", row_id), row_id))
    wanted = frozenset(ids[:SAMPLE])
    frame = pl.concat([_counted([]), *map(_counted, _sampled(pool, wanted))]).sort("row_id")
    scores = limo_scores(frame).select("row_id", "score") if frame.height else None
    if scores is None:
        return _no_correlations(), 0
    joined = (
        frame.join(scores, on="row_id").sort("row_id").with_columns(pl.col("correct").cast(int))
    )
    return _spearman(joined), joined.height


def _sampled(pool: Path, wanted: frozenset[str]) -> Iterator[list[dict[str, Any]]]:
    for batch in stream_columns(pool, ["row_id", "trace", "teacher_correct"]):
        rows = [row for row in batch if row["row_id"] in wanted]
        yield [row for row in rows if row["trace"] and row["teacher_correct"] is not None]


def _counted(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Row id, words, label and LIMO word counts of some rows."""
    traces = [row["trace"] for row in rows]
    labels = pl.DataFrame(
        {
            "row_id": [row["row_id"] for row in rows],
            "tokens": [len(trace.split()) for trace in traces],
            "correct": [row["teacher_correct"] for row in rows],
        },
        schema={"row_id": pl.String, "tokens": pl.Int64, "correct": pl.Boolean},
    )
    return labels.hstack(word_counts(traces))


PAIRS = (
    ("length", "correct", "tokens", "correct"),
    ("length", "LIMO score", "tokens", "score"),
    ("correct", "LIMO score", "correct", "score"),
)


def _spearman(frame: pl.DataFrame) -> pl.DataFrame:
    columns = [
        pl.corr(pl.col(a).rank(), pl.col(b).rank()).alias(f"{i}")
        for i, (*_, a, b) in enumerate(PAIRS)
    ]
    values = frame.select(columns).row(0)
    return pl.DataFrame(
        {
            "a": [pair[0] for pair in PAIRS],
            "b": [pair[1] for pair in PAIRS],
            "rho": [None if v is None or v != v else round(v, 3) for v in values],
        },
        schema={"a": pl.String, "b": pl.String, "rho": pl.Float64},
    )


def _no_correlations() -> pl.DataFrame:
    return pl.DataFrame(schema={"a": pl.String, "b": pl.String, "rho": pl.Float64})
