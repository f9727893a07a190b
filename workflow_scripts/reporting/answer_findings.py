"""What became of answers along their chains: sentences and tables. They describe, none is a claim.

From the tables of rule follow_answers: the path of each answer, confidence stop, and how thinking
ended in every cell.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from workflow_scripts.analysis.answer_path import BUDGETS
from workflow_scripts.analysis.endings import CAUSES, MIXED
from workflow_scripts.analysis.tables import FORCED, NATURAL, TRUNCATED
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting.figure_answers import finest
from workflow_scripts.reporting.markdown import sample_link, table
from workflow_scripts.reporting.naming import (
    DASH,
    interval,
    join,
    number,
    percent,
    signed,
)
from workflow_scripts.reporting.result_tables import of_cells, tables_of
from workflow_scripts.reporting.study_results import Results

TOLD = (1, 2, 4)  # k of confidence stop that the body quotes; the appendix has all
MOST_STOPS = 10  # k that the appendix lists one by one
REACHED = 0.05  # share of traces with one more continuation, below which a further n is pointless
COUNTS = ("rows", "right", *CAUSES)
CURVE_HEADERS = (
    "benchmark", "cut at", "thinking tokens", "accuracy, %", "right from here on, %",
    "right, wrong later, %", "wrong, was right, %", "not right yet, %", "at no budget, %",
    "right at the end, not here, %", "two changes or more, %",
    "oracle at these tokens, %", "oracle: tokens for this accuracy",
)  # fmt: skip
STOP_HEADERS = (
    "benchmark", "probes every", "k", "accuracy, %", "thinking tokens", "stopped, %",
    "answer tokens of probes", "against the natural end, points [95 %]",
    "one budget at equal tokens, %", "against it, points [95 %]",
)  # fmt: skip
ENDING_HEADERS = (
    "method", "budget", "right", "ended by itself: right", "cut at the budget: right",
    "context full: right", "looping: right", "no answer",
    "wrong: no answer / cut / looping / reasoning", "the shortfall is",
    "continued further than the n before, %",
)  # fmt: skip


def path_sentences(results: Results) -> Iterator[str]:
    """Per benchmark: when the focus model is right, what it thinks for nothing, and the oracle."""
    curves = results.answers.curves.filter(model=results.focus)
    known = finest(curves, results.focus)
    for dataset, name in results.dataset_titles.items():
        rows = list(known.filter(dataset=dataset).iter_rows(named=True))
        notes = curves.filter((pl.col("dataset") == dataset) & (pl.col("note") != ""))
        if rows:
            yield f"**{name}**: {_path(results, dataset, rows)}"
        elif notes.height:
            yield f"**{name}**: {DASH}; no path of the answers: {notes['note'][0]}."


def _path(results: Results, dataset: str, rows: Sequence[dict[str, Any]]) -> str:
    end = rows[-1]
    chains = results.answers.path.filter(model=results.focus, dataset=dataset, grid=end["grid"])
    ever = 1 - end["unsolved"]
    told = [
        f"{percent(ever, 0)} are right at some budget, {percent(end['accuracy'], 0)} at the natural"
        f" end; {percent(end['lost'], 0)} were right and end wrong, {percent(end['flipped'], 0)} "
        "change twice or more",
        f"{_spent(chains)}",
    ]
    if end["oracle_tokens"] is not None and end["accuracy"]:
        told.append(
            "an oracle that gives each question its smallest sufficient budget has the natural "
            f"end's {percent(end['accuracy'], 0)} with {number(end['oracle_tokens'], 0)} thinking "
            f"tokens for {number(end['mean_tokens'], 0)}"
        )
    return "; ".join(told) + "."


def _spent(chains: pl.DataFrame) -> str:
    """Thinking after the answer stays right, and thinking on questions that no budget solves."""
    names = ("natural_tokens", "overthinking_tokens", "unsolved_tokens")
    total, over, unsolved = (int(chains[name].sum()) for name in names)
    if not total:
        return "nothing is thought"
    return (
        f"of all thinking {percent(over / total, 0)} comes after the answer is right for good, "
        f"{percent(unsolved / total, 0)} goes into what no budget solves"
    )


def stop_sentences(results: Results) -> Iterator[str]:
    """Per benchmark: stopping at k equal probe answers, for a few k."""
    stops = results.answers.stops.filter(model=results.focus)
    for dataset, name in results.dataset_titles.items():
        own = stops.filter(dataset=dataset)
        for note in own.filter(pl.col("note") != "")["note"]:
            yield f"**{name}**: {DASH}; no confidence stop: {note}."
        rows = list(own.filter(pl.col("k").is_in(TOLD)).iter_rows(named=True))
        if rows:
            natural = f"{percent(rows[0]['natural_accuracy'], 0)} with "
            natural += f"{number(rows[0]['natural_tokens'], 0)} tokens at the natural end"
            told = "; ".join(map(_stop, rows))
            head = f"**{name}**, stop at k equal answers, asked every {rows[0]['every']} tokens"
            yield f"{head}: {told}; {natural}."


def _stop(row: dict[str, Any]) -> str:
    return (
        f"k = {row['k']}: {percent(row['accuracy'], 0)} with {number(row['mean_tokens'], 0)} "
        f"({_difference(row, 'against_uniform')} against one budget at equal tokens)"
    )


def _difference(row: dict[str, Any], name: str) -> str:
    if row[name] is None:
        return DASH
    if row[f"{name}_low"] is None:  # every question changes alike
        return signed(row[name], 0)
    return f"{signed(row[name], 0)} {interval(row[f'{name}_low'], row[f'{name}_high'], 0)}"


def curves_table(results: Results) -> str:
    """The curves over budgets, a table a model; of probes only why there are none. "": no cuts."""
    parts = []
    for model, title in results.model_titles.items():
        rows = results.answers.curves.filter(
            pl.col("model") == model, (pl.col("grid") == BUDGETS) | (pl.col("note") != "")
        )
        lines = [_curve_row(results, row) for row in rows.iter_rows(named=True)]
        if lines:
            parts.append(f"### {title}\n\n{table(CURVE_HEADERS, lines, left=2)}")
    return "\n".join(parts)


def _curve_row(results: Results, row: dict[str, Any]) -> list[str]:
    name = results.dataset_titles[row["dataset"]]
    if row["note"]:
        return [name, row["note"], *[DASH] * (len(CURVE_HEADERS) - 2)]
    shares = ("settled", "fleeting", "lost", "waiting", "unsolved", "too_small", "flipped")
    return [
        name,
        "natural end" if row["budget"] == INFINITE else row["budget"],
        number(row["mean_tokens"]),
        number(100 * row["accuracy"]),
        *(number(100 * row[share]) for share in shares),
        number(100 * row["oracle_accuracy"]),
        number(row["oracle_tokens"]),
    ]


def stops_table(results: Results) -> str:
    """Confidence stop of all models, of many k the first and 16, 32, ...; "" without probes."""
    parts = []
    k, doubled = pl.col("k"), [2**i for i in range(4, 12)]
    for model, title in results.model_titles.items():
        rows = results.answers.stops.filter(model=model)
        rows = rows.filter(k.is_null() | (k <= MOST_STOPS) | k.is_in(doubled))
        lines = [_stop_row(results, row) for row in rows.iter_rows(named=True)]
        if lines:
            parts.append(f"### {title}: stop at k equal probes\n\n{table(STOP_HEADERS, lines)}")
    return "\n".join(parts)


def _stop_row(results: Results, row: dict[str, Any]) -> list[str]:
    head = [results.dataset_titles[row["dataset"]], str(row["every"])]
    if row["note"]:
        return [*head, row["note"], *[DASH] * (len(STOP_HEADERS) - 3)]
    return [
        *head,
        str(row["k"]),
        number(100 * row["accuracy"]),
        number(row["mean_tokens"]),
        percent(row["share_stopped"], 0),
        number(row["probe_tokens"]),
        _difference(row, "against_natural"),
        number(100 * row["uniform_accuracy"]),
        _difference(row, "against_uniform"),
    ]


def endings_tables(results: Results) -> list[tuple[str, str]]:
    """Accuracy by how thinking ended; titles and tables as `tables_of` has them."""
    parts = of_cells(results, results.answers.endings)
    return tables_of(results, parts, ENDING_HEADERS, partial(_ending_row, results))


def _ending_row(results: Results, row: dict[str, Any]) -> list[str]:
    kinds = ("natural", "forced", "context", "loop")
    place = (row["model"], row["dataset"], row["method"], row["budget"])
    causes = " / ".join(DASH if row[name] is None else str(row[name]) for name in CAUSES)
    return [
        results.method_titles[row["method"]],
        sample_link(row["budget"], *place),
        f"{row['right']}/{row['rows']}",
        *(_of(row[f"{kind}_right"], row[kind]) for kind in kinds),
        str(row["unread"]),
        causes,
        row["note"] or row["shortfall"] or DASH,
        percent(row["further"], 0),
    ]


def _of(right: int, rows: int) -> str:
    """'73 % (11/15)'; a dash where no thinking ended so."""
    return f"{percent(right / rows, 0)} ({right}/{rows})" if rows else DASH


def shortfall_sentences(results: Results) -> Iterator[str]:
    """Per family of cells of the focus model: what most of its wrong answers are."""
    own = results.points.filter(pl.col("model") == results.focus)
    endless = pl.col("budget") == INFINITE
    longer = own.filter(FORCED & endless).with_columns(label=pl.format("×{}", "n"))
    cut = own.filter(TRUNCATED & ~endless).with_columns(label=pl.format("at {}", "budget"))
    others = own.filter(~(NATURAL | TRUNCATED | FORCED)).with_columns(label=_label())
    families = [
        ("Natural end", own.filter(NATURAL).with_columns(label=pl.lit(""))),
        ("Truncation at budgets that cut", cut),
        *(
            (f"{series} at the infinite budget", part)
            for (series,), part in longer.group_by("series", maintain_order=True)
        ),
        *((str(title), part) for (title,), part in others.group_by("title", maintain_order=True)),
    ]
    for title, cells in families:
        told = [_shortfall(results, dataset, cells) for dataset in results.dataset_titles]
        if any(told):
            yield f"**{title}**: {'; '.join(filter(None, told))}."


def _label() -> pl.Expr:
    infinite = pl.col("budget") == INFINITE
    return pl.when(infinite).then(pl.lit("")).otherwise(pl.format("at {}", "budget"))


def _shortfall(results: Results, dataset: str, cells: pl.DataFrame) -> str:
    """'Demo math: truncation at 8 and at 16 (127 of 182 wrong), ...'; "" where nothing is cut."""
    keys = ["model", "dataset", "method", "budget"]
    own = cells.filter(dataset=dataset).select(*keys, "label")
    rows = own.join(results.answers.endings, on=keys, maintain_order="left")
    if (own["budget"] != INFINITE).all():
        rows = rows.filter(pl.col("natural") < pl.col("rows"))
    by_cause: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        cause = f"{DASH} ({row['note']})" if row["note"] else row["shortfall"]
        by_cause.setdefault(cause, []).append(row)
    told = [_cause(cause, own) for cause, own in by_cause.items()]
    return f"{results.dataset_titles[dataset]}: {', '.join(told)}" if told else ""


def _cause(cause: str, rows: Sequence[dict[str, Any]]) -> str:
    """'looping ×4 (27 of 41 wrong)'; every cause where none is most of it."""
    where = join([row["label"] for row in rows]).strip()
    total: dict[str, int] = {key: sum(row[key] for row in rows) for key in COUNTS}
    wrong = total["rows"] - total["right"]
    if not wrong:
        return f"nothing is wrong {where}".strip()
    head = f"{cause} {where}".strip()
    named = [key for key, value in CAUSES.items() if value == cause]
    if named:
        return f"{head} ({total[named[0]]} of {wrong} wrong)"
    if cause != MIXED:
        return head
    parts = join([f"{CAUSES[key]} {total[key]}" for key in CAUSES if total[key]])
    return f"{head} ({parts}, of {wrong} wrong)"


def pointless_sentences(results: Results) -> Iterator[str]:
    """Per phrase of the focus model: from which budget on each n can differ from the n before."""
    rows = results.points.filter((pl.col("model") == results.focus) & FORCED)
    keys = ["model", "dataset", "method", "budget"]
    rows = rows.join(
        results.answers.endings.select(*keys, "further"), on=keys, maintain_order="left"
    )
    for (series,), part in rows.group_by("series", maintain_order=True):
        told = [
            _matters(f"×{n}", own)
            for (n,), own in part.sort("n", maintain_order=True).group_by("n", maintain_order=True)
        ]
        yield f"**{series}**: {'; '.join(told)}."


def _matters(name: str, cells: pl.DataFrame) -> str:
    """'×2 from 128 tokens on (73 to 77 % of the traces are continued so far)'."""
    order = {budget: i for i, budget in enumerate(_ascending(cells["budget"].unique()))}
    reached = cells.filter(pl.col("further") >= REACHED)
    if reached.is_empty():
        return f"{name} is pointless at every budget"
    first = min(reached["budget"], key=lambda budget: order[budget])
    shares = reached.filter(budget=first)["further"].sort()
    low, high = percent(shares[0], 0), percent(shares[-1], 0)
    share = low if low == high else f"{number(100 * shares[0], 0)} to {high}"
    at = "at the infinite budget alone" if first == INFINITE else f"from {int(first):,} tokens on"
    return f"{name} {at if order[first] else 'at every budget'} ({share} of the traces get there)"


def _ascending(budgets: pl.Series) -> list[str]:
    return sorted(budgets, key=lambda budget: float("inf") if budget == INFINITE else int(budget))
