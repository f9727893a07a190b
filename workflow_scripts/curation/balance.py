"""How even a set is over domains, how its traces differ in length, and what length goes with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.curation.keyed_random import uniform
from workflow_scripts.curation.limo_score import limo_scores, word_counts
from workflow_scripts.curation.pool_scan import stream_columns

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
