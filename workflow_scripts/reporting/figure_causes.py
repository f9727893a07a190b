"""Why continuations do not help: what became of the answers, cell by cell."""

import polars as pl
from plotnine import (
    aes,
    facet_grid,
    geom_col,
    ggplot,
    labs,
    position_stack,
    scale_fill_manual,
    scale_x_discrete,
)

from workflow_scripts.analysis.tables import FORCED, PLAIN
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting.naming import titled, wrapped
from workflow_scripts.reporting.style import COLOURS, look, saying

RIGHT, WRONG, LOOP, SILENT = "right", "wrong", "wrong, looping", "no readable answer"
STATES = {RIGHT: COLOURS[0], WRONG: "#bdbdbd", LOOP: COLOURS[4], SILENT: COLOURS[1]}


def causes_data(points: pl.DataFrame, outcomes: pl.DataFrame, focus: str) -> pl.DataFrame:
    """Shares of all generations, in percent, at the infinite budget of the focus model.

    dataset_title, series (phrase), n ("0": natural end), state, percent. Every state of a cell is
    listed, so shares of a cell sum to 100.
    """
    own = titled(points.filter((pl.col("model") == focus) & (pl.col("budget") == INFINITE)))
    force = own.filter(FORCED)
    rows = outcomes.filter((pl.col("model") == focus) & (pl.col("budget") == INFINITE))
    state = (
        pl.when(pl.col("verdict"))
        .then(pl.lit(RIGHT))
        .when(pl.col("no_answer"))
        .then(pl.lit(SILENT))
        .when(pl.col("loop"))
        .then(pl.lit(LOOP))
        .otherwise(pl.lit(WRONG))
    )
    counted = rows.group_by("dataset", "method").agg(
        **{name: 100 * (state == name).mean() for name in STATES}
    )
    natural = own.filter(PLAIN).unique("dataset", keep="first", maintain_order=True)
    phrases = force["series"].unique(maintain_order=True).to_list()
    cells = pl.concat(
        [
            *(natural.with_columns(series=pl.lit(phrase), n=pl.lit(0)) for phrase in phrases),
            force,
        ],
        how="vertical_relaxed",
    ).select("dataset", "dataset_title", "method", "series", "n")
    return (
        cells.join(counted, on=["dataset", "method"], maintain_order="left")
        .unpivot(
            on=list(STATES),
            index=["dataset_title", "series", "n"],
            variable_name="state",
            value_name="percent",
        )
        .with_columns(pl.col("n").cast(pl.String))
    )


def causes_plot(points: pl.DataFrame, outcomes: pl.DataFrame, focus: str) -> ggplot:
    """A row of panels per phrase, a column per benchmark; bars stacked over n."""
    if points.filter((pl.col("model") == focus) & FORCED).is_empty():
        return saying("no forcing in this study")
    data = causes_data(points, outcomes, focus)
    steps = sorted(data["n"].unique(), key=int)
    columns = points["dataset_title"].unique(maintain_order=True).to_list()
    series = data["series"].unique(maintain_order=True).to_list()
    shown = data.with_columns(
        pl.col("state").cast(pl.Enum(list(STATES)[::-1])),
        pl.col("n").cast(pl.Enum(steps)),
        pl.col("series").cast(pl.Enum(series)),
        pl.col("dataset_title").cast(pl.Enum(columns)),
    )
    return (
        ggplot(shown.to_pandas(), aes("n", "percent", fill="state"))
        + geom_col(position=position_stack(), width=0.75)
        + facet_grid("series", "dataset_title")
        + scale_x_discrete(limits=steps)
        + scale_fill_manual(values=STATES, breaks=list(STATES))
        + labs(
            x="Continuations (0: natural end)",
            y="Generations (%)",
            caption=wrapped(CAPTION, 2.6 * len(columns)),
        )
        + look(2.6 * len(columns) + 0.8, 1.7 * len(series) + 1.5)
    )


CAPTION = (
    "All generations at the infinite budget. A gain that comes out of the share without a readable "
    "answer is one of format; a loss that goes into looping is not one of reasoning."
)
