"""Ranges that a config expects of results: met, outside, or without a number."""

from argparse import Namespace

import polars as pl
import pytest

from workflow_scripts.analysis import (
    check_expectations,
    count_points,
    enforce_expectations,
    measure,
)
from workflow_scripts.analysis.expectations import broken, expectations, in_short
from workflow_scripts.analysis.tables import (
    CONTRASTS,
    EXPECTATIONS,
    MET,
    NO_NUMBER,
    OUTSIDE,
    POINTS,
    read_table,
)
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.settings.analysis import Expectation


def point(model: str, dataset: str, accuracy: float, unread: float = 0) -> dict:
    return {
        "model": model,
        "dataset": dataset,
        "method": "natural",
        "budget": "infinite",
        "accuracy": accuracy,
        "questions": 50,
        "no_answer": unread,
        "mean_thinking_tokens": 120.0,
    }


TABLE = pl.DataFrame(
    [point("base", "math", 0.1, 40), point("s1k", "math", 0.735), point("s1k", "aime", 0.3)],
    schema_overrides=POINTS,
)
EXTEND = pl.DataFrame(
    [
        {
            "estimand": "extend",
            "model": "s1k",
            "dataset": dataset,
            "method": "force-wait-1",
            "budget": "infinite",
            "difference": difference,
            "verdict": verdict,
            "note": note,
        }
        for dataset, difference, verdict, note in (
            ("math", 4.0, "helps", ""),
            ("aime", None, "", "s1k/force-wait-1/infinite: 29 of 30 questions"),
        )
    ],
    schema_overrides=CONTRASTS,
)


def outcomes(entry: Expectation) -> list[str]:
    return expectations([entry], TABLE, EXTEND)["outcome"].to_list()


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ({"least": 73.5, "most": 73.5}, MET),  # ends belong to the range
        ({"least": 70}, MET),
        ({"least": 74}, OUTSIDE),
        ({"most": 73}, OUTSIDE),
        ({"value": "no-answer", "most": 0}, MET),
        ({"value": "thinking-tokens", "least": 121}, OUTSIDE),
    ],
)
def test_a_number_of_a_cell_within_its_range_and_outside(keys: dict, outcome: str) -> None:
    assert outcomes(Expectation("s1k/math natural", **keys)) == [outcome]


def test_percent_of_questions_without_an_answer() -> None:
    assert outcomes(Expectation("base/math natural", value="no-answer", most=79)) == [OUTSIDE]
    assert outcomes(Expectation("base/math natural", value="no-answer", most=80)) == [MET]


def test_every_cell_that_an_entry_names_has_a_row() -> None:
    table = expectations([Expectation("* natural", least=20)], TABLE, EXTEND)
    assert table["model"].to_list() == ["base", "s1k", "s1k"]
    assert table["outcome"].to_list() == [OUTSIDE, MET, MET]
    assert table["message"][0] == (
        "base/math natural@infinite: accuracy 10.0 %; expected at least 20"
    )


def test_a_contrast_by_its_difference_and_by_its_verdict() -> None:
    cell = "s1k/math force-wait-1"
    assert outcomes(Expectation(cell, contrast="extend", least=4)) == [MET]
    assert outcomes(Expectation(cell, contrast="extend", most=3)) == [OUTSIDE]
    assert outcomes(Expectation(cell, contrast="extend", verdict=("helps", "mixed"))) == [MET]
    assert outcomes(Expectation(cell, contrast="extend", least=0, verdict=("harms",))) == [OUTSIDE]


def test_what_has_no_number_was_not_met() -> None:
    entry = Expectation("s1k/aime force-wait-1", contrast="extend", least=-100, severity="fail")
    table = expectations([entry], TABLE, EXTEND)
    assert table["outcome"].to_list() == [NO_NUMBER]
    assert broken(table.to_dicts()) == [
        "extend of s1k/aime force-wait-1@infinite: no number "
        "(s1k/force-wait-1/infinite: 29 of 30 questions)"
    ]
    assert outcomes(Expectation("s1k/math native", least=0)) == [NO_NUMBER]


@pytest.fixture
def measured(study) -> Namespace:
    count_points.work(study)
    measure.work(study)
    study.expectations = study.points.with_name("expectations.csv")
    return study


def check(study: Namespace, *entries: dict) -> list[dict]:
    study.settings = study.settings | {"expect": list(entries)}
    check_expectations.work(study)
    return read_table(study.expectations, EXPECTATIONS).to_dicts()


def test_rules_check_all_and_fail_for_those_that_shall(measured, tmp_path) -> None:
    impossible = {"cell": "s1k/algebra natural", "least": 101, "reason": "a probe"}
    rows = check(measured, {"cell": "* natural", "least": 0}, impossible)
    assert in_short(rows).endswith("expectations met: 1 warned of")
    held = Namespace(
        expectations=measured.expectations,
        summary=tmp_path / "report/summary.txt",
        held=tmp_path / "held.txt",
    )
    enforce_expectations.work(held)  # a warning ends nothing
    assert "warned of" in held.held.read_text()

    check(measured, impossible | {"severity": "fail"})
    with pytest.raises(UserError) as error:
        enforce_expectations.work(held)
    assert "s1k/algebra natural@infinite: accuracy" in str(error.value)
    assert "expected at least 101 (a probe)" in str(error.value)
    assert "report.html" in str(error.value)
