"""When the answers along a chain are right, and what the best budget for each would give."""

from typing import Any

import polars as pl
from plotnine import (
    aes,
    facet_wrap,
    geom_col,
    geom_hline,
    geom_line,
    geom_point,
    geom_step,
    geom_text,
    ggplot,
    guide_legend,
    guides,
    labs,
    scale_color_manual,
    scale_fill_manual,
    scale_linetype_manual,
    scale_shape_manual,
    scale_x_continuous,
    scale_y_continuous,
)

from workflow_scripts.analysis.answer_path import BUDGETS, PROBES, oracle
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting.labels import Panel, placed
from workflow_scripts.reporting.naming import wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, INK, look, saying

PANEL_WIDTH, PANEL_HEIGHT, LABEL_SIZE = 3.3, 2.9, 7.0
MOST_LABELS = 8  # budgets named on an axis
NATURAL_END = "end"
SHOWN = {
    "settled": "right from here on",
    "fleeting": "right, wrong at a larger budget",
    "lost": "wrong, was right before",
    "waiting": "not right yet",
    "unsolved": "right at no budget",
}
FILLS = dict(
    zip(SHOWN.values(), (COLOURS[0], COLOURS[5], COLOURS[1], "#bdbdbd", "#e6e6e6"), strict=True)
)
UNIFORM, BEST, STOP = "one budget for all", "each its smallest sufficient", "stop at k equal probes"
SERIES = (UNIFORM, BEST, STOP)


def finest(curves: pl.DataFrame, model: str) -> pl.DataFrame:
    """The curves of one model that have numbers, on one grid.

    Of the probes where every dataset has them, of as many draws as truncation.
    """
    whole = curves.filter((pl.col("model") == model) & (pl.col("note") == ""))
    draws = {
        name: dict(whole.filter(grid=name).select("dataset", "draws").unique().iter_rows())
        for name in (PROBES, BUDGETS)
    }
    probed = all(draws[PROBES].get(name, 0) >= count for name, count in draws[BUDGETS].items())
    return whole.filter(grid=PROBES if probed else BUDGETS)


def answers_data(points: pl.DataFrame, curves: pl.DataFrame, model: str) -> pl.DataFrame:
    """dataset_title, x, budget ("end": the natural end), state, percent, flipped (percent).

    x is the place of a budget among the budgets, and the number of tokens of probes. The five
    states of a budget sum to 100.
    """
    rows = finest(curves, model)
    budget = pl.when(pl.col("budget") == INFINITE).then(pl.lit(NATURAL_END)).otherwise("budget")
    every = pl.col("budget").first().over("dataset").cast(pl.Int64)
    place = pl.int_range(1, pl.len() + 1).over("dataset")
    rows = rows.with_columns(
        x=pl.when(pl.col("grid") == PROBES).then(place * every).otherwise(place),
        budget=budget,
        flipped=100 * pl.col("flipped"),
    )
    long = rows.join(_titles(points), on="dataset", maintain_order="left").unpivot(
        on=list(SHOWN),
        index=["dataset_title", "x", "budget", "flipped"],
        variable_name="state",
        value_name="percent",
    )
    named = long.with_columns(pl.col("state").replace_strict(SHOWN), pl.col("percent") * 100)
    kept = named.select("dataset_title", "x", "budget", "state", "percent", "flipped")
    return kept.sort("dataset_title", "x", maintain_order=True)


def answers_plot(points: pl.DataFrame, curves: pl.DataFrame, model: str) -> ggplot:
    """Stacked bars over the budgets, a panel per benchmark."""
    data = answers_data(points, curves, model)
    if data.is_empty():
        return _nothing()
    titles = [t for t in _titles(points)["dataset_title"] if t in set(data["dataset_title"])]
    axis = data.unique("x", maintain_order=True).sort("x")
    probed = axis["x"][0] > 1 or axis.height > 2 * MOST_LABELS
    named: dict[str, Any] = {"labels": lambda xs: [f"{x:,.0f}" for x in xs]}
    if not probed:
        named = {"breaks": axis["x"].to_list(), "labels": axis["budget"].to_list()}
    columns = min(3, len(titles))
    shown = data.with_columns(
        pl.col("state").cast(pl.Enum(list(FILLS)[::-1])),
        pl.col("dataset_title").cast(pl.Enum(titles)),
    )
    line = shown.unique(["dataset_title", "x"], maintain_order=True)
    return (
        ggplot(shown.to_pandas(), aes("x", "percent", fill="state"))
        + geom_col(width=axis["x"][0] * (1.0 if probed else 0.85))
        + geom_line(
            aes("x", "flipped"), data=line.to_pandas(), inherit_aes=False, color=INK,
            linetype="dotted", size=0.9,
        )
        + facet_wrap("dataset_title", ncol=columns, scales="free_x" if probed else "fixed")
        + scale_x_continuous(minor_breaks=[], expand=(0.02, 0), **named)
        + scale_y_continuous(expand=(0, 0), limits=(0, 100.001))
        + scale_fill_manual(values=FILLS, breaks=list(FILLS))
        + guides(fill=guide_legend(nrow=2))
        + labs(
            x="Thinking cut at (tokens); the last bar is the natural end",
            y="Questions (%)",
            caption=wrapped(ANSWERS_CAPTION, PANEL_WIDTH * columns - 0.7),
        )
        + look(PANEL_WIDTH * columns, PANEL_HEIGHT * -(-len(titles) // columns) + 1.3)
    )  # fmt: skip


ANSWERS_CAPTION = (
    "The answer of each question when its own natural chain is cut at a budget. Dotted: questions "
    "that went from right to wrong or back twice or more up to there. What is right by luck at a "
    "small budget counts as right there."
)


def oracle_data(
    points: pl.DataFrame, path: pl.DataFrame, curves: pl.DataFrame, stops: pl.DataFrame, model: str
) -> pl.DataFrame:
    """dataset_title, series, tokens (mean thinking tokens), percent, label.

    Of the oracle a row per mean at which more chains are right; of the uniform budget a row per
    budget, of confidence stop one per k.
    """
    whole = finest(curves, model)
    parts = [
        whole.select(
            "dataset",
            series=pl.lit(UNIFORM),
            tokens="mean_tokens",
            percent=100 * pl.col("accuracy"),
            label=pl.when(pl.col("budget") == INFINITE)
            .then(pl.lit(NATURAL_END))
            .otherwise("budget"),
        )
    ]
    for dataset, grid in whole.select("dataset", "grid").unique(maintain_order=True).iter_rows():
        best = oracle(path.filter(model=model, dataset=dataset, grid=grid))
        steps = pl.DataFrame({"tokens": best.tokens, "percent": 100 * best.accuracy})
        parts.append(
            steps.unique("tokens", keep="last", maintain_order=True).select(
                dataset=pl.lit(dataset),
                series=pl.lit(BEST),
                tokens="tokens",
                percent="percent",
                label=pl.lit(""),
            )
        )
    own = stops.filter((pl.col("model") == model) & (pl.col("note") == ""))
    parts.append(
        own.select(
            "dataset",
            series=pl.lit(STOP),
            tokens="mean_tokens",
            percent=100 * pl.col("accuracy"),
            label=pl.format("k={}", "k"),
        )
    )
    rows = pl.concat(parts).join(_titles(points), on="dataset", maintain_order="left")
    return rows.select("dataset_title", "series", "tokens", "percent", "label")


def oracle_plot(
    points: pl.DataFrame, path: pl.DataFrame, curves: pl.DataFrame, stops: pl.DataFrame, model: str
) -> ggplot:
    """Accuracy against mean thinking tokens, a panel per benchmark; the dot is the natural end."""
    data = oracle_data(points, path, curves, stops, model)
    if data.is_empty():
        return _nothing()
    titles = [t for t in _titles(points)["dataset_title"] if t in set(data["dataset_title"])]
    kinds: dict[Any, Any] = {"dataset_title": pl.Enum(titles)}
    data = data.with_columns(label=_thinned())
    shown = data.cast(kinds)
    dots, ends = shown.filter(pl.col("label") != ""), shown.filter(pl.col("label") == NATURAL_END)
    columns = min(3, len(titles))
    high = max(1.0, *data["tokens"]) * 1.08
    box = Panel(0.0, high, -4.0, 104.0, PANEL_WIDTH - 0.6, PANEL_HEIGHT - 0.4)
    every = data.with_columns(low="percent", high="percent")
    text = placed(every, "dataset_title", ("tokens", "percent", "low", "high"), box, LABEL_SIZE)
    names = [name for name in SERIES if name in set(data["series"])]
    uniform, best = shown.filter(series=UNIFORM), shown.filter(series=BEST)
    stop = shown.filter(series=STOP).sort("dataset_title", "tokens")
    return (
        ggplot(uniform.to_pandas(), aes("tokens", "percent", color="series"))
        + geom_hline(
            aes(yintercept="percent"), data=ends.to_pandas(), color=GREY, linetype="dotted"
        )
        + geom_step(aes(linetype="series"), data=best.to_pandas(), size=0.9, direction="hv")
        + geom_line(aes(linetype="series"), size=0.9)
        + geom_line(aes(linetype="series"), data=stop.to_pandas(), size=0.7)
        + geom_point(aes(shape="series"), data=dots.to_pandas(), size=2.0, fill="white")
        + geom_point(data=ends.to_pandas(), color=INK, size=3.2)
        + geom_text(
            aes("x", "y", label="label"),
            data=text.cast(kinds).to_pandas(),
            size=LABEL_SIZE,
            color=INK,
        )
        + facet_wrap("dataset_title", ncol=columns)
        + scale_x_continuous(
            limits=(0, high), expand=(0, 0), labels=lambda xs: [f"{x:,.0f}" for x in xs]
        )
        + scale_y_continuous(limits=(-4, 104), breaks=[0, 25, 50, 75, 100], expand=(0, 0))
        + scale_color_manual(values=COLOURS[: len(names)], breaks=names, limits=names)
        + scale_shape_manual(values=["o", "s", "^"][: len(names)], breaks=names, limits=names)
        + scale_linetype_manual(
            values=["solid", "solid", "dashed"][: len(names)], breaks=names, limits=names
        )
        + labs(
            x="Mean thinking tokens",
            y="Accuracy (%)",
            caption=wrapped(ORACLE_CAPTION, PANEL_WIDTH * columns - 0.7),
        )
        + look(
            PANEL_WIDTH * columns,
            PANEL_HEIGHT * -(-len(titles) // columns) + 1.2,
            panel_spacing_x=0.025,
        )
    )


ORACLE_CAPTION = (
    "One budget for all questions (labelled) against each question stopped at its own smallest "
    "sufficient budget, the others at the smallest of all: a ceiling that needs to know the gold "
    "answers, answers right by luck among them. Dot and dotted line: the natural end."
)


def _thinned() -> pl.Expr:
    """The labels of few budgets or stops; of many the natural end and k = 1, 2, 4, 8, ..."""
    few = pl.len().over("dataset_title", "series") <= MOST_LABELS
    doubled = pl.col("label").is_in([f"k={2**i}" for i in range(16)])
    kept = few | doubled | (pl.col("label") == NATURAL_END)
    return pl.when(kept).then("label").otherwise(pl.lit(""))


def _titles(points: pl.DataFrame) -> pl.DataFrame:
    return points.select("dataset", "dataset_title").unique(maintain_order=True)


def _nothing() -> ggplot:
    return saying("no chain was cut at a budget in this study")
