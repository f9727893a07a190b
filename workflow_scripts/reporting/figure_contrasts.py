"""The lead figure: accuracy minus natural end against thinking relative to the natural end."""

from typing import Any, cast

import polars as pl
from plotnine import (
    aes,
    annotate,
    facet_wrap,
    geom_hline,
    geom_line,
    geom_linerange,
    geom_point,
    geom_text,
    geom_vline,
    ggplot,
    guide_legend,
    guides,
    labs,
    scale_color_manual,
    scale_linetype_manual,
    scale_shape_manual,
    scale_x_continuous,
    scale_y_continuous,
)

from workflow_scripts.analysis.contrasts import CUT, EXTEND, PROMPT
from workflow_scripts.reporting.labels import Panel, placed
from workflow_scripts.reporting.links import links
from workflow_scripts.reporting.naming import count, series_order, signed, titled, wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, INK, LINES, SHAPES, look, saying, scheme

PANEL_WIDTH, PANEL_HEIGHT = 3.6, 3.3
LEAST_RATIO = 1 / 64
LABEL_SIZE, ROOM = 7.0, 0.45  # points; doublings beyond the outermost points


def contrasts_data(points: pl.DataFrame, contrasts: pl.DataFrame, focus: str) -> pl.DataFrame:
    """What the figure draws: a row per contrast, and the natural end at (1, 0) of every line.

    panel, series, ratio (thinking over the natural end's), difference, low, high (points), label,
    and the cell: model, dataset, method, budget.
    """
    own = titled(points.filter(pl.col("model") == focus))
    names = own.select("dataset", "method", "budget", "series", "dataset_title").unique()
    shown = contrasts.filter(
        pl.col("estimand").is_in([CUT, EXTEND, PROMPT]),
        pl.col("model") == focus,
        pl.col("difference").is_not_null(),
        pl.col("token_ratio").is_not_null(),
    ).join(names, on=["dataset", "method", "budget"], how="left", maintain_order="left")
    label = (
        pl.when(pl.col("estimand") == CUT)
        .then(pl.col("budget"))
        .when(pl.col("estimand") == EXTEND)
        .then(pl.format("×{}", "n"))
        .otherwise(pl.lit(""))
    )
    cell = ["model", "dataset", "method", "budget"]
    columns = [*cell, "estimand", "series", "ratio", "difference", "low", "high", "label"]
    rows = shown.with_columns(
        ratio=pl.col("token_ratio").clip(LEAST_RATIO),
        low=pl.col("difference_low"),
        high=pl.col("difference_high"),
        label=label,
    )
    start = {"method": "from_method", "budget": "from_budget"}
    ends = (
        rows.filter(pl.col("estimand") != PROMPT)
        .select("model", "estimand", "dataset", "series", **start)
        .unique(maintain_order=True)
        .with_columns(
            **dict.fromkeys(("difference", "low", "high"), pl.lit(0.0)),
            ratio=pl.lit(1.0),
            label=pl.lit(""),
        )
    )
    panels = pl.DataFrame(
        {"dataset": dataset, "panel": text} for dataset, text in _heads(own, contrasts)
    )
    both = pl.concat([rows.select(columns), ends.select(columns)])
    if panels.is_empty() or both.is_empty():
        return both.with_columns(panel=pl.lit(""))
    return both.join(panels, on="dataset", how="left", maintain_order="left")


def _heads(own: pl.DataFrame, contrasts: pl.DataFrame) -> list[tuple[str, str]]:
    """Panel titles: 'Demo math' over 'natural end 73/100, 46 tokens'."""
    heads = []
    for (dataset,), part in own.group_by("dataset", maintain_order=True):
        from_cells = contrasts.filter(
            (pl.col("dataset") == dataset) & (pl.col("model") == own["model"][0])
        ).filter(pl.col("estimand").is_in([CUT, EXTEND, PROMPT]))
        if from_cells.is_empty():
            continue
        method, budget = from_cells.select("from_method", "from_budget").row(0)
        row = part.filter((pl.col("method") == method) & (pl.col("budget") == budget)).row(
            0, named=True
        )
        told = f"natural end {count(row['correct'])}/{row['questions']}"
        tokens = f"{row['mean_thinking_tokens']:,.0f} tokens"
        heads.append((str(dataset), f"{row['dataset_title']}\n{told}, {tokens}"))
    return heads


def contrasts_plot(points: pl.DataFrame, contrasts: pl.DataFrame, focus: str) -> ggplot:
    """A panel per benchmark: left of 1 it thinks less (cut), right of 1 longer (continued)."""
    data = contrasts_data(points, contrasts, focus)
    if data.is_empty():
        text = "No cell can be compared with a natural end."
        return saying(text)
    panels = data["panel"].unique(maintain_order=True).to_list()
    order = [dict.fromkeys(panels), series_order(points.filter(pl.col("model") == focus))]
    names = [name for name in order[1] if name in set(data["series"])]
    data = data.with_columns(
        pl.col("panel").cast(pl.Enum(list(order[0]))),
        pl.col("series").cast(pl.Enum(names)),
        pl.col("ratio").log(2).alias("doublings"),
    ).sort("series", "ratio")
    lines = data.filter(pl.col("estimand") != PROMPT)
    box, kind = _box(data), data.schema["panel"]
    text = placed(data, "panel", ("doublings", "difference", "low", "high"), box, LABEL_SIZE)
    dots = data.filter((pl.col("label") != "") | (pl.col("estimand") == PROMPT))
    colours = scheme(order[1], COLOURS)
    return (
        ggplot(lines.to_pandas(), aes("doublings", "difference", color="series"))
        + geom_hline(yintercept=0, color=GREY, size=0.4)
        + geom_vline(xintercept=0, color=GREY, linetype="dotted")
        + geom_linerange(aes(ymin="low", ymax="high"), data=dots.to_pandas(), alpha=0.45, size=0.8)
        + geom_line(aes(linetype="series"), size=0.8)
        + geom_point(aes(shape="series"), data=dots.to_pandas(), size=2.3, fill="white")
        + geom_text(
            aes("x", "y", label="label"),
            data=text.with_columns(pl.col("panel").cast(kind)).to_pandas(),
            size=LABEL_SIZE,
            color=INK,
        )
        + annotate("point", x=0, y=0, size=3.2, color=INK, fill=INK, shape="o")
        + links(data.unique(["panel", "method", "budget"], maintain_order=True), _told)
        + facet_wrap("panel", nrow=max(1, -(-len(panels) // 3)))
        + scale_x_continuous(
            breaks=_breaks(data),
            minor_breaks=[],
            labels=cast(Any, _ratios),
            limits=(box.x_low, box.x_high),
            expand=(0, 0),
        )
        + scale_y_continuous(limits=(box.y_low, box.y_high), expand=(0, 0))
        + scale_color_manual(values=colours, breaks=names)
        + scale_shape_manual(values=scheme(order[1], SHAPES), breaks=names)
        + scale_linetype_manual(values=scheme(order[1], LINES), breaks=names, guide=None)
        + guides(color=guide_legend(nrow=1), shape=guide_legend(nrow=1))
        + labs(
            x="← thinks less     thinking tokens relative to the natural end     thinks longer →",
            y="Accuracy minus natural end\n(percentage points, same questions)",
            caption=wrapped(CAPTION, PANEL_WIDTH * min(3, len(panels)) - 0.7),
        )
        + look(
            PANEL_WIDTH * min(3, len(panels)),
            (PANEL_HEIGHT + 0.2) * -(-len(panels) // 3) + 1.2,
        )
    )


def _told(row: dict[str, Any]) -> str:
    """A point in words: 'Demo math, Forcing "Wait" ×1: +27 points'."""
    title = row["panel"].splitlines()[0]
    if not row["label"] and row["estimand"] != PROMPT:
        return f"{title}, natural end"
    at = "at " if row["estimand"] == CUT else ""
    where = f"{row['series']} {at}{row['label']}".strip()
    return f"{title}, {where}: {signed(row['difference'], 0)} points"


CAPTION = (
    "The dot is the natural end: thinking as long as the model does unasked. To the left its "
    "traces are cut at the budgets named; to the right a phrase is spliced in n times (×n) at the "
    "infinite budget; class prompts stand alone. Bars: 95 % intervals of paired differences."
)


def _box(data: pl.DataFrame) -> Panel:
    """The limits of all panels, with room for labels."""
    left, right = min(0.0, *data["doublings"]) - ROOM, max(0.0, *data["doublings"]) + ROOM
    low, high = min(0.0, *data["low"]), max(0.0, *data["high"])
    room = 0.08 * max(high - low, 1.0)
    return Panel(left, right, low - room, high + room, PANEL_WIDTH - 0.5, PANEL_HEIGHT - 0.5)


def _breaks(data: pl.DataFrame) -> list[float]:
    low, high = data["doublings"].min(), data["doublings"].max()
    return [float(x) for x in range(-6, 8) if low - 0.3 <= x <= high + 0.3]  # type: ignore[operator]


def _ratios(doublings: list[float]) -> list[str]:
    return [f"{2**x:g}" if x >= 0 else f"1/{2**-x:g}" for x in doublings]
