"""Traces made here: every draw and what became of it, and the counts of a pool."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import Table
from workflow_scripts.common.records import read_record

KEPT, USABLE = "kept", "usable"
# What is wrong with a draw, whatever its verdict.
FAULTS = ("unfinished", "looping", "without-thinking", "unreadable")

TRACES = Table(
    name="traces",
    schema={
        "row_id": pl.String,  # of the draw, and of its row in the pool if it is kept
        "question_id": pl.String,  # row id of the question in the pool that it was asked from
        "teacher": pl.String,  # its name in the config
        "model": pl.String,
        "draw": pl.Int64,
        "verdict": pl.Boolean,
        "extracted": pl.String,  # null when no answer was found
        "thinking_tokens": pl.Int64,
        "answer_tokens": pl.Int64,
        "score": pl.Float64,  # LIMO's, among the usable draws
        "reason": pl.String,  # "kept", one of FAULTS, or why it was not chosen
    },
    key=("row_id",),
)


@dataclass(frozen=True)
class TeacherFacts:
    """What became of a teacher's draws.

    questions        that it answered, and those with a right, faultless draw
    tokens           of all draws, thinking and answer; kept_tokens: of those in the pool
    reasons          draws by what became of them
    """

    teacher: str
    draws: int
    right: int
    questions: int
    questions_right: int
    tokens: int
    kept_tokens: int
    reasons: dict[str, int]

    def faults(self, name: str) -> int:
        """Draws with one of FAULTS."""
        return self.reasons.get(name, 0)


@dataclass(frozen=True)
class TraceFacts:
    """A pool of traces.

    answers, choose   as the config asks
    asked             questions; `questions` of them are in the pool, with `rows` rows
    right_questions   that some teacher answered right
    """

    pool: str
    answers: str
    choose: str
    asked: int
    questions: int
    rows: int
    right_questions: int
    mean_trace_tokens: float
    teachers: list[TeacherFacts]

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "TraceFacts":
        """The counts of rule make_traces. InputError names a file of another version."""
        return read_record(path, cls)
