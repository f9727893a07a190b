"""What a study of many models says of them: who is ahead of whom, a line each, what each costs."""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from workflow_scripts.analysis.contrasts import CUT, EXTEND, HARMS, HELPS
from workflow_scripts.analysis.ranking import OPEN
from workflow_scripts.analysis.tables import BENCHMARK, GROUP
from workflow_scripts.common.tables.manifests import IMPORTED
from workflow_scripts.reporting.findings import of, p_text
from workflow_scripts.reporting.markdown import sample_link, table
from workflow_scripts.reporting.naming import (
    DASH,
    count,
    interval,
    join,
    number,
    percent,
    signed,
    significant,
    titled_scope,
)
from workflow_scripts.reporting.study_results import Results

MOST_NAMED = 4  # models that a sentence names; of more the first ones
MOST_SCOPES = 5  # accuracies beside each other on the front page


def scopes(results: Results) -> list[tuple[str, str]]:
    """Kind and name of every ranking, the widest first."""
    return list(results.ranked.places.select("scope", "name").unique(maintain_order=True).rows())


def of_scope(results: Results, scope: tuple[str, str]) -> list[dict[str, Any]]:
    """Rows of one ranking that have a place, the most accurate first."""
    own = results.ranked.places.filter(scope=scope[0], name=scope[1])
    return list(own.filter(pl.col("rank").is_not_null()).iter_rows(named=True))


def title(results: Results, scope: tuple[str, str]) -> str:
    """What a ranking is over."""
    return titled_scope(*scope, results.dataset_titles)


def headline(results: Results) -> str:
    """Who leads over all benchmarks, in a line for the front page; "" without a ranking."""
    for scope in scopes(results)[:1]:
        rows = of_scope(results, scope)
        if rows:
            asked = f"**Which of the {len(rows)} models is best?** **{_word(rows)}.**"
            return f"{asked} {_lead(results, scope, rows)}."
    return ""


def _word(rows: Sequence[dict[str, Any]]) -> str:
    first = [row for row in rows if row["rank_low"] == 1]
    if len(first) == 1:
        return "One is ahead of all others"
    return "Not shown" if len(first) == len(rows) else f"One of {len(first)}"


def sentences(results: Results) -> Iterator[str]:
    """Who leads in every ranking, how many pairs are told apart, and where the focus stands."""
    for scope in scopes(results):
        rows = of_scope(results, scope)
        if not rows:
            continue
        pairs = results.ranked.pairs.filter(scope=scope[0], name=scope[1])
        apart = pairs.filter(pl.col("verdict") != OPEN).height
        text = f"{_sentence(results, scope, rows)} Pairs told apart: {apart} of {pairs.height}."
        yield text + _focus(results, rows)
    yield from _placeless(results)


def _sentence(results: Results, scope: tuple[str, str], rows: Sequence[dict[str, Any]]) -> str:
    """Who leads and who is behind: 'A and B cannot be told apart; C is behind both'."""
    first = [row for row in rows if row["rank_low"] == 1]
    others = [row for row in rows if row["rank_low"] > 1]
    lead = {row["model"] for row in first}
    behind = [row for row in others if lead <= set(row["behind"].split())]
    told = _lead(results, scope, rows)
    if not others or len(first) == 1:
        return f"{told}."
    if not behind:
        return f"{told}; every other model is behind at least one of them."
    all_of = "both" if len(first) == 2 else "all of them"
    rest = "" if len(behind) == len(others) else ", the rest behind at least one"
    return f"{told}; {_named(results, behind)} {_is(behind)} behind {all_of}{rest}."


def _lead(results: Results, scope: tuple[str, str], rows: Sequence[dict[str, Any]]) -> str:
    first = [row for row in rows if row["rank_low"] == 1]
    high, low = (percent(row["accuracy"], 0) for row in (first[0], first[-1]))
    where, who = f"On {title(results, scope)}", _named(results, first)
    if len(first) == 1:
        return f"{where} {who} ({high}) is ahead of all others"
    return f"{where} {who} cannot be told apart ({high} to {low})"


def _is(rows: Sequence[Any]) -> str:
    return "is" if len(rows) == 1 else "are"


def _named(results: Results, rows: Sequence[dict[str, Any]]) -> str:
    names = [results.model_titles[row["model"]] for row in rows]
    if len(names) <= MOST_NAMED:
        return join(names)
    return f"{', '.join(names[: MOST_NAMED - 1])} and {len(names) - MOST_NAMED + 1} more"


def _focus(results: Results, rows: Sequence[dict[str, Any]]) -> str:
    """Where the focus model stands, if another one leads."""
    own = next((row for row in rows if row["model"] == results.focus), None)
    if own is None or own is rows[0]:
        return ""
    name = results.model_titles[results.focus]
    ahead, behind = (len(own[key].split()) for key in ("ahead_of", "behind"))
    return f" {name}: place {place(own)} (ahead of {ahead}, behind {behind})."


def place(row: dict[str, Any]) -> str:
    """'2–5', or '3' where one place is left."""
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low}–{high}"


def _placeless(results: Results) -> Iterator[str]:
    lacking = results.ranked.places.filter(pl.col("note") != "", scope=BENCHMARK)
    for (model,), part in lacking.group_by("model", maintain_order=True):
        yield f"No place: {results.model_titles[str(model)]} ({'; '.join(part['note'])})."


# --------------------------------------------------------------------------------------- tables


def front_table(results: Results) -> str:
    """A line per model: place, accuracies, tokens, and whether cutting harms and more helps."""
    every = scopes(results)
    if not every:
        return ""
    shown = [scope for scope in every if scope[0] != GROUP]
    if len(shown) > MOST_SCOPES:
        shown = [scope for scope in every if scope[0] != BENCHMARK]
    cells = {scope: {row["model"]: row for row in of_scope(results, scope)} for scope in every}
    headers = ("model", "place", *(f"{title(results, s)}, %" for s in shown), "tokens an answer",
               "cutting harms", "longer helps")  # fmt: skip
    first = cells[every[0]]
    order = [*first, *(model for model in results.model_titles if model not in first)]
    rows = []
    for model in order:
        own = first.get(model)
        rows.append(
            [
                results.model_titles[model],
                place(own) if own else DASH,
                *(_accuracy(cells[scope].get(model)) for scope in shown),
                number(own["mean_total_tokens"], 0) if own else DASH,
                _share(results, model, CUT, HARMS),
                _share(results, model, EXTEND, HELPS),
            ]
        )
    return table(headers, rows, left=1)


def _accuracy(row: dict[str, Any] | None) -> str:
    return number(100 * row["accuracy"], 0) if row else DASH


def _share(results: Results, model: str, estimand: str, verdict: str) -> str:
    """Benchmarks on which some contrast of a kind has a verdict, of those that were asked."""
    rows = of(results, estimand, model)
    asked = {row["dataset"] for row in rows}
    found = {row["dataset"] for row in rows if row["verdict"] == verdict}
    return f"{len(found)}/{len(asked)}" if asked else DASH


def cost_table(results: Results) -> str:
    """What an answer and a right answer of every model take, and what its decoding took in all."""
    for scope in scopes(results)[:1]:
        rows = [_cost_row(results, row) for row in of_scope(results, scope)]
        headers = (
            "model", "accuracy", "thinking tokens an answer", "all tokens an answer",
            "tokens a right answer", "device s an answer", "device s a right answer",
            "tokens decoded, all cells", "device hours, all cells",
        )  # fmt: skip
        return table(headers, rows)
    return ""


def _cost_row(results: Results, row: dict[str, Any]) -> list[str]:
    engine, right = results.engines.get(row["model"]), row["accuracy"]
    hours = engine.device_seconds if engine else None
    total = row["mean_total_tokens"]  # None where nobody counted
    return [
        results.model_titles[row["model"]],
        percent(right),
        number(row["mean_thinking_tokens"], 0),
        number(total, 0),
        number(total / right, 0) if right and total is not None else DASH,
        significant(row["device_seconds"]),
        significant(row["seconds_per_right"]),
        number(engine.tokens.decoded, 0) if engine and engine.kind != IMPORTED else DASH,
        number(hours / 3600, 3) if hours else DASH,
    ]


def ranking_tables(results: Results) -> list[tuple[str, str]]:
    """Every ranking with intervals, places and letters: (heading, table)."""
    headers = (
        "model", "place", "letters", "accuracy [95 %]", "questions", "counts", "no answer",
        "tokens an answer", "behind",
    )  # fmt: skip
    return [
        (
            title(results, scope),
            table(headers, [_place_row(results, row) for row in of_scope(results, scope)], left=1),
        )
        for scope in scopes(results)
    ]


def form_title(results: Results, form: str) -> tuple[str, str, str]:
    """Forms in words, and method and budget where it is one cell (else two empty texts).

    form  as in the table: 'native/infinite', 'natural+native/infinite', several behind each other
    """
    each = dict.fromkeys(
        method for one in form.split() for method in one.rpartition("/")[0].split("+")
    )
    words = " or ".join(results.method_titles.get(method, method) for method in each)
    if len(each) != 1:
        return words, "", ""
    return words, next(iter(each)), form.split()[0].rpartition("/")[2]


def _place_row(results: Results, row: dict[str, Any]) -> list[str]:
    form, method, budget = form_title(results, row["form"])
    if row["scope"] == BENCHMARK and method:
        form = sample_link(form, row["model"], row["name"], method, budget)
    bounds = interval(100 * row["ci_low"], 100 * row["ci_high"])
    return [
        results.model_titles[row["model"]],
        f"{place(row)} of {row['ranked']}",
        row["letters"],
        f"{percent(row['accuracy'])} {bounds}",
        count(row["questions"]),
        form,
        percent(row["no_answer"], 0),
        number(row["mean_total_tokens"], 0),
        ", ".join(results.model_titles[name] for name in row["behind"].split()) or DASH,
    ]


def pairs_table(results: Results) -> str:
    """Every pair over all benchmarks; the pairs of the other rankings are in the CSV file."""
    for scope in scopes(results)[:1]:
        own = results.ranked.pairs.filter(scope=scope[0], name=scope[1])
        headers = ("models", "difference, points [95 %]", "p, family", "verdict")
        rows = [
            [
                f"{results.model_titles[row['model_a']]} → {results.model_titles[row['model_b']]}",
                f"{signed(row['difference'])} "
                f"{interval(row['difference_low'], row['difference_high'])}",
                p_text(row["p_adjusted"]),
                row["verdict"],
            ]
            for row in own.iter_rows(named=True)
        ]
        return table(headers, rows)
    return ""
