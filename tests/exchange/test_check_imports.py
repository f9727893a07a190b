"""The harness's verdicts beside ours: counts, and every response on which the two differ."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.small import FILES, ROWS, imported, written
from workflow_scripts.analysis.tables import read_table
from workflow_scripts.common.tables.imported import DISAGREEMENTS, VERDICTS
from workflow_scripts.exchange import check_imports
from workflow_scripts.grading import grade

GRADING = {"seed": 0, "timeout": 5.0, "memory_mb": 2048, "last_number": False}


def checked(folder: Path, args: Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of counts and the disagreements of one imported model with one benchmark."""
    grades = folder / "grades/theirs.parquet"
    cells = sorted((folder / "generations/theirs").glob("*/natural/infinite.parquet"))
    grade.work(
        Namespace(
            settings=GRADING, generations=cells, benchmarks=args.benchmarks, imported=[args.rows],
            grades=grades, threads=1,
        )
    )  # fmt: skip
    verdicts, odd = folder / "imported/verdicts.csv", folder / "imported/disagreements.csv"
    check_imports.work(
        Namespace(rows=[args.rows], grades=[grades], verdicts=verdicts, disagreements=odd)
    )
    (counts,) = read_table(verdicts, VERDICTS).to_dicts()
    return counts, read_table(odd, DISAGREEMENTS).to_dicts()


def told(place: int, response: str, correct: float | None) -> dict[str, Any]:
    """A plain row with the harness's verdict."""
    return {"question": ROWS["math"][place]["problem"], "response": response, "correct": correct}


@pytest.fixture
def rows(tmp_path: Path) -> Namespace:
    """Both right, right here alone, right there alone, and no whole verdict."""
    own = [
        told(0, "\\boxed{5/6}", 1),
        told(1, "\\boxed{8}", 0),
        told(2, "long before " + "x" * 400 + " \\boxed{4}", 1),
        told(3, "\\boxed{49}", 0.5),
    ]
    return imported(tmp_path, "jsonl", {"math": [written(tmp_path / "own.jsonl", own)]})


def test_verdicts_are_counted_by_who_says_right(tmp_path: Path, rows: Namespace) -> None:
    counts, _ = checked(tmp_path, rows)
    assert counts == {
        "model": "theirs", "dataset": "math", "metric": "correct", "responses": 4, "judged": 3,
        "both_right": 1, "only_ours": 1, "only_theirs": 1, "both_wrong": 0, "right_here": 3,
    }  # fmt: skip


def test_every_response_that_is_judged_otherwise_is_listed(tmp_path: Path, rows: Namespace) -> None:
    _, odd = checked(tmp_path, rows)
    assert [(row["question_id"], row["ours"], row["theirs"]) for row in odd] == [
        ("m2", True, False),
        ("m3", False, True),
    ]
    assert (odd[1]["graded_gold"], odd[1]["read_here"]) == ("3.5", "4")
    assert odd[1]["place"].endswith("own.jsonl:3")
    assert len(odd[1]["response"]) == 400
    assert odd[1]["response"].endswith("\\boxed{4}")


def test_a_choice_is_graded_in_the_order_that_the_harness_showed(tmp_path: Path) -> None:
    """The benchmark has the options the other way round: its letters are not theirs."""
    args = imported(tmp_path, "inspect", {"choice": [FILES / "inspect/choice.eval"]})
    counts, odd = checked(tmp_path, args)
    assert (counts["both_right"], counts["only_ours"], counts["right_here"]) == (2, 1, 3)
    assert [(row["question_id"], row["read_here"], row["rule"]) for row in odd] == [
        ("c3", "A", "letter")
    ]


def test_a_verdict_on_several_responses_is_none(tmp_path: Path) -> None:
    files = {"math": [FILES / "lm_eval"]}
    args = imported(tmp_path, "lm-eval", files, samples=2, task="tiny_math")
    counts, odd = checked(tmp_path, args)
    assert (counts["responses"], counts["judged"], counts["right_here"]) == (8, 0, 5)
    assert odd == []
