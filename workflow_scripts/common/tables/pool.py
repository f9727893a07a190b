"""The pool: one row per question with its teacher trace and labels, and the decisions on it."""

from dataclasses import dataclass

import polars as pl

from workflow_scripts.common.artifacts import Table

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
        "qwen7b_correct": pl.Boolean,  # null is not False
        "qwen32b_correct": pl.Boolean,
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
    qwen7b_correct: bool | None
    qwen32b_correct: bool | None
    teacher_correct: bool | None
    trace_tokens: int | None
    metadata: str | None = None


@dataclass(frozen=True)
class Decision:
    """What one filter said about one row."""

    row_id: str
    keep: bool
    reason: str
    evidence: str = "{}"
