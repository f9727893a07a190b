"""Outputs of other harnesses: their verdicts row by row, and what is known of the run."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import Table
from workflow_scripts.common.records import read_record

IMPORTED_ROWS = Table(
    name="imported rows",
    schema={
        "model": pl.String,
        "dataset": pl.String,
        "question_id": pl.String,  # ours; found by the question's text
        "sample": pl.Int64,
        "own_id": pl.String,  # the harness's id of the question
        "place": pl.String,  # file and row
        "matched": pl.String,  # "question": the same text; "prompt": our question stands in theirs
        "metric": pl.String,  # name of the harness's verdict
        "score": pl.Float64,  # that verdict; null where it gave none
        "extracted": pl.String,  # answer that the harness read; null where it does not say
        "gold": pl.String,  # right answer as the harness has it; null where it does not say
        "graded_gold": pl.String,  # by which the response is graded here
        "graded_options": pl.List(pl.String),  # in the order that the model was shown
        "response": pl.String,  # the whole of it, as it was
    },
    key=("model", "dataset", "question_id", "sample"),
)


@dataclass(frozen=True)
class ImportFinding:
    """One thing in the files that a reader of the numbers has to know; as findings of analysis."""

    kind: str
    severity: str
    where: str
    count: int
    message: str


@dataclass(frozen=True)
class ImportFacts:
    """What is known of a model whose outputs another harness made.

    harness   and its version, "" where the files do not say
    named     the model, as the files call it
    date      of the run
    files     by benchmark
    settings  what the files say on how it was asked and drawn, by benchmark
    rows      read, by benchmark; `joined` of them belong to questions of the study
    tokens    where numbers of tokens come from, by benchmark: "harness", "tokenizer", ""
    lacks     what the model has not, with the reason: shown where a dash stands
    """

    model: str
    format: str
    harness: str
    version: str
    named: str
    date: str
    files: dict[str, list[str]]
    settings: dict[str, dict[str, Any]]
    rows: dict[str, int]
    joined: dict[str, int]
    tokens: dict[str, str]
    lacks: dict[str, str]
    findings: list[ImportFinding] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "ImportFacts":
        """The facts of rule import_generations. InputError names a file of another version."""
        return read_record(path, cls)


# Columns of imported/verdicts.csv: one row per imported model and benchmark.
VERDICTS = {
    "model": pl.String,
    "dataset": pl.String,
    "metric": pl.String,  # name of the harness's verdict
    "responses": pl.Int64,
    "judged": pl.Int64,  # of them, with a verdict of the harness that is right or wrong
    "both_right": pl.Int64,
    "only_ours": pl.Int64,  # right by our grader, wrong by the harness
    "only_theirs": pl.Int64,
    "both_wrong": pl.Int64,
    "right_here": pl.Int64,  # of all responses
}
# Columns of imported/disagreements.csv: one row per response that the two judge otherwise.
DISAGREEMENTS = {
    "model": pl.String,
    "dataset": pl.String,
    "question_id": pl.String,
    "sample": pl.Int64,
    "ours": pl.Boolean,
    "theirs": pl.Boolean,
    "metric": pl.String,
    "graded_gold": pl.String,
    "gold": pl.String,  # as the harness has it
    "read_here": pl.String,  # the answer that our grader found
    "read_there": pl.String,
    "rule": pl.String,  # why our verdict
    "response": pl.String,  # its last 400 characters
    "place": pl.String,
}
