"""What a config expects of results, against what was found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from workflow_scripts.analysis.tables import EXPECTATIONS, MET, NO_NUMBER, OUTSIDE
from workflow_scripts.common.cell_pattern import CellPattern
from workflow_scripts.common.settings.analysis import FAIL, Expectation

CELL = ["model", "dataset", "method", "budget"]
ROUNDING = 1e-9
UNITS = {"accuracy": " %", "no-answer": " %", "thinking-tokens": " tokens", "difference": " points"}


@dataclass(frozen=True)
class _Found:
    """The number of one cell or contrast, or why there is none."""

    cell: tuple[str, str, str, str]
    number: float | None
    verdict: str = ""
    note: str = ""


def expectations(
    expected: Sequence[Expectation], points: pl.DataFrame, contrasts: pl.DataFrame
) -> pl.DataFrame:
    """The table EXPECTATIONS: a row per entry and cell that it names, in their order.

    A cell that was asked for and has no number did not meet what was expected of it.
    """
    rows = []
    for entry in expected:
        pattern = CellPattern.read(entry.cell, "expect")
        found = list(_contrasts(entry, contrasts) if entry.contrast else _cells(entry, points))
        found = [one for one in found if pattern.fits(*one.cell)]
        rows += [_row(entry, one) for one in found or [_nothing(entry, pattern)]]
    return pl.DataFrame(rows, schema=EXPECTATIONS)


def _cells(entry: Expectation, points: pl.DataFrame) -> Iterator[_Found]:
    number = {
        "accuracy": 100 * pl.col("accuracy"),
        "no-answer": 100 * pl.col("no_answer") / pl.col("questions"),
        "thinking-tokens": pl.col("mean_thinking_tokens"),
    }[entry.value]
    for *cell, value in points.select(*CELL, number.alias("number")).iter_rows():
        yield _Found((cell[0], cell[1], cell[2], cell[3]), value)


def _contrasts(entry: Expectation, contrasts: pl.DataFrame) -> Iterator[_Found]:
    own = contrasts.filter(pl.col("estimand") == entry.contrast)
    columns = own.select(*CELL, "difference", "verdict", "note")
    for model, dataset, method, budget, difference, verdict, note in columns.iter_rows():
        yield _Found((model, dataset, method, budget), difference, verdict or "", note or "")


def _nothing(entry: Expectation, pattern: CellPattern) -> _Found:
    what = f"contrast '{entry.contrast}'" if entry.contrast else "cell"
    cell = (pattern.model, pattern.dataset, pattern.method, pattern.budget)
    return _Found(cell, None, note=f"no such {what} in the tables")


def _row(entry: Expectation, found: _Found) -> dict[str, Any]:
    outcome = _outcome(entry, found)
    return {
        "cell": entry.cell,
        **dict(zip(CELL, found.cell, strict=True)),
        "contrast": entry.contrast or "",
        "value": "difference" if entry.contrast else entry.value,
        "found": found.number,
        "least": entry.least,
        "most": entry.most,
        "found_verdict": found.verdict,
        "verdicts": ", ".join(entry.verdict or ()),
        "severity": entry.severity,
        "outcome": outcome,
        "message": _message(entry, found, outcome),
        "reason": entry.reason,
    }


def _outcome(entry: Expectation, found: _Found) -> str:
    if found.number is None:
        return NO_NUMBER
    low, high = entry.least, entry.most
    inside = (low is None or found.number >= low - ROUNDING) and (
        high is None or found.number <= high + ROUNDING
    )
    worded = entry.verdict is None or found.verdict in entry.verdict
    return MET if inside and worded else OUTSIDE


def _message(entry: Expectation, found: _Found, outcome: str) -> str:
    value = "difference" if entry.contrast else entry.value
    model, dataset, method, budget = found.cell
    kind = f"{entry.contrast} of " if entry.contrast else ""
    where = f"{kind}{model}/{dataset} {method}@{budget}"
    if found.number is None:
        return f"{where}: no number ({found.note or 'not measured'})"
    told = f"{where}: {value} {found.number:.1f}{UNITS[value]}"
    told += f", {found.verdict}" if found.verdict and entry.verdict else ""
    return told if outcome == MET else f"{told}; expected {wanted(entry)}"


def wanted(entry: Expectation) -> str:
    """What an entry expects, in words: 'from 60 to 90', 'at least 3', 'the verdict harms'."""
    low, high = entry.least, entry.most
    if low is not None and high is not None:
        parts = [f"from {low:g} to {high:g}"]
    else:
        parts = [f"at least {low:g}"] if low is not None else []
        parts += [f"at most {high:g}"] if high is not None else []
    parts += [f"the verdict {' or '.join(entry.verdict)}"] if entry.verdict else []
    return " and ".join(parts)


def broken(rows: Sequence[Mapping[str, Any]], severity: str = FAIL) -> list[str]:
    """Messages of the rows of one severity that were not met, each with the config's reason."""
    return [
        row["message"] + (f" ({row['reason']})" if row["reason"] else "")
        for row in rows
        if row["outcome"] != MET and row["severity"] == severity
    ]


def in_short(rows: Sequence[Mapping[str, Any]]) -> str:
    """'18 of 20 expectations met', with those that failed and those that warn."""
    met = sum(row["outcome"] == MET for row in rows)
    failed = len(broken(rows))
    warned = len(rows) - met - failed
    parts = [f"{failed} failed"] * bool(failed) + [f"{warned} warned of"] * bool(warned)
    return f"{met} of {len(rows)} expectations met" + (f": {', '.join(parts)}" if parts else "")
