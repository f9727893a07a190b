"""Stored labels of the teacher's correctness against this project's grader."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from workflow_scripts.common.tables.pool import PoolRow
from workflow_scripts.curation.keyed_random import uniform
from workflow_scripts.grading.batch import Limits, grade_all
from workflow_scripts.grading.boxes import boxes_of
from workflow_scripts.grading.grader import Question, default_kind

# A solution without a box that is longer than this is prose: no gold can be read from it.
BARE_ANSWER = 80
BATCH = 2000
_ANSWER = re.compile(r"\A\s*(?:final )?answer\s*:\s*(.+?)\s*\Z", re.I | re.S)
SCHEMA = {
    "row_id": pl.String,
    "source_name": pl.String,
    "stored": pl.Boolean,
    "graded": pl.Boolean,
    "gold": pl.String,
    "extracted": pl.String,
    "rule": pl.String,
    "question": pl.String,
}


def gold_of(solution: str | None) -> str | None:
    """The answer that a stored solution holds: its last box, "Answer: X", or itself if short.

    >>> gold_of("So it is $\\\\boxed{\\\\frac{1}{2}}$."), gold_of("Answer: C"), gold_of("12")
    ('\\\\frac{1}{2}', 'C', '12')
    """
    if not solution or not solution.strip():
        return None
    boxes, _ = boxes_of(solution)
    if boxes:
        return boxes[-1].content.strip()
    named = _ANSWER.match(solution)
    text = (named.group(1) if named else solution).strip()
    return text if len(text) <= BARE_ANSWER and "\n" not in text else None


def sampled(rows: Iterable[PoolRow], share: float, seed: int) -> Iterator[PoolRow]:
    """Rows with a label, a solution and an attempt; a share of them, chosen by a hash."""
    for row in rows:
        complete = row.teacher_correct is not None and row.solution and row.attempt
        if complete and uniform(seed, "labels", row.row_id) < share:
            yield row


def check_labels(rows: Iterable[PoolRow], limits: Limits) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows where label and grader disagree, by row id, and counts of agreement.

    Rows from whose solution no answer can be read are counted as `not_gradable`. Memory is
    bounded by the batch and the disagreements.
    """
    counts: Counter[str] = Counter()
    differ: list[dict[str, Any]] = []
    batch: list[tuple[PoolRow, str]] = []
    for row in rows:
        gold = gold_of(row.solution)
        if gold is None:
            counts["not_gradable"] += 1
            continue
        batch.append((row, gold))
        if len(batch) == BATCH:
            differ += _graded(batch, limits, counts)
            batch = []
    differ += _graded(batch, limits, counts) if batch else []
    frame = pl.DataFrame(differ, schema=SCHEMA, orient="row").sort("row_id")
    return frame, _facts(counts)


def _graded(
    batch: list[tuple[PoolRow, str]], limits: Limits, counts: Counter[str]
) -> list[dict[str, Any]]:
    questions = [Question(gold, default_kind(gold)) for _, gold in batch]
    verdicts = grade_all(questions, [row.attempt or "" for row, _ in batch], limits)
    differ = []
    for (row, gold), verdict in zip(batch, verdicts, strict=True):
        stored = "right" if row.teacher_correct else "wrong"
        counts[f"stored_{stored}_graded_{'right' if verdict.verdict else 'wrong'}"] += 1
        if verdict.verdict != row.teacher_correct:
            differ.append(
                {
                    "row_id": row.row_id,
                    "source_name": row.source_name,
                    "stored": row.teacher_correct,
                    "graded": verdict.verdict,
                    "gold": gold,
                    "extracted": verdict.extracted,
                    "rule": verdict.rule,
                    "question": (row.question or "")[:300],
                }
            )
    return differ


def _facts(counts: Counter[str]) -> dict[str, Any]:
    cells = [f"stored_{a}_graded_{b}" for a in ("right", "wrong") for b in ("right", "wrong")]
    compared = sum(counts[cell] for cell in cells)
    agree = counts[cells[0]] + counts[cells[3]]
    return {
        "compared": compared,
        "agree": agree,
        "agreement": round(agree / compared, 4) if compared else None,
        **{cell: counts[cell] for cell in cells},
        "not_gradable": counts["not_gradable"],
    }
