"""Grades: the verdict on one generation, with the answer that was read and why."""

import polars as pl

from workflow_scripts.common.artifacts import Table

GRADE = Table(
    name="grade",
    schema={
        "model": pl.String,
        "dataset": pl.String,
        "method": pl.String,
        "budget": pl.String,
        "question_id": pl.String,
        "sample": pl.Int64,
        "verdict": pl.Boolean,  # never null: unparsed is wrong
        "extracted": pl.String,  # null when no answer was found
        "extraction": pl.String,  # rule that found the answer: "boxed", "final-answer", ...
        "rule": pl.String,  # why this verdict: "string", "numeric", "symbolic", "timeout", ...
        "flags": pl.List(pl.String),  # lenient conventions that were needed: "percent", ...
        "no_answer": pl.Boolean,
        "seconds": pl.Float64,
    },
    key=("model", "dataset", "method", "budget", "question_id", "sample"),
)
