"""What each added continuation does: accuracy minus natural end, against thinking tokens."""

from typing import Any

import polars as pl
from plotnine import (
    aes,
    facet_wrap,
    geom_hline,
    geom_line,
    geom_linerange,
    geom_point,
    geom_text,
    ggplot,
    labs,
    scale_color_manual,
    scale_linetype_manual,
    scale_shape_manual,
    scale_x_continuous,
    scale_y_continuous,
)

from workflow_scripts.analysis.contrasts import EXTEND
from workflow_scripts.reporting.figure_scaling import focus_of
from workflow_scripts.reporting.labels import Panel, placed
from workflow_scripts.reporting.links import links
from workflow_scripts.reporting.naming import series_order, signed, titled, wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, INK, LINES, SHAPES, look, saying, scheme

PANEL_WIDTH, PANEL_HEIGHT = 3.4, 3.0
LABEL_SIZE = 7.0
MARGIN = 0.09  # of an axis, for labels beyond the outermost points
DATA: dict[Any, Any] = {
    "model": pl.String, "dataset": pl.String, "method": pl.String, "budget": pl.String,
    "dataset_title": pl.String, "series": pl.String, "n": pl.Int64, "tokens": pl.Float64,
    "difference": pl.Float64, "low": pl.Float64, "high": pl.Float64, "label": pl.String,
}  # fmt: skip


def forcing_data(points: pl.DataFrame, contrasts: pl.DataFrame, model: str) -> pl.DataFrame:
    """A row per phrase and n, and one at n = 0 for the natural end that each phrase starts from.

    tokens is the mean number of thinking tokens; difference, low and high are in points; label
    tells n with how many questions became right and wrong; model to budget name the cell.
    """
    own = titled(points.filter(pl.col("model") == model))
    cells = own.select(
        "dataset", "dataset_title", "method", "budget", "series", tokens="mean_thinking_tokens"
    )
    starts = own.select(
        "dataset", from_method="method", from_budget="budget", start="mean_thinking_tokens"
    )
    rows = (
        contrasts.filter(
            pl.col("estimand") == EXTEND,
            pl.col("model") == model,
            pl.col("difference").is_not_null(),
        )
        .join(cells, on=["dataset", "method", "budget"], maintain_order="left")
        .join(starts, on=["dataset", "from_method", "from_budget"], maintain_order="left")
    )
    after = rows.select(
        *("model", "dataset", "method", "budget", "dataset_title"),
        "series",
        pl.col("n").cast(pl.Int64),
        "tokens",
        "difference",
        low="difference_low",
        high="difference_high",
        label=pl.format("×{}  +{}/−{}", "n", "gained", "lost"),
    )
    zero = pl.lit(0.0)
    before = rows.unique(["dataset_title", "series"], maintain_order=True).select(
        "model",
        "dataset",
        pl.col("from_method").alias("method"),
        pl.col("from_budget").alias("budget"),
        "dataset_title",
        "series",
        n=pl.lit(0, pl.Int64),
        tokens="start",
        difference=zero,
        low=zero,
        high=zero,
        label=pl.lit(""),
    )
    both = pl.concat([before.cast(DATA), after.cast(DATA)])
    return both.sort("dataset_title", "series", "n", maintain_order=True)


def forcing_plot(
    points: pl.DataFrame, contrasts: pl.DataFrame, base: str | None, focus: str | None = None
) -> ggplot:
    """A panel per benchmark, a line per phrase from the natural end, the same axes in all."""
    model = focus_of(points, base, focus)
    data = forcing_data(points, contrasts, model)
    if data.is_empty():
        return saying("no forcing in this study")
    own = points.filter(pl.col("model") == model)
    datasets = own["dataset_title"].unique(maintain_order=True).to_list()
    datasets = [title for title in datasets if title in set(data["dataset_title"])]
    names = series_order(own)  # the same colours and shapes as in every other figure
    phrases = [name for name in names if name in set(data["series"])]
    box = _box(data)
    text = placed(data, "dataset_title", ("tokens", "difference", "low", "high"), box, LABEL_SIZE)
    kinds: dict[Any, Any] = {"dataset_title": pl.Enum(datasets), "series": pl.Enum(phrases)}
    shown = data.cast(kinds)
    after = shown.filter(pl.col("n") > 0)
    columns = min(3, len(datasets))
    return (
        ggplot(shown.to_pandas(), aes("tokens", "difference", color="series"))
        + geom_hline(yintercept=0, color=GREY, size=0.4)
        + geom_linerange(aes(ymin="low", ymax="high"), data=after.to_pandas(), alpha=0.45, size=0.8)
        + geom_line(aes(linetype="series"), size=0.8)
        + geom_point(aes(shape="series"), data=after.to_pandas(), size=2.4, fill="white")
        + geom_point(data=shown.filter(pl.col("n") == 0).to_pandas(), color=INK, size=3.2)
        + geom_text(
            aes("x", "y", label="label"),
            data=text.cast({"dataset_title": kinds["dataset_title"]}).to_pandas(),
            size=LABEL_SIZE,
            color=INK,
        )
        + links(shown.unique(["dataset", "method"], maintain_order=True), _told)
        + facet_wrap("dataset_title", ncol=columns)
        + scale_x_continuous(
            limits=(box.x_low, box.x_high),
            expand=(0, 0),
            labels=lambda xs: [f"{x:,.0f}" for x in xs],
        )
        + scale_y_continuous(limits=(box.y_low, box.y_high), expand=(0, 0))
        + scale_color_manual(values=scheme(names, COLOURS), breaks=phrases)
        + scale_shape_manual(values=scheme(names, SHAPES), breaks=phrases)
        + scale_linetype_manual(values=scheme(names, LINES), breaks=phrases)
        + labs(
            x="Mean thinking tokens",
            y="Accuracy minus natural end\n(percentage points)",
            caption=wrapped(_caption(own), PANEL_WIDTH * columns - 0.7),
        )
        + look(PANEL_WIDTH * columns, (PANEL_HEIGHT + 0.3) * -(-len(datasets) // 3) + 1.0)
    )


def _told(row: dict[str, Any]) -> str:
    """A point in words."""
    if not row["n"]:
        return f"{row['dataset_title']}, natural end"
    what = f"{row['series']} ×{row['n']}: {signed(row['difference'], 0)} points"
    return f"{row['dataset_title']}, {what}"


def _box(data: pl.DataFrame) -> Panel:
    """The limits of all panels, with room for labels."""
    low, high = min(0.0, *data["low"]), max(0.0, *data["high"])
    right = max(1.0, *data["tokens"]) * (1 + 2 * MARGIN)
    room = MARGIN * max(high - low, 1.0)
    return Panel(0.0, right, low - room, high + room, PANEL_WIDTH - 0.5, PANEL_HEIGHT - 0.3)


def _caption(own: pl.DataFrame) -> str:
    return (
        f"{own['model_title'][0]}, infinite budget. The dot is the natural end; ×n: n phrases "
        "spliced in, with the questions that became right and wrong (+/−) against the natural end. "
        "Bars: 95 % intervals of paired differences."
    )
