"""A benchmark's questions in one form, whatever their source looked like."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from workflow_scripts.common.artifacts import Table

KINDS = ("math", "integer", "choice")

BENCHMARK = Table(
    name="benchmark",
    schema={
        "dataset": pl.String,
        "question_id": pl.String,  # stable id from the source, else a hash of the question
        "position": pl.Int64,  # row in the source file, from 0; "first n" means position < n
        "question": pl.String,  # bare question: what decontamination compares
        "prompt": pl.String,  # what the model is shown; choices included
        "gold": pl.String,  # null only in benchmarks that are only decontaminated against
        "kind": pl.String,  # one of KINDS: how answers are compared
        "options": pl.List(pl.String),  # option texts A, B, ... for kind "choice"; else null
        "category": pl.String,  # subject or level; null where the source has none
    },
    key=("dataset", "question_id"),
)


@dataclass(frozen=True)
class Question:
    """One benchmark question."""

    dataset: str
    question_id: str
    position: int
    question: str
    prompt: str
    gold: str | None
    kind: str
    options: list[str] | None = None
    category: str | None = None


def read_questions(paths: Iterable[Path]) -> list[Question]:
    """All questions of some benchmarks, in order."""
    return [Question(**row) for path in paths for row in BENCHMARK.read(path).to_dicts()]
