"""The page of disagreements and the table of unread answers."""

import polars as pl
import pytest

from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.grading.audit import disagreements, page, shape, unread


def grades(rows: list[tuple]) -> pl.DataFrame:
    common = {"model": "m", "dataset": "d", "method": "natural", "sample": 0, "seconds": 0.0}
    names = ("budget", "question_id", "verdict", "extracted", "extraction", "rule", "flags")
    full = [
        {**common, "no_answer": row[3] is None, **dict(zip(names, row, strict=True))}
        for row in rows
    ]
    return GRADE.frame(full)


ROWS = grades(
    [
        ("500", "q1", True, "0.5", "boxed", "number", []),
        ("500", "q2", True, "10", "boxed", "string", ["percent"]),
        ("1000", "q1", False, "a|b`c\n", "bare", "unparsed", []),
        ("infinite", "q1", False, None, "thinking-only", "thinking-only", []),
        ("infinite", "q2", False, "9^9", "bare", "timeout", []),
    ]
)


def test_disagreements_are_grouped_by_the_form_of_the_gold() -> None:
    gold = pl.when(pl.col("question_id") == "q1").then(pl.lit("1/2")).otherwise(pl.lit(r"10\%"))
    rows = ROWS.with_columns(gold=gold, kind=pl.lit("math"))
    found = disagreements(rows, lambda gold, extracted: extracted != "10")
    assert [(d.kind, d.extracted, d.ours) for d in found] == [
        ("number", "a|b`c\n", False),
        ("quantity", "10", True),
        ("quantity", "9^9", False),
    ]
    text = page(found, 4, "peer")
    assert "3 of 4 distinct pairs" in text
    assert "## quantity (2)" in text
    assert r"`a\|b'c" in text and "a|b`" not in text


def test_a_peer_without_verdict_does_not_disagree() -> None:
    rows = ROWS.with_columns(gold=pl.lit("1"), kind=pl.lit("math"))
    assert disagreements(rows, lambda gold, extracted: None) == []


def test_unread_answers_by_budget() -> None:
    table = unread(ROWS)
    assert table["budget"].to_list() == ["500", "1000", "infinite"]
    assert table["n"].to_list() == [2, 1, 2]
    assert table["not_read"].to_list() == [0, 1, 0]
    assert table["thinking_only"].to_list() == [0, 0, 1]
    assert table["cut_off"].to_list() == [0, 0, 1]
    assert table["flagged"].to_list() == [1, 0, 0]


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("5", "number"), (r"x^2", "expression"), ("(1,2)", "tuple"), ("[1,2)", "interval"),
        (r"\{1\}", "set"), ("1,2", "list"), ("x=5", "relation"), (r"5\text{ cm}", "quantity"),
        ("52_8", "base"), ("3:4", "ratio"), (r"\text{east}", "words"), (r"\frac{", "unreadable"),
    ],
)  # fmt: skip
def test_shape(gold: str, kind: str) -> None:
    assert shape(gold) == kind
