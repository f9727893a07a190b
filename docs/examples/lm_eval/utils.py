"""Verdicts of s1flow's grader for a task of lm-evaluation-harness."""

from typing import Any

import s1flow


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """Metrics of one response; `format` and `options` of a row are used where it has them."""
    verdict = s1flow.grade(
        results[0],
        gold=doc["answer"],
        format=doc.get("format"),
        options=doc.get("options"),
    )
    return {"correct": float(verdict.correct), "answered": float(verdict.answered)}
