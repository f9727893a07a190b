"""The summary in the terminal: plain text, at most 100 columns for short titles."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from workflow_scripts.analysis.tables import FORCED, NATURAL, TRUNCATED
from workflow_scripts.reporting import model_findings, set_findings
from workflow_scripts.reporting.costs import total_device_hours
from workflow_scripts.reporting.naming import DASH, number
from workflow_scripts.reporting.study_results import Results

WIDTH = 100
SEEDS = "; of several training seeds the mean, and the lowest to the highest"


def summary(
    results: Results, report: Path, expectations: Sequence[str] = (), made: float = 0.0
) -> str:
    """Headline cells with intervals, the answer, data quality, cost, and where the report is.

    expectations  lines on what the config expected of the results
    made          device hours of traces made here
    """
    counted, expected = results.quality["counted_cells"], results.quality["expected_cells"]
    errors = sum(f["severity"] == "error" for f in results.findings)
    hours = total_device_hours(results, made)
    confidence = results.settings["analysis"]["confidence"]
    lines = [
        f"accuracy in % with {confidence:.0%} intervals{SEEDS if results.families else ''}",
        *headline(results),
        "",
        *textwrap.wrap(answer(results), WIDTH),
        f"{counted} of {expected} cells, {errors} data-quality errors, "
        + (f"{number(hours, 2)} device hours" if hours else "cost not measured"),
        *expectations,
        f"report: {report}",
    ]
    return "\n".join(lines) + "\n"


def answer(results: Results) -> str:
    """What the front page answers, without emphasis."""
    told = [set_findings.headline(results), *model_findings.answers(results)]
    text = " ".join(filter(None, told)).replace("**", "")
    return re.sub(r"\\([^\w\s])", r"\1", text)  # names that were escaped for a page


def headline(results: Results) -> list[str]:
    """A line per model and benchmark: natural end, truncation's ends, the longest forcing.

    Models that differ in their training seed alone have one.
    """
    own = {model: name for name, members in results.families.items() for model in members}
    points = results.points.with_columns(pl.col("model").replace(own))
    columns = _columns(points)
    rows = []
    for (model, dataset), part in points.group_by("model", "dataset", maintain_order=True):
        cells = [
            part.filter((pl.col("method") == method) & (pl.col("budget") == budget))
            for method, budget in columns
        ]
        names = [results.unit_titles[model], results.dataset_titles[dataset]]
        rows.append([*names, *(_cell(cell) for cell in cells)])
    heads = [
        results.method_titles[m] + (f" at {b}" if m in results.methods(TRUNCATED) else "")
        for m, b in columns
    ]
    return aligned(("model", "benchmark", *heads), rows, left=2)


def _columns(points: pl.DataFrame) -> list[tuple[str, str]]:
    """The (method, budget) cells that the summary shows."""
    natural = points.filter(NATURAL).head(1)
    cut = points.filter(TRUNCATED)
    ends = (
        [cut.head(1), cut.filter(pl.col("budget") == cut["budget"][-1]).head(1)] if len(cut) else []
    )
    force = points.filter(FORCED)
    first = force.filter(pl.col("family") == force["family"][0]) if len(force) else force
    longest = first.sort("n", maintain_order=True).tail(1)
    chosen = pl.concat([natural, *ends, longest]).select("method", "budget")
    return list(chosen.unique(maintain_order=True).iter_rows())


def _cell(cell: pl.DataFrame) -> str:
    if cell.is_empty():
        return DASH
    if cell.height > 1:  # seeds of one training
        every = [100 * value for value in cell["accuracy"]]
        low, mean, high = min(every), sum(every) / len(every), max(every)
        return f"{mean:.1f} ({low:.0f} to {high:.0f})"
    row = cell.row(0, named=True)
    low, high = 100 * row["ci_low"], 100 * row["ci_high"]
    return f"{100 * row['accuracy']:.1f} [{low:.0f}, {high:.0f}]"


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of a table; the first `left` columns are left-aligned, the others right."""
    widths = [max(len(line[i]) for line in (headers, *rows)) for i in range(len(headers))]
    return [
        "  ".join(
            text.ljust(width) if i < left else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (headers, ["-" * width for width in widths], *rows)
    ]
