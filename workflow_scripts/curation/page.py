"""curation.md: what a reviewer needs to sign the training set, in five minutes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from workflow_scripts.common.markdown import code, plain
from workflow_scripts.common.markdown import table as markdown_table
from workflow_scripts.curation.pool import NAMED_SOURCES
from workflow_scripts.curation.row_counts import Balance

DASH = "–"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers with thousands separators, None as a dash."""
    shown = [[_shown(value) for value in row] for row in rows]
    return markdown_table(header, shown, left=len(header)).rstrip("\n")


def excerpt(text: str | None, characters: int = 160) -> str:
    """One line of a text as inline code, safe inside a table."""
    if not text:
        return DASH
    return code(text, characters)


def _shown(value: object) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


PHRASES = 15
HITS = 3  # examples per kind
DOMAINS = 15
EXAMPLES = 3


@dataclass(frozen=True)
class Evidence:
    """Everything the page is made from; `sets` by selector, the first one is the main set."""

    funnel: pl.DataFrame
    domains: pl.DataFrame
    sources: pl.DataFrame
    dropped: pl.DataFrame
    contamination: dict[str, Any]
    sets: Mapping[str, pl.DataFrame]
    balances: Mapping[str, Balance | None]
    shift: pl.DataFrame | None
    correlations: pl.DataFrame
    correlation_rows: int
    further: int = 0  # draws of the same sets that no table shows


def curation_page(evidence: Evidence) -> str:
    """The whole page."""
    parts = [
        "# Curation",
        _summary(evidence),
        "## Where the rows went",
        "`paper` quotes arXiv 2501.19393, section 3.1: rows left after the stage.",
        _funnel(evidence.funnel),
        "## Shared text with the benchmarks",
        _contamination(evidence.contamination),
        "## Repeats inside the pool",
        _duplicates(evidence.contamination),
        "## Sources",
        _sources(evidence.sources),
        "## Domains",
        _domains(evidence),
        "## Length",
        _lengths(evidence),
        "## Why these rows",
        _chosen(evidence.sets),
        "## Why not those",
        _dropped(evidence.dropped),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(evidence: Evidence) -> str:
    total = evidence.funnel.filter(pl.col("stage") == "pool")["remaining"].item()
    sets = "; ".join(f"`{name}` {frame.height:,} rows" for name, frame in evidence.sets.items())
    facts = evidence.contamination
    benchmarks = ", ".join(
        f"{name} ({count['questions']:,})" for name, count in facts["benchmarks"].items()
    )
    further = (
        f" Tables show the first draw of each set; {evidence.further} more, one for each further "
        "training seed, are in `sets` and in `touched.csv`."
        if evidence.further
        else ""
    )
    return (
        f"From {total:,} rows to: {sets or 'no set yet'}.{further} Every row that was dropped "
        "stands in `dropped.parquet` with one reason and its evidence; every row that was chosen "
        f"carries an explanation. Kept clear of: {benchmarks}."
    )


def _funnel(funnel: pl.DataFrame) -> str:
    rows = [
        (
            f"**{stage}**" if reason == "total" else stage,
            "" if reason == "total" else reason,
            removed,
            remaining,
            paper,
        )
        for stage, reason, removed, remaining, paper in funnel.rows()
    ]
    return table(("stage", "reason", "removed", "remaining", "paper"), rows)


def _contamination(facts: dict[str, Any]) -> str:
    n = facts["ngram"]
    removed = facts["would_remove"]["benchmark"]
    counts = [
        (
            c["dataset"],
            plain(c["source_name"]),
            c["plain"],
            c["latex"],
            c["exact"] + c["letters"],
            c["real"],
        )
        for c in facts["counts"]
    ]
    setting = facts["boilerplate"]
    lines = [
        f"{facts['rows']:,} rows were compared with every question of every benchmark: word "
        f"{n}-grams of the plain text, {n}-grams of the text with uniform LaTeX, and whole "
        "questions (letter by letter where they are short or mostly a formula). The plain rule "
        f"(one shared {n}-gram) would remove {removed['drop']:,} rows; "
        f"without stock phrases it is {removed['separate']:,}. The setting here is `{setting}`. "
        f"A stock phrase is one that {facts['boilerplate_questions']} or more distinct questions "
        "of one source share, or a stock ending.",
        table(("benchmark", "source", f"plain {n}-grams", "uniform LaTeX", "whole", "real"), counts)
        if counts
        else "No row shares text with a benchmark.",
    ]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in facts["kinds"].items())
    if facts["hits"]:
        lines += [f"Removed: {kinds}. Examples; all are in `contamination.json`:", _hits(facts)]
    if facts["boilerplate_phrases"]:
        lines += [_phrases(facts)]
    return "\n\n".join(lines)


def _hits(facts: dict[str, Any]) -> str:
    shown = []
    for kind in facts["kinds"]:
        shown += [hit for hit in facts["hits"] if hit["kind"] == kind][:HITS]
    return table(
        ("kind", "benchmark", "row", "shared", "why"),
        [
            (
                hit["kind"],
                plain(f"{hit['dataset']} {hit['question_id']}"),
                plain(f"{hit['source_name']} {hit['row_id']}"),
                excerpt(hit["run"] or hit["row_text"], 120),
                hit["why"],
            )
            for hit in shown
        ],
    )


def _phrases(facts: dict[str, Any]) -> str:
    phrases = facts["boilerplate_phrases"]
    rows = [
        (excerpt(p["phrase"], 140), p["rule"], p["questions"] or None, p["rows_kept"])
        for p in phrases[:PHRASES]
    ]
    more = f" (first {PHRASES})" if len(phrases) > PHRASES else ""
    return (
        f"Kept although they share a stock phrase, {len(phrases):,} phrases{more}; `·` stands for "
        "a variable:\n\n" + table(("phrase", "rule", "questions of one source", "rows kept"), rows)
    )


def _duplicates(facts: dict[str, Any]) -> str:
    found = facts["duplicates"]
    dropped = found["exact"] + found["ngram"]
    if not dropped:
        return "None."
    rows = sorted(found["by_source"].items(), key=lambda item: (-item[1], item[0]))
    rows = [(plain(source), count) for source, count in rows]
    return (
        f"{found['clusters']:,} questions occur more than once; {dropped:,} rows go "
        f"({found['exact']:,} equal after spelling is made uniform, {found['ngram']:,} with most "
        "of the shorter question in shared n-grams). The plain rule would take "
        f"{facts['would_remove']['duplicate']['drop']:,}. The row that stays: AIME, GPQA, MATH "
        "before other sources, then labelled rows, then the longer trace.\n\n"
        + table(("source", "rows dropped"), rows)
    )


def _sources(sources: pl.DataFrame) -> str:
    columns = ["source_name", "pool", "paper_pool", "eligible", "selected", "paper"]
    note = ""
    unknown = sources.filter(~pl.col("source_name").is_in(list(NAMED_SOURCES)))["pool"].sum()
    if unknown:
        note = f"\n\n{unknown:,} rows come from none of the 16 named sources."
    header = ("source", "pool", "paper's pool", "eligible", _selected(sources), "paper's s1K")
    return table(header, _named(sources.select(columns))) + note


def _named(counts: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Rows whose first column is a name from the data."""
    return [(None if name is None else plain(str(name)), *rest) for name, *rest in counts.rows()]


def _selected(counts: pl.DataFrame) -> str:
    """Header of the column of selected rows, with the name of the main set."""
    name = counts["set"].first() if counts.height else None
    return f"selected by `{name}`" if name else "selected"


def _domains(evidence: Evidence) -> str:
    rows = evidence.domains.sort("selected", "domain", descending=[True, False])
    lines = [
        table(
            ("set", "domains", "entropy (bits)", "if even", "largest share", "smallest share"),
            [
                (name, b.domains, b.entropy, b.even, f"{b.largest:.1%}", f"{b.smallest:.2%}")
                for name, b in evidence.balances.items()
                if b is not None
            ],
        ),
        table(
            ("domain", "pool", "eligible", _selected(evidence.domains), "paper's s1K"),
            _named(rows.select("domain", "pool", "eligible", "selected", "paper").head(DOMAINS)),
        ),
    ]
    if rows.height > DOMAINS:
        lines.append(f"{rows.height - DOMAINS:,} more in `domains.csv`.")
    return "\n\n".join(lines)


def _lengths(evidence: Evidence) -> str:
    lines = []
    if evidence.sets:
        lines.append(
            table(
                ("set", "rows", "tokens", "mean", "median", "shortest", "longest"),
                [
                    (
                        name,
                        frame.height,
                        frame["tokens"].sum(),
                        frame["tokens"].mean(),
                        frame["tokens"].median(),
                        frame["tokens"].min(),
                        frame["tokens"].max(),
                    )
                    for name, frame in evidence.sets.items()
                ],
            )
        )
    if evidence.shift is not None and evidence.shift.height:
        shift = evidence.shift.head(DOMAINS)
        columns = ("domain", "rows", "eligible", "selected_rows", "selected", "ratio")
        header = ("domain", "eligible rows", "mean characters", "selected", "mean", "ratio")
        main = next(iter(evidence.sets), "")
        lines += [
            f"Trace length by domain, `{main}` against eligible rows:",
            table(header, _named(shift.select(columns))),
        ]
    if evidence.correlation_rows:
        lines += [
            f"Rank correlations (Spearman) over {evidence.correlation_rows:,} rows with a label:",
            table(("", "", "rho"), evidence.correlations.rows()),
        ]
    return "\n\n".join(lines)


def _chosen(sets: Mapping[str, pl.DataFrame]) -> str:
    if not sets:
        return ""
    name, frame = next(iter(sets.items()))
    phases = frame.group_by("phase", maintain_order=True).len().rows()
    lines = [f"`{name}`: " + ", ".join(f"{count:,} {phase}" for phase, count in phases) + "."]
    for phase, _ in phases:
        for row in frame.filter(pl.col("phase") == phase).head(EXAMPLES).iter_rows(named=True):
            why = json.loads(row["explanation"])
            del why["phase"]
            facts = ", ".join(f"{key.replace('_', ' ')} {_short(v)}" for key, v in why.items())
            lines.append(
                f"- draw {row['draw']}, {plain(row['source_name'])}, {row['tokens']:,} tokens: "
                f"{excerpt(row['question'])}  \n  {phase}: {facts}"
            )
    return "\n".join([lines[0], "", *lines[1:]])


def _short(value: Any) -> str:
    if isinstance(value, list):
        value = "; ".join(f"{entry['row_id']} ({entry['tokens']:,})" for entry in value) or "none"
    return plain(str(value))


def _dropped(dropped: pl.DataFrame) -> str:
    first = dropped.group_by("stage", "reason", maintain_order=True).first()
    rows = [
        (row["stage"], row["reason"], plain(row["row_id"]), excerpt(row["question"], 110))
        for row in first.sort("stage", "reason").iter_rows(named=True)
    ]
    return table(("stage", "reason", "row", "question"), rows) if rows else "No row was dropped."
