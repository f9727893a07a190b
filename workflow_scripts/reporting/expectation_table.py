"""The report's section on what the config expected of the results."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow_scripts.analysis.expectations import in_short
from workflow_scripts.analysis.tables import MET
from workflow_scripts.common.markdown import code, plain
from workflow_scripts.reporting.markdown import table
from workflow_scripts.reporting.naming import number
from workflow_scripts.reporting.study_results import Results

MOST = 8  # rows that are shown though they were met
HEADERS = ("expected of", "value", "found", "range", "outcome")


def section(results: Results, rows: Sequence[Mapping[str, Any]]) -> str:
    """How many were met, and every row, of many those that were not; "" where none is expected."""
    if not rows:
        return ""
    shown = [row for row in rows if len(rows) <= MOST or row["outcome"] != MET]
    told = f"{in_short(rows)}; all of them with what was found: `analysis/expectations.csv`."
    lines = [_line(results, row) for row in shown]
    return f"{told}\n\n{table(HEADERS, lines, left=len(HEADERS))}" if lines else told


def _line(results: Results, row: Mapping[str, Any]) -> list[str]:
    named = results.model_titles.get(row["model"], row["model"])
    dataset = results.dataset_titles.get(row["dataset"], row["dataset"])
    cell = f"{named}, {dataset}, {code(row['method'])} at {row['budget']}"
    kind = f"{row['contrast']}, points" if row["contrast"] else row["value"]
    found = number(row["found"])
    found += f", {row['found_verdict']}" if row["found_verdict"] and row["verdicts"] else ""
    return [cell, kind, found, _range(row), _outcome(row)]


def _range(row: Mapping[str, Any]) -> str:
    low, high = (None if row[end] is None else number(row[end]) for end in ("least", "most"))
    both = f"{low} to {high}" if low and high else ""
    parts = [both or (f"at least {low}" if low else f"at most {high}")] if low or high else []
    return "; ".join([*parts, *([row["verdicts"]] if row["verdicts"] else [])])


def _outcome(row: Mapping[str, Any]) -> str:
    """Met; or what it is, what follows, and the config's sentence."""
    if row["outcome"] == MET:
        return "met"
    told = f"**{row['outcome']}** ({'fails' if row['severity'] == 'fail' else 'a warning'})"
    return told + (f": {plain(row['reason'])}" if row["reason"] else "")
