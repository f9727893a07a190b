"""Where test-time scaling does not happen, and which causes the data support."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from workflow_scripts.analysis.headline import one_way_flips_needed
from workflow_scripts.reporting.findings import headline_metrics, p_text
from workflow_scripts.reporting.markdown import bullets, table
from workflow_scripts.reporting.naming import percent, significant
from workflow_scripts.reporting.study_results import Results

CONTEXT_LIMIT, SILENT_LIMIT, LOOP_LIMIT, EARLY_LIMIT = 0.2, 0.2, 0.1, 0.5
SPREAD_LIMIT = 1.5


def cases(results: Results) -> list[dict[str, Any]]:
    """Metric rows (families and single methods) whose slope is not claimed to rise."""
    rows = headline_metrics(results).filter(~pl.col("verdict").is_in(["rises", "undefined"]))
    return list(rows.iter_rows(named=True))


def runs_of(results: Results, row: dict[str, Any]) -> pl.DataFrame:
    """The points that a metrics row speaks about."""
    column = "family" if row["level"] == "family" else "method"
    return results.points.filter(
        (pl.col("model") == row["model"])
        & (pl.col("dataset") == row["dataset"])
        & (pl.col(column) == row["method"])
    )


def flips_of(results: Results, row: dict[str, Any], runs: pl.DataFrame) -> tuple[int, int, int]:
    """Questions gained and lost over all steps of added continuations, and how many steps.

    For methods without continuations: from the smallest to the largest budget.
    """
    kind = "added-continuation" if row["kind"] == "force" else "budget"
    own = results.pairs.filter(
        (pl.col("comparison") == kind)
        & (pl.col("model_b") == row["model"])
        & (pl.col("dataset") == row["dataset"])
        & pl.col("method_b").is_in(runs["method"].unique().to_list())
        & (pl.col("verdict") != "identical")
    )
    return int(own["gained"].sum()), int(own["lost"].sum()), own.height


def shares_of(runs: pl.DataFrame) -> dict[str, float]:
    """Shares over all generations of some runs."""
    total = max(runs["questions"].sum(), 1)
    names = ("ended_forced", "ended_context", "no_answer", "loops", "answer_cut")
    return {name: runs[name].sum() / total for name in names}


def causes(results: Results, row: dict[str, Any]) -> Iterator[str]:
    """Causes that the data support for one case; each quotes the number behind it."""
    runs = runs_of(results, row)
    shares = shares_of(runs)
    best, worst = (
        runs.sort("accuracy").row(-1, named=True),
        runs.sort("accuracy").row(0, named=True),
    )
    if best["ci_low"] <= best["chance"] or best["correct"] == 0:
        score = f"{best['correct']}/{best['questions']}"
        yield f"too hard: the best run ({score}) is not resolved above chance"
    elif worst["ci_high"] >= best["accuracy"]:
        yield (
            f"flat: even the worst run ({worst['correct']}/{worst['questions']}) is "
            f"within noise of the best ({best['correct']}/{best['questions']})"
        )
    yield from _length_causes(runs)
    if shares["no_answer"] > SILENT_LIMIT:
        yield f"no answer: {percent(shares['no_answer'], 0)} of generations give none"
    if shares["loops"] > LOOP_LIMIT:
        yield f"loops: {percent(shares['loops'], 0)} of generations repeat themselves"
    if shares["answer_cut"] > LOOP_LIMIT:
        yield f"answers cut: {percent(shares['answer_cut'], 0)} hit the answer's own cap"
    gained, lost, steps = flips_of(results, row, runs)
    if steps and lost >= gained and gained + lost > 0:
        yield f"answers flip without gain: {gained} became right, {lost} wrong"
    if best["questions"] < 10 * one_way_flips_needed():
        yield f"few questions: {best['questions']} resolve only large differences"


def _length_causes(runs: pl.DataFrame) -> Iterator[str]:
    """Causes that lie in how much was thought, not in what."""
    tokens = runs["mean_thinking_tokens"]
    if tokens.max() < SPREAD_LIMIT * max(tokens.min(), 1e-9):
        yield (
            f"thinking hardly varies: run means lie between {significant(tokens.min())} and "
            f"{significant(tokens.max())} tokens"
        )
    smallest = runs.sort("budget_tokens").row(0, named=True)
    early = smallest["ended_natural"] / smallest["questions"]
    if early > EARLY_LIMIT and smallest["budget"] != "infinite":
        yield (
            f"budgets do not bind: {percent(early, 0)} of traces end before the smallest cap "
            f"({smallest['budget']})"
        )
    context = runs.filter(pl.col("budget") == "infinite")
    hit = context["ended_context"].sum() / max(context["questions"].sum(), 1)
    if hit > CONTEXT_LIMIT:
        yield f"cut by the context: {percent(hit, 0)} of traces at the infinite budget do not end"


def section(results: Results) -> str:
    """The section of the report: a table of cases and a list of causes."""
    found = cases(results)
    tested = headline_metrics(results).filter(pl.col("verdict") != "undefined").height
    if not found:
        return f"All {tested} tested slopes rise with thinking; there is no case to show.\n"
    rows = [_row(results, row) for row in found]
    headers = (
        "model", "benchmark", "method", "slope per 1,000 tokens [95 %]", "adjusted p",
        "wrong → right", "right → wrong", "cut at budget", "cut by context", "no answer", "loops",
    )  # fmt: skip
    lines = [
        f"**{results.name(row['model'], row['dataset'], row['method'])}**: "
        + ("; ".join(causes(results, row)) or "no cause stands out in the data")
        + "."
        for row in found
    ]
    return (
        f"{len(found)} of {tested} tested slopes do not rise beyond doubt. Flips are summed over "
        "added continuations (forcing) or counted from the smallest to the largest budget "
        "(truncation). Shares are over all generations of the method.\n\n"
        + table(headers, rows, left=3)
        + "\nCauses that the data support:\n\n"
        + bullets(lines)
    )


def _row(results: Results, row: dict[str, Any]) -> list[str]:
    runs = runs_of(results, row)
    shares = shares_of(runs)
    gained, lost, steps = flips_of(results, row, runs)
    low, high = significant(row["scaling_per_1k_low"]), significant(row["scaling_per_1k_high"])
    return [
        results.model_titles[row["model"]],
        results.dataset_titles[row["dataset"]],
        results.method_titles[row["method"]],
        f"{significant(row['scaling_per_1k'])} [{low}, {high}]",
        p_text(row["p_adjusted"]),
        str(gained) if steps else "–",
        str(lost) if steps else "–",
        percent(shares["ended_forced"], 0),
        percent(shares["ended_context"], 0),
        percent(shares["no_answer"], 0),
        percent(shares["loops"], 0),
    ]
