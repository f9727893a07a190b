"""Rows of the demo's pool as the 59K releases spell them."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.demo.sources import DOMAINS, LETTERED, SKEW, Source
from workflow_scripts.demo.traces import attempt, careful_pass, teacher_trace
from workflow_scripts.demo.world import Problem, lettered


@dataclass(frozen=True)
class ReleaseRow:
    """One row with the columns of the releases."""

    question: str
    thinking_trajectories: list[str] | None
    attempt: str | None
    solution: str | None
    source_type: str
    metadata: str
    domain: str | None
    isqwen7bcorrect: bool | None
    isqwen32bcorrect: bool | None
    isgeminicorrect: bool | None
    gemini_length: int | None
    cot_type: str


@dataclass(frozen=True)
class Entry:
    """A row, the problem it asks, the defect planted in it, and where a copy comes from."""

    row: ReleaseRow
    problem: Problem
    source: Source
    defect: str = ""
    of: Any = field(default=None, compare=False)  # the Entry, or a benchmark's (dataset, position)


def clean_entry(rng: random.Random, source: Source, problem: Problem) -> Entry:
    """A row that every filter keeps: right teacher, both Qwen labels false."""
    trace = teacher_trace(rng, problem).text.strip()
    row = ReleaseRow(
        question=question_text(source, problem),
        thinking_trajectories=[trace],
        attempt=attempt(problem.answer),
        solution=solution_text(source, problem),
        source_type=source.name,
        metadata=metadata_text(rng, source, problem),
        domain=rng.choices(DOMAINS, [(k + 1) ** -SKEW for k in range(len(DOMAINS))])[0],
        isqwen7bcorrect=False,
        isqwen32bcorrect=False,
        isgeminicorrect=True,
        gemini_length=trace_length(trace),
        cot_type=source.cot_type,
    )
    return Entry(row, problem, source)


def question_text(source: Source, problem: Problem) -> str:
    """The question with its options in the source's layout."""
    if problem.form != "choice":
        return problem.question
    heading = "Answer Choices:\n" if source.layout == LETTERED else ""
    return f"{problem.question}\n\n{heading}{lettered(problem.options, source.layout)}"


def solution_text(source: Source, problem: Problem) -> str:
    """Ground truth: an integer for AIME, a letter for choices, else work and a boxed answer."""
    if "AIME" in source.name:
        return problem.answer
    if problem.form == "choice":
        return f"Answer: {problem.answer}"
    return f"{careful_pass(problem).text}Hence $\\boxed{{{problem.answer}}}$."


def metadata_text(rng: random.Random, source: Source, problem: Problem) -> str:
    """A Python literal, as in the releases."""
    facts = {"level": f"Level {min(5, len(problem.steps) - 2)}", "unique": rng.randrange(10**9)}
    if problem.form == "choice":
        facts["options"] = [str(value) for value in problem.options]
    return str({"source": source.name.split("/")[-1], **facts})


def trace_length(trace: str) -> int:
    """Words, digits, marks and spaces of a trace: close to its length in tokens."""
    return len(re.findall(r" ?[^\W\d]+|\d|\s| ?[^\w\s]+", trace))
