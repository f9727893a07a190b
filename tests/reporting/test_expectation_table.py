"""The report's section on expectations: all of few rows, of many those that were not met."""

from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.reporting.expectation_table import section


@dataclass
class Titles:
    """Of the results, what the section asks for."""

    model_titles: dict[str, str] = field(default_factory=lambda: {"s1k": "Tuned"})
    dataset_titles: dict[str, str] = field(default_factory=lambda: {"math500": "MATH500"})


def row(outcome: str = "met", **more: Any) -> dict[str, Any]:
    return {
        "model": "s1k", "dataset": "math500", "method": "natural", "budget": "infinite",
        "contrast": "", "value": "accuracy", "found": 71.25, "least": None, "most": None,
        "found_verdict": "", "verdicts": "", "severity": "warn", "outcome": outcome, "reason": "",
        "message": "", **more,
    }  # fmt: skip


def shown(*rows: dict[str, Any]) -> str:
    return section(Titles(), rows)  # type: ignore[arg-type]


def test_nothing_expected_is_no_section() -> None:
    assert shown() == ""


def test_ranges_with_one_end_and_with_two_and_verdicts() -> None:
    text = shown(
        row(least=60.0, most=90.0),
        row(least=0.0),
        row(most=5.0),
        row(contrast="extend", value="difference", verdicts="helps, mixed", found_verdict="helps"),
    )
    assert "4 of 4 expectations met" in text
    assert (
        "| Tuned, MATH500, `natural` at infinite | accuracy | 71.2 | 60.0 to 90.0 | met |" in text
    )
    assert "| at least 0.0 | met |" in text
    assert "| at most 5.0 | met |" in text
    assert "| extend, points | 71.2, helps | helps, mixed | met |" in text


def test_of_many_rows_those_that_were_not_met_are_shown() -> None:
    failed = row("outside", severity="fail", most=60.0, reason="seen *once*")
    text = shown(*[row(least=1.0)] * 20, failed, row("no number", found=None, least=1.0))
    assert "20 of 22 expectations met: 1 failed, 1 warned of" in text
    assert text.count("| Tuned") == 2
    assert r"**outside** (fails): seen \*once\*" in text
    assert "**no number** (a warning)" in text
    assert "| Tuned" not in shown(*[row(least=1.0)] * 20)
