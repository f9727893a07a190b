"""The headline figure: mean thinking tokens (log axis) against accuracy, one panel a benchmark."""

from typing import Any

import polars as pl
from plotnine import (
    aes,
    facet_wrap,
    geom_blank,
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
    scale_x_log10,
    scale_y_continuous,
)

from workflow_scripts.analysis.contrasts import TRAIN
from workflow_scripts.analysis.tables import FORCED, NATURAL, PLAIN, TRUNCATED
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting.labels import Panel, placed
from workflow_scripts.reporting.links import links
from workflow_scripts.reporting.naming import percent, series_order, titled, wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, INK, LINES, SHAPES, look, saying, scheme

PANEL_WIDTH, PANEL_HEIGHT = 3.6, 3.4
LABEL_SIZE = 7.0
LEAST_TOKENS = 1.0  # a log axis has no place for runs that do not think at all
X_MARGIN, Y_MARGIN = 0.10, 6.0
MOST_ROWS = 3  # models beside the base in one figure; of more the focus alone is drawn here


def trained_models(points: pl.DataFrame, base: str | None) -> list[str]:
    """Models that get panels of their own: all but the base, or all when that is everything."""
    names = points["model"].unique(maintain_order=True).to_list()
    return [name for name in names if name != base] or names


def focus_of(points: pl.DataFrame, base: str | None, focus: str | None) -> str:
    """The model that a figure of one model is about: the study's focus, else the first but base."""
    return focus if focus in set(points["model"]) and focus else trained_models(points, base)[0]


def in_focus(points: pl.DataFrame, base: str | None, focus: str | None) -> pl.DataFrame:
    """Points of models that one figure can hold: all of a few, of many the focus and its base."""
    if len(trained_models(points, base)) <= MOST_ROWS:
        return points
    own = focus_of(points, base, focus)
    return points.filter(pl.col("model").is_in([own, base or own]))


def counted(points: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Points whose thinking tokens are known, and a sentence on the models that have none."""
    known = points.filter(pl.col("mean_thinking_tokens").is_not_null())
    titles = points["model_title"].unique(maintain_order=True).to_list()
    absent = [title for title in titles if title not in set(known["model_title"])]
    told = f"Not drawn, as nobody counted its tokens: {', '.join(absent)}." if absent else ""
    return known, told


def scaling_plot(
    points: pl.DataFrame,
    base: str | None,
    focus: str | None = None,
    contrasts: pl.DataFrame | None = None,
) -> ggplot:
    """The scatter over thinking tokens, the base model in grey; of many models the focus alone.

    contrasts  of the study: where they have the base at its best form, a line marks it
    """
    points, uncounted = counted(in_focus(points, base, focus))
    if points.is_empty():
        return saying(uncounted)
    told = _caption(points, base, not scaling_data(points, base).filter("is_base").is_empty())
    best = best_lines(scaling_data(points, base), contrasts)
    told += "" if best.is_empty() else f" {BEST_LINE}"
    told += f" {uncounted}" if uncounted else ""
    return scatter(points, base, "Mean thinking tokens (log scale)", told, best)


UNMEASURED = "Whole responses alone: how long they were thought about was not measured."
BEST_LINE = "Grey line: the base at its best form, chosen on the other half of the questions."


def best_lines(shown: pl.DataFrame, contrasts: pl.DataFrame | None) -> pl.DataFrame:
    """`panel` and `percent` of the base at its best form, where it has several."""
    empty = pl.DataFrame(schema={"panel": pl.String, "percent": pl.Float64})
    if contrasts is None:
        return empty
    own = shown.filter(~pl.col("is_base")).select("panel", "model", "dataset").unique()
    trained = contrasts.filter(pl.col("from_forms") != "", estimand=TRAIN)
    found = own.with_columns(pl.col("panel").cast(pl.String)).join(trained, on=["model", "dataset"])
    return pl.concat([empty, found.select("panel", percent=100 * pl.col("accuracy_from"))])


def scatter(
    points: pl.DataFrame,
    base: str | None,
    below: str,
    caption: str,
    best: pl.DataFrame | None = None,
) -> ggplot:
    """A panel per benchmark. Colour and shape by method; the base in grey; Wilson intervals.

    below  what stands under the axis of `mean_thinking_tokens`
    best   of `best_lines`
    """
    focus = trained_models(points, base)
    shown = scaling_data(points, base)
    drawn = shown.filter(~pl.col("is_base"))
    if drawn.is_empty():
        return saying(UNMEASURED)
    names = series_order(drawn)
    ends = drawn.filter(NATURAL)
    rows, columns = len(focus), points["dataset"].n_unique()
    background = shown.filter("is_base")
    limits = _limits(shown)
    return (
        ggplot(drawn.to_pandas(), aes("mean_thinking_tokens", "percent"))
        + geom_blank(aes(y="y"), data=limits.to_pandas())
        + geom_hline(
            aes(yintercept="chance_percent"),
            data=_chance(shown).to_pandas(),
            linetype="dotted",
            color=GREY,
        )
        + _best_layers(best, drawn.schema["panel"])
        + _base_layers(background)
        + geom_linerange(aes(ymin="low", ymax="high", color="series"), alpha=0.35, size=0.8)
        + geom_line(
            aes(color="series", linetype="series", group="series"),
            data=_lines(drawn).to_pandas(),
            size=0.8,
        )
        + geom_vline(
            aes(xintercept="mean_thinking_tokens"),
            data=ends.to_pandas(),
            linetype="dotted",
            color=GREY,
        )
        + geom_point(aes(color="series", shape="series"), size=2.4, fill="white")
        + geom_point(data=ends.to_pandas(), color=INK, size=3.2)
        + geom_text(
            aes("x", "y", label="label"),
            data=_labels(drawn, background, limits).to_pandas(),
            size=LABEL_SIZE,
            color=INK,
        )
        + links(shown.with_columns(pl.col("panel").cast(drawn.schema["panel"])), told)
        + facet_wrap("panel", ncol=columns, scales="free_y")
        + scale_x_log10(
            breaks=breaks(shown["mean_thinking_tokens"]),
            minor_breaks=[],
            labels=lambda xs: [f"{x:,.0f}" for x in xs],
        )
        + scale_y_continuous(expand=(0, 0))
        + scale_color_manual(values=scheme(names, COLOURS), breaks=names)
        + scale_shape_manual(values=scheme(names, SHAPES), breaks=names)
        + scale_linetype_manual(values=scheme(names, LINES), breaks=names, guide=None)
        + guides(color=guide_legend(nrow=1), shape=guide_legend(nrow=1))
        + labs(
            x=below,
            y="Accuracy (%)",
            caption=wrapped(caption, PANEL_WIDTH * columns - 0.7),
        )
        + look(PANEL_WIDTH * columns, (PANEL_HEIGHT + 0.2) * rows + 1.3)
    )


def told(row: dict[str, Any]) -> str:
    """A cell in words: 'Demo base + 1K, Demo math, Truncation at 16: 18 %'."""
    names = f"{row['model_title']}, {row['dataset_title']}, {row['title']} at {row['budget']}"
    return f"{names}: {percent(row['accuracy'], 0)}"


def scaling_data(points: pl.DataFrame, base: str | None) -> pl.DataFrame:
    """Points that are drawn, in percent, with their panel.

    Forcing at the infinite budget alone (below it forcing is mostly truncation); of the base model
    truncation and natural end. Responses in a model's own form are not: what they reason stands in
    the answer, so that thinking tokens say nothing of them.
    """
    shown = _panels(titled(points), trained_models(points, base), base)
    early = FORCED & (pl.col("budget") != INFINITE)
    left = shown.filter(~early & ~pl.col("response") & (~pl.col("is_base") | PLAIN))
    series = left["series"].cast(pl.String)
    return left.with_columns(series.cast(pl.Enum(series.unique(maintain_order=True))))


def _lines(drawn: pl.DataFrame) -> pl.DataFrame:
    """What lines join: truncation's budgets, and a phrase's n from the natural end on."""
    force = drawn.filter(FORCED)
    starts = drawn.filter(NATURAL).drop("series")
    starts = starts.join(force.select("panel", "series").unique(maintain_order=True), on="panel")
    cut = drawn.filter(TRUNCATED)
    lines = pl.concat([cut, starts.select(drawn.columns), force])
    return lines.sort("panel", "series", "mean_thinking_tokens", maintain_order=True)


def _panels(points: pl.DataFrame, focus: list[str], base: str | None) -> pl.DataFrame:
    """Points in percent, repeated for the base model in every focus model's row of panels."""
    parts = []
    sizes = points.group_by("dataset", maintain_order=True).agg(n=pl.col("questions").max())
    sizes = sizes.with_columns(size=pl.format("n = {}", "n"))
    points = points.join(sizes, on="dataset", maintain_order="left")
    for model in focus:
        title = points.filter(pl.col("model") == model)["model_title"][0]
        part = points.filter(pl.col("model").is_in([model, base or model]))
        head = pl.col("dataset_title")
        if len(focus) > 1:
            head = pl.concat_str(pl.lit(title), "dataset_title", separator=" · ")
        panel = pl.concat_str(head, "size", separator=", ")
        parts.append(part.with_columns(panel=panel, is_base=pl.col("model") != model))
    shown = pl.concat(parts).with_columns(
        mean_thinking_tokens=pl.col("mean_thinking_tokens").clip(LEAST_TOKENS),
        percent=100 * pl.col("accuracy"),
        low=100 * pl.col("ci_low"),
        high=100 * pl.col("ci_high"),
        chance_percent=100 * pl.col("chance"),
    )
    order = shown["panel"].unique(maintain_order=True).to_list()
    series = shown["series"].unique(maintain_order=True).to_list()
    return shown.with_columns(
        pl.col("panel").cast(pl.Enum(order)),
        pl.col("series").cast(pl.Enum(series)),
        truncated=TRUNCATED,
    )


def _best_layers(best: pl.DataFrame | None, panel: pl.DataType) -> list[Any]:
    if best is None or best.is_empty():
        return []
    data = best.with_columns(pl.col("panel").cast(panel)).to_pandas()
    return [geom_hline(aes(yintercept="percent"), data=data, color=GREY, size=0.5)]


def _base_layers(background: pl.DataFrame) -> list[Any]:
    """The base model: a grey curve through its capped runs, hollow points."""
    frame = background.to_pandas()
    line = background.filter(TRUNCATED).to_pandas()
    return [
        geom_linerange(aes(ymin="low", ymax="high"), data=frame, color=GREY, alpha=0.25, size=0.7),
        geom_line(data=line, color=GREY, size=0.6, linetype="dashed"),
        geom_point(data=frame, color=GREY, fill="white", shape="o", size=1.7),
    ]


def _limits(shown: pl.DataFrame) -> pl.DataFrame:
    """Corners of every panel: the same accuracy range for one benchmark in all rows."""
    top = pl.min_horizontal(pl.lit(104.0), pl.col("high").max() + Y_MARGIN)
    low = pl.col("low").min() - Y_MARGIN
    spans = shown.group_by("dataset").agg(top=top, bottom=low.clip(-4.0))
    panels = shown.select("panel", "dataset").unique(maintain_order=True).join(spans, on="dataset")
    tokens = shown["mean_thinking_tokens"].to_numpy()
    factor = 10**X_MARGIN
    corner = panels.select("panel", y="bottom", mean_thinking_tokens=pl.lit(tokens.min() / factor))
    other = panels.select("panel", y="top", mean_thinking_tokens=pl.lit(tokens.max() * factor))
    return pl.concat([corner, other])


def _chance(shown: pl.DataFrame) -> pl.DataFrame:
    chance = shown.select("panel", "chance_percent").unique(maintain_order=True)
    return chance.filter(pl.col("chance_percent") >= 1)


def _labels(drawn: pl.DataFrame, background: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """Budgets along truncation and n beside forced cells, wherever a free place is left."""
    spots = pl.concat([_lines(drawn), drawn, background], how="vertical").with_columns(
        pl.col("panel", "series").cast(pl.String),
        tokens=pl.col("mean_thinking_tokens").log10(),
    )
    told = pl.Series([_text(row) for row in drawn.iter_rows(named=True)], dtype=pl.String)
    nothing = pl.Series([""] * (spots.height - drawn.height), dtype=pl.String)
    before = spots.height - drawn.height - background.height
    label = pl.concat([nothing[:before], told, nothing[before:]])
    spots = spots.with_columns(label=label)
    parts = []
    for (panel,), part in spots.group_by("panel", maintain_order=True):
        corners = limits.filter(pl.col("panel") == panel)
        x = corners["mean_thinking_tokens"].log10().to_numpy()
        y = corners["y"].to_numpy()
        box = Panel(x.min(), x.max(), y.min(), y.max(), PANEL_WIDTH - 0.6, PANEL_HEIGHT - 0.4)
        parts.append(placed(part, "panel", ("tokens", "percent", "low", "high"), box, LABEL_SIZE))
    return pl.concat(parts).with_columns(
        pl.col("panel").cast(drawn.schema["panel"]), x=pl.lit(10.0).pow("x")
    )


def _text(row: dict[str, object]) -> str:
    if row["truncated"]:
        return "" if row["budget"] == INFINITE else f"{int(str(row['budget'])):,}"
    if row["forced"] and row["budget"] == INFINITE:
        return f"×{row['n']}"
    return ""


GUESSING = "Horizontal dotted line: guessing."


def breaks(lengths: pl.Series) -> list[float]:
    """Axis marks at 1, 2 and 5 times powers of ten, thinned to at most six."""
    tokens = lengths.to_numpy()
    low, high = float(tokens.min()), float(tokens.max())
    marks = [float(m * 10**e) for e in range(7) for m in (1, 2, 5)]
    marks = [mark for mark in marks if low * 0.8 <= mark <= high * 1.25]
    if len(marks) < 2:
        return sorted({low, high})
    return marks if len(marks) <= 6 else marks[:: -(-len(marks) // 6)]


def _caption(points: pl.DataFrame, base: str | None, drawn: bool) -> str:
    parts = [
        "Vertical bars: Wilson 95 % intervals. Numbers on the truncation curve are budgets in "
        "thinking tokens; ×n is the number of continuations, at the infinite budget alone. "
        "Black dot and dotted line: the natural end."
    ]
    if base and drawn:
        title = points.filter(pl.col("model") == base)["model_title"][0]
        parts.append(f"Grey: {title}, truncation (dashed) and natural end.")
    if (points["chance"] >= 0.01).any():
        parts.append(GUESSING)
    return " ".join(parts)
