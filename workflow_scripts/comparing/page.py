"""The comparison as a page: values for a template that holds all fixed prose."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isnan
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import polars as pl

from workflow_scripts.analysis.contrasts import Rule
from workflow_scripts.analysis.quality import ERROR, Finding
from workflow_scripts.common.markdown import code, plain
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.comparing.changes import Change, Changes
from workflow_scripts.comparing.conditions import Judged
from workflow_scripts.comparing.differences import BETTER, WORSE, Difference
from workflow_scripts.comparing.matching import Pairings
from workflow_scripts.comparing.sides import Side
from workflow_scripts.reporting.markdown import bullets, table
from workflow_scripts.reporting.naming import (
    DASH,
    count,
    interval,
    number,
    percent,
    signed,
    titled,
    titled_scope,
)

CODE_DATA = ("comparison.md.j2",)
LONGEST = 160  # characters of a setting's value
MOST = 12  # claims told one by one
FIGURE = "differences"


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found.

    changes    from the first study, by the other's name
    findings   of questions, folders and models
    places     the table RANKING of all contestants
    """

    sides: Sequence[Side]
    pairings: Pairings
    differences: Sequence[Difference]
    places: pl.DataFrame
    changes: Mapping[str, Changes]
    findings: Sequence[Finding]
    judged: Sequence[Judged]
    rule: Rule

    @property
    def tested(self) -> list[Difference]:
        """Differences with a number."""
        return [one for one in self.differences if one.change is not None]

    @property
    def claims(self) -> list[Difference]:
        """Differences that are resolved."""
        return [one for one in self.tested if one.row["verdict"] in (BETTER, WORSE)]

    @property
    def failed(self) -> list[Judged]:
        """Conditions that hold, and so fail the call."""
        return [one for one in self.judged if one.holds]


def markdown(found: Comparison, figure: str) -> str:
    """The page as Markdown; `figure` is the address of its picture, "" without one."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # values are Markdown, escaped where they are made
    )
    env.filters["bullets"] = bullets
    text = env.get_template(CODE_DATA[0]).render(_values(found, figure))
    return "\n".join(line.rstrip() for line in _spaced(text.splitlines())).strip() + "\n"


def _spaced(lines: Iterable[str]) -> Iterator[str]:
    """Lines with one blank line where there are several."""
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        yield from [""] if blank else group


def _values(found: Comparison, figure: str) -> dict[str, Any]:
    first, *others = found.sides
    picture = f"![Differences by benchmark and cell]({figure})\n" if figure else ""
    return {
        "names": plain(" and ".join(side.name for side in found.sides)),
        "first": plain(first.name),
        "sides": [_side(side) for side in found.sides],
        "failed": [plain(one.sentence) for one in found.failed],
        "changes": [_changes(first, other, found.changes[other.name]) for other in others],
        "claims": claims(found),
        "tested": len(found.tested),
        "error": percent(1 - found.rule.confidence, 0),
        "smallest": f"{found.rule.smallest_effect:g}",
        "confidence": percent(found.rule.confidence, 0),
        "figure": picture,
        "ranking": _places(found),
        "differences": list(_tables(found)),
        "questions": _questions(found),
        "findings": [
            f"**{plain(one.where)}** ({one.severity}, {one.count}): {plain(one.message)}"
            for one in sorted(found.findings, key=lambda one: one.severity != ERROR)
        ],
        "judged": [plain(one.sentence) for one in found.judged],
        "unnumbered": [
            plain(f"{_cell(one)}: {one.row['note']}")
            for one in found.differences
            if one.change is None
        ],
    }


def _side(side: Side) -> str:
    models = ", ".join(code(model) for model in side.models)
    return f"**{plain(side.name)}**: {code(str(side.folder))}, models {models}"


def _changes(first: Side, other: Side, found: Changes) -> dict[str, Any]:
    heads = (plain(first.name), plain(other.name))
    rows = [
        [code(one.key), *(_value(text) for text in one.values), plain(_steps(one))]
        for one in found.settings
    ]
    more = [[plain(one.key), *(_value(text) for text in one.values)] for one in found.versions]
    return {
        "title": f"{heads[1]} against {heads[0]}",
        "settings": table(("setting", *heads, "of"), rows, left=4) if rows else "",
        "versions": table(("what", *heads), more, left=3) if more else "",
        "silent": " and ".join(heads[i] for i in found.silent),
    }


def _value(text: str) -> str:
    return code(text, LONGEST)


def _steps(change: Change) -> str:
    shown = ", ".join(change.where[:4])
    return shown + (f" and {len(change.where) - 4} more" if len(change.where) > 4 else "")


def claims(found: Comparison) -> list[str]:
    """A sentence a resolved difference, the largest first; or that there is none."""
    told = sorted(apart(found), key=lambda one: -abs(one.row["difference"]))
    if found.tested and not any(one.change.any() for one in found.tested if one.change is not None):
        return ["Every question has the same verdict in every cell: the studies answer alike."]
    if not told:
        return [f"No difference is resolved, of {len(found.tested)} that were tested together."]
    left = len(told) - MOST
    more = [f"{left} more: see the tables."] if left > 0 else []
    return [*(plain(sentence(one)) for one in told[:MOST]), *more]


def apart(found: Comparison) -> list[Difference]:
    """Claims without those that repeat another: truncation at the natural end is that end."""
    kept: list[Difference] = []
    for one in found.claims:
        if not any(_repeats(one, other) for other in kept):
            kept.append(one)
    return kept


def _repeats(one: Difference, other: Difference) -> bool:
    return (
        (one.match, one.dataset, one.budget) == (other.match, other.dataset, other.budget)
        and one.ids == other.ids
        and np.array_equal(one.change, other.change)  # type: ignore[arg-type]
    )


def sentence(one: Difference) -> str:
    """A difference in words."""
    row = one.row
    return (
        f"{_cell(one)}: {row['verdict']}, {percent(row['accuracy_a'], 0)} → "
        f"{percent(row['accuracy_b'], 0)}, {signed(row['difference'])} "
        f"{interval(row['difference_low'], row['difference_high'])}, p = {row['p_adjusted']:.2g}"
    )


def _cell(one: Difference) -> str:
    row = one.row
    a, b = one.match.model_a, one.match.model_b
    models = a if a == b else f"{b} against {a}"
    return (
        f"{row['study_b']} against {row['study_a']}, {models}, {one.dataset} "
        f"{one.method}@{one.budget}"
    )


def _places(found: Comparison) -> str:
    """Models by place, a block a scope."""
    known = found.places.filter(pl.col("accuracy").is_not_null())
    titles = _titles(found)
    rows = [
        [
            titled_scope(row["scope"], row["name"], titles),
            code(row["model"]),
            _place(row),
            percent(row["accuracy"]),
            interval(100 * row["ci_low"], 100 * row["ci_high"], 0),
            row["letters"],
            DASH if isnan(tokens := row["mean_thinking_tokens"] or 0.0) else number(tokens, 0),
        ]
        for row in known.iter_rows(named=True)
    ]
    heads = ("over", "model", "place", "accuracy", "interval, %", "letters", "thinking tokens")
    return table(heads, rows, left=3) if rows else ""


def _place(row: Mapping[str, Any]) -> str:
    ends = [str(row["rank_low"]), str(row["rank_high"])]
    return " to ".join(dict.fromkeys(ends))


def _titles(found: Comparison) -> dict[str, str]:
    points = pl.concat([side.points for side in found.sides], how="vertical_relaxed")
    rows = points.select("dataset", "dataset_title").unique("dataset", maintain_order=True)
    return {name: plain(title) for name, title in rows.iter_rows()}


def _tables(found: Comparison) -> Iterator[tuple[str, str]]:
    """A table for each two models and benchmark."""
    names = method_titles(found)

    def group(one: Difference) -> tuple[str, str, str, str]:
        row = one.row
        return row["study_b"], one.match.model_b, one.match.model_a, one.dataset

    titles = _titles(found)
    for (study, model_b, model_a, dataset), own in groupby(found.tested, key=group):
        models = model_a if model_a == model_b else f"{model_b} against {model_a}"
        title = f"{titles[dataset]}, {plain(models)}, {plain(study)}"
        first = plain(found.sides[0].name)
        heads = (
            "method", "budget", f"{first}, %", f"{plain(study)}, %", "difference", "interval",
            "gained", "lost", "p", "verdict", "thinking tokens",
        )  # fmt: skip
        yield title, table(heads, [_row(one, names) for one in own], left=2)


def _row(one: Difference, names: Mapping[str, str]) -> list[str]:
    row = one.row
    word = str(row["verdict"])
    told = f"**{word}**" if word in (BETTER, WORSE) else word
    moved = interval(row["extra_tokens_low"], row["extra_tokens_high"])
    extra = signed(row["extra_tokens"])
    return [
        plain(names.get(one.method, one.method)),
        one.budget if one.budget == INFINITE else f"{int(one.budget):,}",
        number(100 * row["accuracy_a"]),
        number(100 * row["accuracy_b"]),
        signed(row["difference"]),
        interval(row["difference_low"], row["difference_high"]),
        count(row["gained"]),
        count(row["lost"]),
        f"{row['p_adjusted']:.2g}",
        told,
        extra if moved == DASH else f"{extra} {moved}",
    ]


def method_titles(found: Comparison) -> dict[str, str]:
    """Titles of methods, by name."""
    points = titled(pl.concat([side.points for side in found.sides], how="vertical_relaxed"))
    return dict(points.select("method", "title").unique("method", maintain_order=True).iter_rows())


def _questions(found: Comparison) -> str:
    """How many questions of each benchmark were paired, of how many."""
    rows = []
    for (a, b), own in found.pairings.items():
        sides = {side.name: side for side in found.sides}
        for one in own:
            asked = [str(sides[name].asked[one.dataset].height) for name in (a, b)]
            rows.append([plain(f"{b} against {a}"), one.dataset, *asked, str(len(one.pairs))])
    heads = ("studies", "benchmark", "questions of the first", "of the other", "paired by text")
    return table(heads, rows, left=2)
