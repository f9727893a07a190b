"""Forest plot of the key paired differences: what training, budget and continuations changed."""

from typing import Any

import polars as pl
from plotnine import (
    aes,
    coord_flip,
    element_text,
    facet_wrap,
    geom_hline,
    geom_linerange,
    geom_point,
    ggplot,
    labs,
    scale_fill_manual,
    scale_shape_manual,
)

from workflow_scripts.reporting.figure_scaling import trained_models
from workflow_scripts.reporting.naming import resolution_caption, titled, wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, look

RESOLVED, OPEN = "resolved after adjustment", "not resolved"


def effects_plot(points: pl.DataFrame, pairs: pl.DataFrame, base: str | None) -> ggplot:
    """A row per difference, a panel per benchmark; intervals are paired bootstrap."""
    names = dict(titled(points).select("method", "title").unique(maintain_order=True).iter_rows())
    titles = dict(points.select("model", "model_title").unique(maintain_order=True).iter_rows())
    focus = trained_models(points, base)[0]
    chosen = key_pairs(pairs, focus)
    rows = [
        {**row, "label": _label(row, names, titles)}
        for row in chosen.filter(pl.col("difference").is_not_null()).iter_rows(named=True)
    ]
    datasets = points.select("dataset", "dataset_title").unique(maintain_order=True)
    labels = list(dict.fromkeys(row["label"] for row in rows))
    shown = (
        pl.DataFrame(rows, infer_schema_length=None)
        .join(datasets, on="dataset", maintain_order="left")
        .with_columns(
            pl.col("label").cast(pl.Enum(labels[::-1])),
            pl.col("dataset_title").cast(pl.Enum(datasets["dataset_title"].to_list())),
            state=pl.when(pl.col("verdict").is_in(["better", "worse"]))
            .then(pl.lit(RESOLVED))
            .otherwise(pl.lit(OPEN)),
        )
    )
    note = f"From → to; {titles[focus]} unless models are named. Bars: paired bootstrap 95 %. "
    return (
        ggplot(shown.to_pandas(), aes("label", "difference"))
        + geom_hline(yintercept=0, color=GREY, linetype="dotted")
        + geom_linerange(aes(ymin="difference_low", ymax="difference_high"), color=COLOURS[0])
        + geom_point(aes(shape="state", fill="state"), size=2.3, color=COLOURS[0])
        + facet_wrap("dataset_title", nrow=1)
        + coord_flip()
        + scale_shape_manual(values={RESOLVED: "o", OPEN: "o"}, limits=[RESOLVED, OPEN])
        + scale_fill_manual(values={RESOLVED: COLOURS[0], OPEN: "#ffffff"}, limits=[RESOLVED, OPEN])
        + labs(
            x="",
            y="Difference in accuracy (percentage points)",
            caption=wrapped(note + resolution_caption(points), 2.8 * datasets.height + 0.2),
        )
        + look(
            2.8 * datasets.height + 2.6, 0.3 * len(labels) + 1.9, axis_text_y=element_text(size=8)
        )
    )


def key_pairs(pairs: pl.DataFrame, focus: str) -> pl.DataFrame:
    """Training and ablations at the natural end of all models; the rest of the focus model."""
    last = pl.col("budget_b") == "infinite"
    own = pl.col("model_b") == focus
    kind = pl.col("comparison")
    plain = pl.col("method_b") == "natural"
    if pairs.filter(plain).is_empty():
        plain = pl.col("method_b") == "truncation"
    wanted = (
        (kind.is_in(["training", "ablation"]) & plain & last)
        | ((kind == "budget") & own & (pl.col("method_b") == "truncation"))
        | (kind.is_in(["added-continuation", "phrase", "class-prompt"]) & own & last)
    )
    return pairs.filter(wanted & (pl.col("verdict") != "identical"))


def _label(row: dict[str, Any], names: dict[str, str], titles: dict[str, str]) -> str:
    if row["comparison"] in ("training", "ablation"):
        return f"{titles[row['model_a']]} → {titles[row['model_b']]}"
    if row["comparison"] == "budget":
        return f"{names[row['method_a']]}: {row['budget_a']} → {row['budget_b']}"
    return f"{names[row['method_a']]} → {names[row['method_b']]}"
