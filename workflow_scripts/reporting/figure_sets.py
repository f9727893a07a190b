"""Accuracy against the rows of the training set: a colour a selector, published sets in grey."""

from collections.abc import Mapping, Sequence
from math import inf, log10
from typing import Any

import numpy as np
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
    guide_legend,
    guides,
    labs,
    scale_color_manual,
    scale_shape_manual,
    scale_x_log10,
)

from workflow_scripts.analysis.contrasts import TRAIN
from workflow_scripts.analysis.tables import ALL
from workflow_scripts.reporting.naming import join, percent, wrapped
from workflow_scripts.reporting.published import SET_BENCHMARKS, published_sets
from workflow_scripts.reporting.style import COLOURS, GREY, INK, SHAPES, look, scheme

PANEL_WIDTH, PANEL_HEIGHT, COLUMNS = 3.3, 3.0, 2
APART = 0.035  # decades between selectors of equal size, so that their bars can be told apart
EDGE = 0.09  # of the span of rows, free at both ends: labels of two panels do not meet
NAME_HEIGHT = 3.4  # points of accuracy from one published name to the next
EVERY = "All benchmarks"
CAPTION = (
    "Natural end. Bars: {confidence} intervals over questions and training seeds{draws} (over "
    "questions alone where a set was trained once); selectors of equal size are moved apart. Small "
    "marks: single seeds. Dotted line: the base model at its best form.{published}"
)
DRAWN = ", of {arms} over draws of the rows too"
QUOTED = (
    " Grey: s1's ablations of Qwen2.5-32B-Instruct (arXiv 2501.19393, table 2), another base model "
    "and more questions."
)


def sets_data(table: pl.DataFrame, titles: Mapping[str, str]) -> pl.DataFrame:
    """A row per set and panel; x is its rows, moved apart from those of other selectors."""
    arms = table["arm"].unique(maintain_order=True).to_list()
    place = {arm: APART * (i - (len(arms) - 1) / 2) for i, arm in enumerate(arms)}
    moved = pl.col("rows").log10() + pl.col("arm").replace_strict(place, return_dtype=pl.Float64)
    panel = pl.when(pl.col("scope") == ALL).then(pl.lit(EVERY))
    return table.select(
        panel=panel.otherwise(pl.col("name").replace_strict(dict(titles), default=EVERY)),
        dataset="name",
        arm="arm",
        set="set",
        rows="rows",
        x=pl.lit(10.0).pow(moved),
        percent=100 * pl.col("accuracy"),
        low=100 * pl.col("ci_low"),
        high=100 * pl.col("ci_high"),
        by_seed="by_seed",
    )


def sets_plot(
    table: pl.DataFrame, points: pl.DataFrame, contrasts: pl.DataFrame, confidence: float
) -> ggplot:
    """One panel over all benchmarks and one for each; rows on a log axis."""
    titles = dict(points.select("dataset", "dataset_title").unique().iter_rows())
    data = sets_data(table, titles)
    panels = data["panel"].unique(maintain_order=True).to_list()
    arms = data["arm"].unique(maintain_order=True).to_list()
    kinds = {"panel": pl.Enum(panels), "arm": pl.Enum(arms)}
    shown = data.cast(kinds)  # type: ignore[arg-type]
    quoted = _quoted(titles).cast({"panel": pl.Enum(panels)})
    singles = _singles(shown)
    width = PANEL_WIDTH * min(COLUMNS, len(panels))
    plot = (
        ggplot(shown.to_pandas(), aes("x", "percent", color="arm", shape="arm"))
        + geom_hline(
            aes(yintercept="percent"),
            data=_base(contrasts, titles, panels).to_pandas(),
            color=INK,
            linetype="dotted",
            size=0.5,
        )
        + geom_line(aes(group="arm"), size=0.5, alpha=0.7)
        + geom_linerange(aes(ymin="low", ymax="high"), size=0.7)
        + geom_point(size=2.3)
        + geom_point(data=singles.to_pandas(), size=0.9, alpha=0.55)
        + scale_color_manual(values=scheme(arms, COLOURS))
        + scale_shape_manual(values=scheme(arms, SHAPES))
        + scale_x_log10(
            breaks=_breaks(shown, quoted), labels=_thousands, minor_breaks=[], expand=(EDGE, 0)
        )
        + facet_wrap("panel", ncol=COLUMNS)
        + guides(color=guide_legend(nrow=1 + (len(arms) - 1) // 6))
        + labs(
            x="Rows of the training set",
            y="Accuracy, %",
            caption=_caption(confidence, _drawn(table), quoted, width),
        )
    )
    lines = -(-len(panels) // COLUMNS)
    return plot + _published(quoted) + look(width, PANEL_HEIGHT * lines + 1.1)


def _singles(shown: pl.DataFrame) -> pl.DataFrame:
    """A row for each training seed of the sets with several."""
    each = shown.with_columns(pl.col("by_seed").str.split(" ")).explode("by_seed")
    several = pl.len().over("panel", "set") > 1
    return each.filter(several).with_columns(percent=pl.col("by_seed").cast(pl.Float64))


def _base(contrasts: pl.DataFrame, titles: Mapping[str, str], panels: list[str]) -> pl.DataFrame:
    """The accuracy before training, a panel each; none where it is not known of all benchmarks."""
    own = contrasts.filter(pl.col("estimand") == TRAIN).drop_nulls("accuracy_from")
    before = own.group_by("dataset", maintain_order=True).agg(pl.col("accuracy_from").first())
    rows = [(titles[name], 100 * value) for name, value in before.iter_rows()]
    if EVERY in panels and len(rows) == len(panels) - 1:
        rows.append((EVERY, float(np.mean([value for _, value in rows]))))
    frame = pl.DataFrame(rows, schema={"panel": pl.String, "percent": pl.Float64}, orient="row")
    return frame.filter(pl.col("panel").is_in(panels)).cast({"panel": pl.Enum(panels)})


def _quoted(titles: Mapping[str, str]) -> pl.DataFrame:
    """Published sets on this study's benchmarks; `y` is where the name stands, free of others."""
    rows = []
    for name in SET_BENCHMARKS:
        free: dict[int, float] = {}
        for label, size, value in sorted(published_sets(name), key=lambda own: own[2]):
            free[size] = max(value, free.get(size, -inf) + NAME_HEIGHT)
            rows += [(titles[name], label, size, value, free[size])] if name in titles else []
    kinds = {"panel": pl.String, "label": pl.String}
    kinds |= dict.fromkeys(("x", "percent", "y"), pl.Float64)
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _published(quoted: pl.DataFrame) -> list[Any]:
    """Layers of the published points, where a benchmark is the same."""
    if quoted.is_empty():
        return []
    frame = quoted.to_pandas()
    names = [
        geom_text(
            aes("x", "y", label="label"),
            data=quoted.filter(at_right == (pl.col("x") == quoted["x"].max())).to_pandas(),
            inherit_aes=False,
            color=GREY,
            size=6.0,
            ha="right" if at_right else "left",
            nudge_x=-0.05 if at_right else 0.05,
        )
        for at_right in (False, True)
    ]
    point = aes("x", "percent")
    return [
        geom_point(point, data=frame, inherit_aes=False, color=GREY, shape="x", size=1.8),
        *names,
    ]


def _breaks(shown: pl.DataFrame, quoted: pl.DataFrame) -> list[float]:
    """The sizes that there are; where they lie too close together, 1 and 3 times powers of ten."""
    sizes = sorted({*shown["rows"].cast(pl.Float64), *quoted["x"]})
    close = any(log10(b / a) < 0.12 for a, b in zip(sizes, sizes[1:], strict=False))
    if len(sizes) <= 6 and not close:
        return sizes
    marks = [m * 10.0**e for e in range(1, 7) for m in (1, 3)]
    kept = [mark for mark in marks if sizes[0] * 0.9 <= mark <= sizes[-1] * 1.1]
    return kept or [sizes[0]]


def _thousands(values: Sequence[Any]) -> list[str]:
    return [f"{value:,.0f}" for value in values]


def _drawn(table: pl.DataFrame) -> list[str]:
    """The selectors of which every training seed had a draw of its own."""
    return table.filter(pl.col("draws") > 1)["arm"].unique(maintain_order=True).to_list()


def _caption(confidence: float, drawn: list[str], quoted: pl.DataFrame, width: float) -> str:
    text = CAPTION.format(
        confidence=percent(confidence, 0),
        draws=DRAWN.format(arms=join(drawn)) if drawn else "",
        published="" if quoted.is_empty() else QUOTED,
    )
    return wrapped(text, width - 0.7)
