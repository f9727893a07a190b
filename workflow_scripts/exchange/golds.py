"""Right answers that a harness holds and that are not the benchmark's."""

from collections.abc import Sequence

from workflow_scripts.common.tables.imported import ImportFinding
from workflow_scripts.exchange.joining import CHOICE, WARNING, Findings, Joined
from workflow_scripts.exchange.matching import normal
from workflow_scripts.grading.batch import Limits, grade_all
from workflow_scripts.grading.one_answer import Question

SAID = "the harness holds another answer for right; graded here by the benchmark's"


def differing(rows: Sequence[Joined], where: str, threads: int = 1) -> list[ImportFinding]:
    """A finding on the rows whose gold is not the benchmark's, as our grader compares them.

    Letters are compared by the options that they stand for, where rows are joined.
    """
    odd = [
        row
        for row in rows
        if row.question.kind != CHOICE
        and row.row.gold is not None
        and normal(row.row.gold) != normal(row.gold)
    ]
    if not odd:
        return []
    questions = [Question(row.gold, row.question.kind, None, row.question.tolerance) for row in odd]
    verdicts = grade_all(
        questions, [_answer(row.row.gold or "") for row in odd], Limits(threads=threads)
    )
    findings = Findings(where)
    for row, verdict in zip(odd, verdicts, strict=True):
        if not verdict.verdict:
            told = f"{row.row.place}: {row.row.gold!r:.40} for {row.gold!r:.40}"
            findings.add("gold-differs", WARNING, SAID, told)
    return findings.listed()


def _answer(gold: str) -> str:
    """A gold as a response: many hold a whole solution, with its answer in a box."""
    return gold if "\\boxed" in gold or "####" in gold else f"\\boxed{{{gold}}}"
