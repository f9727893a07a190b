"""The pool: one row per question with its teacher trace and labels, and the decisions on it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from workflow_scripts.common.artifacts import Table
from workflow_scripts.common.provenance import canonical_json

POOL = Table(
    name="pool",
    schema={
        "row_id": pl.String,  # 16 hex digits from the row's content; "-2", "-3" for exact repeats
        "question": pl.String,
        "trace": pl.String,  # teacher's thinking
        "attempt": pl.String,  # teacher's answer after thinking
        "solution": pl.String,  # ground truth; null where the source has none
        "source": pl.String,  # as spelt in the source file
        "source_name": pl.String,  # one of the 16 named sources, or "unknown"
        "domain": pl.String,  # MSC first-level label; null where unlabelled
        "labels": pl.String,  # JSON: solver's label -> true, false or null; null is not false
        "teacher_correct": pl.Boolean,
        "trace_tokens": pl.Int64,  # stored label, null where absent
        "metadata": pl.String,  # JSON
    },
    key=("row_id",),
)

DECISIONS = Table(
    name="decisions",
    schema={
        "row_id": pl.String,
        "keep": pl.Boolean,
        "reason": pl.String,  # short name of the rule; "kept" for survivors
        "evidence": pl.String,  # JSON: matched span, evaluation item, 8-gram, ...
    },
    key=("row_id",),
)

LENGTHS = Table(
    name="lengths",
    schema={
        "row_id": pl.String,
        "tokens": pl.Int64,  # trace length under the configured tokenizer
        "verification": pl.Int64,  # words of LIMO's three kinds in the trace
        "tentative": pl.Int64,
        "connective": pl.Int64,
    },
    key=("row_id",),
)

SELECTED = Table(
    name="selected",
    schema={
        **{name: kind for name, kind in POOL.schema.items() if name != "metadata"},
        "tokens": pl.Int64,  # trace length under the configured tokenizer
        "phase": pl.String,  # "pin", "domain-draw", "benchmark-draw", or the selector's name
        "draw": pl.Int64,  # order in which the row was taken, from 0
        "explanation": pl.String,  # JSON: why this row, against which competitors
    },
    key=("row_id",),
)


def with_labels(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The frame with a Boolean column for each label of its column `labels`."""
    kinds = dict.fromkeys(names, pl.Boolean)
    decoded = pl.col("labels").str.json_decode(pl.Struct(kinds))
    return frame.with_columns(decoded.struct.unnest()) if kinds else frame


def folded_labels(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """The frame with columns of labels as its column `labels`, as tables had them before."""
    rows = frame.select(names).iter_rows(named=True)
    return frame.drop(names).with_columns(
        pl.Series("labels", [canonical_json(row) for row in rows], pl.String)
    )


def label_names(frame: pl.DataFrame) -> list[str]:
    """Labels that the rows have; all rows of a pool have the same, null or not."""
    return sorted({name for text in frame["labels"].unique() for name in json.loads(text)})


@dataclass(frozen=True)
class PoolRow:
    """One row of the pool, as the filters see it."""

    row_id: str
    question: str
    trace: str | None
    attempt: str | None
    solution: str | None
    source: str
    source_name: str
    domain: str | None
    labels: str
    teacher_correct: bool | None
    trace_tokens: int | None
    metadata: str | None = None

    def null_labels(self) -> list[str]:
        """Labels of solvers that are null, by name."""
        return [name for name, said in sorted(json.loads(self.labels).items()) if said is None]


@dataclass(frozen=True)
class Decision:
    """What one filter said about one row."""

    row_id: str
    keep: bool
    reason: str
    evidence: str = "{}"
