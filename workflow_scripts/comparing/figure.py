"""Differences between studies, a row a cell and a column a benchmark, with intervals."""

from collections.abc import Sequence

import polars as pl
from plotnine import (
    aes,
    coord_flip,
    element_text,
    facet_grid,
    geom_hline,
    geom_linerange,
    geom_point,
    ggplot,
    labs,
    position_dodge,
    scale_color_manual,
    scale_fill_manual,
)

from workflow_scripts.common.methods import INFINITE
from workflow_scripts.comparing.differences import BETTER, WORSE, Difference
from workflow_scripts.reporting.naming import wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, look

OPEN = "not told apart"
MOST = 48  # rows: more would not be read
CAPTION = (
    "Bars are intervals, each for itself; filled points are resolved by the test over all "
    "differences. Cells equal in all studies to the one above them are left out."
)


def figure_data(differences: Sequence[Difference], names: dict[str, str]) -> pl.DataFrame:
    """What is drawn: a row per difference, without cells in which nothing new is seen.

    Below the natural end, forced cells are those of truncation: a row that repeats the one of the
    same budget in every benchmark and study is left out.
    """
    rows = [
        {
            "label": _label(one, names),
            "dataset": one.dataset,
            "model": _model(one),
            "difference": one.row["difference"],
            "low": one.row["difference_low"],
            "high": one.row["difference_high"],
            "state": one.row["verdict"] if one.row["verdict"] in (BETTER, WORSE) else OPEN,
            "budget": one.budget,
        }
        for one in differences
        if one.change is not None
    ]
    data = pl.DataFrame(rows, infer_schema_length=None)
    if data.is_empty():
        return data
    seen: set[tuple] = set()
    kept = []
    for (label,), part in data.group_by("label", maintain_order=True):
        budget = part["budget"][0]
        drawn = (budget, *part.select("dataset", "model", "difference", "low").rows())
        if budget == INFINITE or drawn not in seen:
            kept.append(label)
        seen.add(drawn)
    return data.filter(pl.col("label").is_in(kept[:MOST]))


def _label(one: Difference, names: dict[str, str]) -> str:
    at = "" if one.budget == INFINITE else f" at {int(one.budget):,}"
    return f"{names.get(one.method, one.method)}{at}"


def _model(one: Difference) -> str:
    a, b = one.match.model_a, one.match.model_b
    return f"{one.row['study_b']}: {b if a == b else f'{b} − {a}'}"


def figure(data: pl.DataFrame, first: str) -> ggplot:
    """The figure of `figure_data`."""
    labels = data["label"].unique(maintain_order=True).to_list()
    datasets = data["dataset"].unique(maintain_order=True).to_list()
    models = data["model"].unique(maintain_order=True).to_list()
    shown = data.with_columns(
        pl.col("label").cast(pl.Enum(labels[::-1])),
        pl.col("dataset").cast(pl.Enum(datasets)),
        pl.col("model").cast(pl.Enum(models)),
    )
    states = {BETTER: COLOURS[0], WORSE: COLOURS[1], OPEN: GREY}
    fills = states | {OPEN: "#ffffff"}
    beside = position_dodge(width=0.6)
    width = 2.4 * len(datasets) + 2.4
    return (
        ggplot(shown.to_pandas(), aes("label", "difference", color="state", group="label"))
        + geom_hline(yintercept=0, color=GREY, linetype="dotted")
        + geom_linerange(aes(ymin="low", ymax="high"), size=0.8, position=beside)
        + geom_point(aes(fill="state"), size=2.0, position=beside)
        + facet_grid("model", "dataset")
        + coord_flip()
        + scale_color_manual(values=states, breaks=list(states))
        + scale_fill_manual(values=fills, breaks=list(states))
        + labs(
            x="",
            y=f"Accuracy minus {first} (percentage points)",
            caption=wrapped(CAPTION, width - 2),
        )
        + look(
            width,
            (0.2 * len(labels) + 0.4) * len(models) + 1.2,
            axis_text_y=element_text(size=7.5),
            strip_text_y=element_text(angle=0, size=8.5),
        )
    )
