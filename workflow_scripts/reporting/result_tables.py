"""The tables of the report: headline metrics, all cells, paired tests, data quality."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from workflow_scripts.analysis.contrasts import CUT, EXTEND, HARMS, HELPS, PROMPT, TRAIN
from workflow_scripts.common.markdown import code
from workflow_scripts.common.tables.generation import ENDS
from workflow_scripts.reporting.findings import (
    answering_cut,
    answering_rung,
    headline_metrics,
    named,
    of,
    p_text,
    points,
)
from workflow_scripts.reporting.markdown import bullets, sample_link, table
from workflow_scripts.reporting.naming import (
    DASH,
    count,
    interval,
    number,
    percent,
    signed,
    significant,
)
from workflow_scripts.reporting.study_results import Results

Row = dict[str, Any]
Parts = Mapping[tuple[str, ...], list[Row]]  # by model, or by model and benchmark

MOST_PAIRS = 12
NO_CONTRAST = "No cell can be compared with a natural end.\n"
TRAINING = "training"  # column


CONTROL = "Control, %: over budget / paper's: runs within"
CONTROL_NOTE = (
    "Control 0 / 100 of capped methods is no finding: they cannot exceed a budget. "
    "Read its first number as 0 is perfect, the second as 100 is perfect."
)
HELD_OUT = "held-out best, %"
SHORT_HEADERS = (
    "benchmark", "method", CONTROL, "Budget Error, %", "Scaling: points per 1,000 tokens",
    "Scaling, paper: points per doubling", "Max Performance, % (k/n)", "reached at", HELD_OUT,
)  # fmt: skip
HEADERS = (
    "benchmark", "method", CONTROL, "Budget Error, %", "Scaling: points per 1,000 tokens [95 %]",
    "un-normalised sum", "beyond the natural end",
    "Scaling, paper: points per doubling [95 %]", "Max Performance, % (k/n)", "reached at",
    HELD_OUT,
)  # fmt: skip
NOTES = ("control_note", "control_paper_note", "budget_error_note", "scaling_note")


def short_metrics(results: Results) -> str:
    """The focus model's metrics in both forms, a row per method (forcing pooled over n)."""
    rows = list(headline_metrics(results, results.focus).iter_rows(named=True))
    lines = [
        [
            *_metric_head(results, row),
            significant(row["scaling_per_1k"]),
            significant(row["scaling_per_doubling"]),
            *_metric_best(results, row),
        ]
        for row in rows
    ]
    return table(SHORT_HEADERS, lines, left=2) + "\n" + _notes(results, rows, slopes=False)


def metrics_tables(results: Results) -> list[tuple[str, str]]:
    """All metrics of every model with notes; titles and tables as `tables_of` has them."""
    parts = {(model,): _metric_rows(results, model) for model in results.model_titles}
    return tables_of(
        results,
        parts,
        HEADERS,
        partial(_metric_row, results),
        lambda told: "\n" + _notes(results, told, slopes=True),
    )


def of_models(results: Results, frame: pl.DataFrame) -> Parts:
    """The rows of each model."""
    return {
        (model,): list(frame.filter(model=model).iter_rows(named=True))
        for model in results.model_titles
    }


def of_cells(results: Results, frame: pl.DataFrame) -> Parts:
    """The rows of each model and benchmark."""
    return {
        (model, dataset): list(frame.filter(model=model, dataset=dataset).iter_rows(named=True))
        for model in results.model_titles
        for dataset in results.dataset_titles
    }


def tables_of(
    results: Results,
    parts: Parts,
    headers: Sequence[str],
    line: Callable[[Row], list[str]],
    after: Callable[[list[Row]], str] = lambda _: "",
) -> list[tuple[str, str]]:
    """A title and a table for each part that has rows, with what is said after the table.

    One table of all, without a title, where several models have no two rows of a benchmark.
    """
    titles = {
        key: (results.model_titles[key[0]], *(results.dataset_titles[name] for name in key[1:]))
        for key in parts
    }
    every = [row for rows in parts.values() for row in rows]
    places = [(row["model"], row["dataset"]) for row in every]
    if len(set(places)) == len(places) and len({model for model, _ in places}) > 1:
        lead = ("model", "benchmark")[: len(next(iter(parts)))]
        lines = [[*titles[key], *line(row)] for key, rows in parts.items() for row in rows]
        return [("", table((*lead, *headers), lines, left=2 + len(lead)) + after(every))]
    return [
        (", ".join(titles[key]), table(headers, list(map(line, rows)), left=2) + after(rows))
        for key, rows in parts.items()
        if rows
    ]


def _metric_row(results: Results, row: dict[str, Any]) -> list[str]:
    return [
        *_metric_head(results, row),
        slope_cell(row, "scaling_per_1k"),
        significant(row["scaling_sum_per_1k"]),
        significant(row["scaling_beyond_per_1k"]),
        slope_cell(row, "scaling_per_doubling"),
        *_metric_best(results, row),
    ]


def _metric_head(results: Results, row: dict[str, Any]) -> list[str]:
    over, within = number(row["control_percent"], 0), number(row["control_paper_percent"], 0)
    return [
        results.dataset_titles[row["dataset"]],
        results.method_titles[row["method"]],
        DASH if over == within == DASH else f"{over} / {within}",
        number(row["budget_error_percent"]),
    ]


def _metric_best(results: Results, row: dict[str, Any]) -> list[str]:
    place = (row["model"], row["dataset"], row["max_method"], row["max_budget"])
    reached = f"{results.method_titles[row['max_method']]} at {row['max_budget']}"
    return [
        f"{percent(row['max_accuracy'], 0)} ({count(row['max_correct'])}/{row['max_questions']})",
        sample_link(reached, *place),
        percent(row["max_held_out"], 0),
    ]


def _notes(results: Results, rows: list[dict[str, Any]], slopes: bool) -> str:
    """A line per note with the rows that it is about; what merging did to slopes on demand."""
    about: dict[str, list[str]] = {}
    for row in rows:
        for name in NOTES:
            if not row[name] or (name == "scaling_note" and not slopes and _sloped(row)):
                continue
            title = results.method_titles[row["method"]]
            if name == "scaling_note" and _sloped(row):
                title = f"{results.dataset_titles[row['dataset']]}, {title}"
            named_rows = about.setdefault(row[name], [])
            if title not in named_rows:
                named_rows.append(title)
    return bullets([CONTROL_NOTE, *(f"{', '.join(who)}: {note}." for note, who in about.items())])


def _sloped(row: dict[str, Any]) -> bool:
    return row["scaling_per_1k"] is not None


def _metric_rows(results: Results, model: str) -> list[dict[str, Any]]:
    """Headline rows, each family followed by its single methods where those have slopes."""
    own = results.metrics.filter(pl.col("model") == model)
    rows = []
    for head in headline_metrics(results, model).iter_rows(named=True):
        rows.append(head)
        if head["level"] == "family" and head["forced"]:
            members = own.filter(
                (pl.col("family") == head["family"])
                & (pl.col("dataset") == head["dataset"])
                & (pl.col("level") == "method")
            )
            rows += members.iter_rows(named=True)
    return rows


def slope_cell(row: dict[str, Any], name: str) -> str:
    """A slope with its interval; without one where every resample gives the same slope."""
    if row[name] is None:
        return DASH
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low == high:  # resampling changes nothing: that is no interval
        return significant(row[name])
    return f"{significant(row[name])} [{significant(low)}, {significant(high)}]"


def cells_tables(results: Results) -> list[tuple[str, str]]:
    """Every cell, with links into the sample viewer; titles and tables as `tables_of` has them."""
    headers = (
        "method", "budget", "correct", "accuracy [95 %]", "thinking: mean", "median", "max",
        "spliced", "answer: mean", "spliced answer", "all tokens", "over budget",
        "natural/forced/context", "no answer", "loops", "answer cut", "lenient",
        "same as earlier", "device s",
    )  # fmt: skip
    return tables_of(results, of_cells(results, results.points), headers, _cell_row)


def _cell_row(row: dict[str, Any]) -> list[str]:
    place = (row["model"], row["dataset"], row["method"], row["budget"])
    bounds = interval(100 * row["ci_low"], 100 * row["ci_high"])
    return [
        row["title"],
        sample_link(row["budget"], *place),
        f"{count(row['correct'])}/{row['questions']}",
        f"{percent(row['accuracy'])} {bounds}",
        number(row["mean_thinking_tokens"], 0),
        number(row["median_thinking_tokens"], 0),
        number(row["max_thinking_tokens"], 0),
        number(row["mean_spliced_tokens"]),
        number(row["mean_answer_tokens"], 0),
        number(row["mean_answer_spliced_tokens"], 0),
        number(row["mean_total_tokens"], 0),
        count(row["over_budget"]),
        "/".join(count(row[f"ended_{end}"]) for end in ENDS),
        count(row["no_answer"]),
        count(row["loops"]),
        count(row["answer_cut"]),
        count(row["flagged"]),
        percent(row["same_as_share"], 0),
        number(row["gpu_seconds"]),
    ]


def summary_table(results: Results) -> str:
    """The focus model: natural end, and the contrasts that the summary speaks about."""
    rows = []
    for dataset, title in results.dataset_titles.items():
        own = of_dataset(results, dataset)
        cells = [_told(*told) for told in own.values()]
        if cells:
            first = next(iter(own.values()))[1]
            end = first["accuracy_to" if first["estimand"] == TRAIN else "accuracy_from"]
            natural = f"{percent(end, 0)} of {first['questions']}"
            rows.append((title, natural, dict(zip(own, cells, strict=True))))
    heads = list(dict.fromkeys(head for _, _, cells in rows for head in cells))
    if not heads or heads == [TRAINING]:  # which starts from the base, and is told of by itself
        return ""
    lines = [
        [title, natural, *(cells.get(h, DASH) for h in heads)] for title, natural, cells in rows
    ]
    return table(("benchmark", "natural end", *heads), lines, left=1)


def of_dataset(results: Results, dataset: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """A column each, with what to print before it: the contrasts that answer, prompts, training."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    cuts = of(results, CUT, dataset=dataset)
    if cuts:
        row = answering_cut(cuts)
        found["stopped early"] = (f"at {int(row['budget']):,}: ", row)
    rows = of(results, EXTEND, dataset=dataset)
    for phrase in dict.fromkeys(row["phrase"] for row in rows):
        row = answering_rung([row for row in rows if row["phrase"] == phrase])
        found[named(phrase)] = (f"×{row['n']}: ", row)
    for row in of(results, PROMPT, dataset=dataset):
        found[results.method_titles[row["method"]]] = ("", row)
    for row in of(results, TRAIN, dataset=dataset):
        found[TRAINING] = ("", row)
    return found


def _told(head: str, row: dict[str, Any]) -> str:
    mark = "" if row["verdict"] in (HELPS, HARMS) else "°"
    return f"{head}{points(row)}{mark}"


CONTRAST_HEADERS = (
    "benchmark", "contrast", "from", "to", "difference, points [95 %]", "gained", "lost",
    "no answer before, of the gained", "p, family", "verdict", "extra thinking tokens",
    "found with 80 %",
)  # fmt: skip


def contrasts_tables(results: Results) -> list[tuple[str, str]]:
    """All contrasts of every model; titles and tables as `tables_of` has them."""
    parts = of_models(results, results.contrasts)
    line = partial(_contrast_row, results)
    return tables_of(results, parts, CONTRAST_HEADERS, line) or [("", NO_CONTRAST)]


def _contrast_row(results: Results, row: dict[str, Any]) -> list[str]:
    place = (row["model"], row["dataset"], row["method"], row["budget"])
    method = results.method_titles.get(row["method"], row["method"])
    what = f"{row['estimand']}: {method} at {row['budget']}"
    if row["difference"] is None:
        return [results.dataset_titles[row["dataset"]], f"{what}: {row['note']}", *[DASH] * 10]
    tokens = interval(row["extra_tokens_low"], row["extra_tokens_high"], 0)
    extra = DASH if row["extra_tokens"] is None else f"{signed(row['extra_tokens'], 0)} {tokens}"
    return [
        results.dataset_titles[row["dataset"]],
        sample_link(what, *place),
        percent(row["accuracy_from"]),
        percent(row["accuracy_to"]),
        points(row),
        *(DASH if row[name] is None else str(row[name]) for name in ("gained", "lost")),
        DASH if row["gained_unread"] is None else str(row["gained_unread"]),
        p_text(row["p_adjusted"]),
        row["verdict"] or DASH,
        extra,
        number(row["detectable"]),
    ]


def pairs_table(results: Results, comparison: str) -> str:
    """Paired comparisons of one kind: those that change most questions, in favour of no reading."""
    every = results.pairs.filter(pl.col("comparison") == comparison)
    rows = every.filter(pl.col("identical_share") < 1)
    shown = rows.sort("p_value", maintain_order=True).head(MOST_PAIRS)
    headers = (
        "benchmark", "from", "to", "from %", "to %", "difference, points [95 %]", "gained", "lost",
        "p of this pair alone (exact McNemar)",
    )  # fmt: skip
    lines = [_pair_row(results, row) for row in shown.iter_rows(named=True)]
    same = every.height - rows.height
    head = f"{rows.height} comparisons"
    head += f" ({same} more compare cells with the same ids)" if same else ""
    if rows.is_empty():
        return f"{head}.\n"
    head += f"; the {len(lines)} with the smallest p:" if len(lines) < rows.height else ":"
    return f"{head}\n\n" + table(headers, lines, left=3)


def _pair_row(results: Results, row: dict[str, Any]) -> list[str]:
    names = []
    for side in "ab":
        method = results.method_titles[row[f"method_{side}"]]
        text = f"{results.model_titles[row[f'model_{side}']]}: {method} at {row[f'budget_{side}']}"
        place = (row[f"model_{side}"], row["dataset"], row[f"method_{side}"], row[f"budget_{side}"])
        names.append(sample_link(text, *place))
    bounds = interval(row["difference_low"], row["difference_high"])
    return [
        results.dataset_titles[row["dataset"]],
        *names,
        percent(row["accuracy_a"]),
        percent(row["accuracy_b"]),
        f"{number(row['difference'])} {bounds}",
        str(row["gained"]),
        str(row["lost"]),
        p_text(row["p_value"]),
    ]


def quality_box(results: Results) -> str:
    """What is wrong with the data, worst first, or that nothing was found."""
    counted, expected = results.quality["counted_cells"], results.quality["expected_cells"]
    found = sorted(
        results.findings, key=lambda f: ["error", "warning", "note"].index(f["severity"])
    )
    text = (
        f"{counted} of {expected} cells counted, {results.quality['generations']:,} generations. "
    )
    if not found:
        return text + "No cell is missing, short, doubled or over its budget.\n"
    rows = [(f["severity"], f["kind"], code(f["where"]), f["count"], f["message"]) for f in found]
    headers = ("severity", "finding", "where", "count", "what it means here")
    return (
        text + f"{len(found)} finding{'s' * (len(found) > 1)}:\n\n" + table(headers, rows, left=5)
    )
