"""Where the rows went: the funnel, and pool, eligible and selected rows by domain and by source."""

from collections.abc import Mapping

import polars as pl

from workflow_scripts.curation.pool_sources import UNKNOWN
from workflow_scripts.curation.published import FUNNEL, POOL_SOURCES, SET_SOURCES, set_domains
from workflow_scripts.curation.selectors import find_selector
from workflow_scripts.curation.stages import stage

# The quality filter's reasons by the question they answer; the paper counts after each.
GROUPS: dict[str, tuple[str, ...]] = {
    "completeness": (
        "missing-question",
        "api-error",
        "missing-trace",
        "missing-attempt",
        "no-solution",
        "missing-feature",
    ),
    "teacher": ("teacher-wrong", "teacher-unlabelled"),
}
FUNNEL_SCHEMA = {
    "stage": pl.String,
    "reason": pl.String,
    "removed": pl.Int64,
    "remaining": pl.Int64,
    "paper": pl.Int64,
}
NO_DOMAIN = "(none)"
OWN = 20  # sources of a user's own that are told apart


def group_of(reason: str) -> str:
    """Stage of the funnel that a reason of the quality filter belongs to."""
    return next((name for name, reasons in GROUPS.items() if reason in reasons), "format")


def eligible_rows(decisions: Mapping[str, pl.DataFrame], selector: str) -> pl.Series:
    """Ids of the rows that a selector chooses from: the hard ones, or all clean ones."""
    hard = find_selector(selector)[0].hard
    return decisions["difficulty" if hard else "decontamination"].filter("keep")["row_id"]


def funnel(
    rows: int, decisions: Mapping[str, pl.DataFrame], sets: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """One row per stage and reason, and one with reason "total" per stage that the paper counts by.

    `remaining` is what is left after the reason; `paper` is the published count, at totals only.
    A set's row tells how many of the rows that it chose from it left out; some sets choose from
    easy rows as well.
    """
    lines: list[tuple[str, str, int, int, int | None]] = [
        ("pool", "total", 0, rows, FUNNEL["pool"])
    ]
    left = rows
    for name, reasons in _staged(decisions).items():
        before = left
        for reason, count in reasons:
            left -= count
            lines.append((name, reason, count, left, None))
        lines.append((name, "total", before - left, left, FUNNEL.get(name)))
    for selector, frame in sets.items():
        entered = eligible_rows(decisions, selector).len()
        removed = max(0, entered - frame.height)
        lines.append(("selection", selector, removed, frame.height, FUNNEL.get(selector)))
    return pl.DataFrame(lines, schema=FUNNEL_SCHEMA, orient="row")


def _staged(decisions: Mapping[str, pl.DataFrame]) -> dict[str, list[tuple[str, int]]]:
    staged: dict[str, list[tuple[str, int]]] = {"completeness": [], "format": [], "teacher": []}
    for name, table in decisions.items():
        for reason, count in stage(name, table).dropped:
            key = group_of(reason) if name == "quality" else name
            staged.setdefault(key, []).append((reason, count))
        if name != "quality":
            staged.setdefault(name, [])
    return staged


def domain_table(
    labels: pl.DataFrame, eligible: pl.Series, sets: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Rows per domain: pool, eligible, selected (the first set), paper, then each further set.

    The column `set` names the first set.
    """
    labels = labels.with_columns(pl.col("domain").fill_null(NO_DOMAIN))
    filled = {k: f.with_columns(pl.col("domain").fill_null(NO_DOMAIN)) for k, f in sets.items()}
    return _table(labels, eligible, filled, "domain", set_domains())


def source_table(
    labels: pl.DataFrame, eligible: pl.Series, sets: Mapping[str, pl.DataFrame]
) -> pl.DataFrame:
    """Rows per source: pool, eligible, selected (the first set), paper (s1K), then further sets.

    `paper_pool` is the published count of the 59K pool. The column `set` names the first set.
    Sources that are none of the named ones stand under their own spelling, the largest of them.
    """
    own = labels.filter(pl.col("source_name") == UNKNOWN)["source"].value_counts(sort=True)
    shown = pl.lit(own.sort("count", "source", descending=[True, False])["source"].head(OWN))
    told = (pl.col("source_name") == UNKNOWN) & pl.col("source").is_in(shown.implode())
    label = pl.when(told).then("source").otherwise("source_name").alias("source_name")
    sets = {name: frame.with_columns(label) for name, frame in sets.items()}
    table = _table(labels.with_columns(label), eligible, sets, "source_name", SET_SOURCES)
    quoted = pl.col("source_name").replace_strict(POOL_SOURCES, default=None, return_dtype=pl.Int64)
    return table.with_columns(quoted.alias("paper_pool"))


def _table(
    labels: pl.DataFrame,
    eligible: pl.Series,
    sets: Mapping[str, pl.DataFrame],
    column: str,
    paper: Mapping[str, int],
) -> pl.DataFrame:
    chosen = labels.filter(pl.col("row_id").is_in(eligible.implode()))
    table = _count(labels, column, "pool").join(
        _count(chosen, column, "eligible"), on=column, how="left"
    )
    names = list(sets)
    for i, name in enumerate(names):
        alias = "selected" if i == 0 else f"selected_{name}"
        table = table.join(_count(sets[name], column, alias), on=column, how="left")
    if not names:
        table = table.with_columns(pl.lit(None, pl.Int64).alias("selected"))
    quoted = pl.DataFrame(
        {"key": [name.casefold() for name in paper], "paper": list(paper.values())},
        schema={"key": pl.String, "paper": pl.Int64},
    )
    table = table.with_columns(pl.col(column).str.to_lowercase().alias("key"))
    table = table.join(quoted, on="key", how="left").drop("key")
    counts = [name for name in table.columns if name.startswith(("eligible", "selected"))]
    table = table.with_columns(pl.col(counts).fill_null(0)) if names else table
    table = table.with_columns(pl.lit(names[0] if names else None, pl.String).alias("set"))
    first = [column, "pool", "eligible", "selected", "paper"]
    rest = [name for name in table.columns if name not in first]
    return table.sort("pool", column, descending=[True, False]).select(first + rest)


def _count(frame: pl.DataFrame, column: str, alias: str) -> pl.DataFrame:
    return frame.group_by(column).agg(pl.len().cast(pl.Int64).alias(alias))


def dropped_rows(decisions: Mapping[str, pl.DataFrame], labels: pl.DataFrame) -> pl.DataFrame:
    """Every row that a filter dropped: row id, stage, reason, evidence, source, question."""
    parts = [
        table.filter(~pl.col("keep")).select(
            "row_id", pl.lit(name).alias("stage"), "reason", "evidence"
        )
        for name, table in decisions.items()
    ]
    joined = pl.concat(parts).join(labels, on="row_id", how="left")
    return joined.sort("row_id").select(
        "row_id", "stage", "reason", "source_name", "domain", "question", "evidence"
    )
