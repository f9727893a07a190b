"""Cases where accuracy does not rise beyond doubt, one small panel each."""

import polars as pl
from plotnine import (
    aes,
    annotate,
    facet_wrap,
    geom_line,
    geom_linerange,
    geom_point,
    ggplot,
    labs,
    scale_x_log10,
    theme_void,
)

from workflow_scripts.reporting.naming import titled, wrapped
from workflow_scripts.reporting.style import COLOURS, look

MOST_PANELS = 24
COLUMNS = 4


def flat_plot(points: pl.DataFrame, metrics: pl.DataFrame) -> ggplot:
    """Runs of every method whose slope is tested and not claimed to rise; families unpooled."""
    cases = metrics.filter(
        (pl.col("level") == "method") & ~pl.col("verdict").is_in(["rises", "undefined"])
    ).select("model", "dataset", "method", "verdict")
    if cases.is_empty():
        return _nothing()
    shown = titled(points).join(
        cases.head(MOST_PANELS), on=["model", "dataset", "method"], maintain_order="left"
    )
    head = pl.concat_str("model_title", "dataset_title", separator=", ")
    shown = shown.with_columns(
        panel=pl.concat_str(head, "title", separator="\n"),
        mean_thinking_tokens=pl.col("mean_thinking_tokens").clip(1.0),
        percent=100 * pl.col("accuracy"),
        low=100 * pl.col("ci_low"),
        high=100 * pl.col("ci_high"),
    )
    panels = shown["panel"].unique(maintain_order=True).to_list()
    shown = shown.with_columns(pl.col("panel").cast(pl.Enum(panels)))
    columns = min(COLUMNS, len(panels))
    note = (
        f"{len(panels)} of {cases.height} cases. Bars: Wilson 95 % intervals. A flat line within "
        "the bars shows no effect of thinking; it does not show that there is none."
    )
    return (
        ggplot(shown.to_pandas(), aes("mean_thinking_tokens", "percent"))
        + geom_linerange(aes(ymin="low", ymax="high"), color=COLOURS[0], alpha=0.4, size=0.8)
        + geom_line(color=COLOURS[0], size=0.7)
        + geom_point(color=COLOURS[0], fill="white", size=2)
        + facet_wrap("panel", ncol=columns)
        + scale_x_log10(minor_breaks=[], labels=lambda xs: [f"{x:,.0f}" for x in xs])
        + labs(
            x="Mean thinking tokens (log scale)",
            y="Accuracy (%)",
            caption=wrapped(note, 2.7 * columns - 0.7),
        )
        + look(2.7 * columns, 2.1 * -(-len(panels) // columns) + 1.0)
    )


def _nothing() -> ggplot:
    text = "Every tested slope rises: there is no case to show."
    return (
        ggplot()
        + annotate("text", x=0, y=0, label=text, size=10)
        + look(6, 1.2)
        + theme_void()
        + look(6, 1.2)
    )
