"""Accuracy against all generated tokens: what a question costs, its answer included."""

import polars as pl
from plotnine import ggplot

from workflow_scripts.reporting.costs import WRITTEN
from workflow_scripts.reporting.figure_scaling import GUESSING, counted, focus_of, scatter
from workflow_scripts.reporting.naming import significant
from workflow_scripts.reporting.style import saying


def curves_plot(points: pl.DataFrame, base: str | None, focus: str | None = None) -> ggplot:
    """The scatter of the focus model over thinking and answer tokens."""
    data, uncounted = counted(curves_data(points, focus_of(points, base, focus)))
    if data.is_empty():
        return saying(uncounted)
    return scatter(
        data, None, "Mean tokens a question, answer included (log scale)", _caption(data)
    )


def curves_data(points: pl.DataFrame, model: str) -> pl.DataFrame:
    """Points of one model whose tokens are all that a question took: thinking and answer."""
    own = points.filter(pl.col("model") == model)
    return own.with_columns(mean_thinking_tokens=pl.col("mean_total_tokens"))


def seconds_per_thousand(points: pl.DataFrame) -> float | None:
    """Device seconds of 1,000 tokens that the model wrote; None where nobody measured."""
    known = points.filter(pl.col("gpu_seconds").is_not_null())
    tokens = known.select((WRITTEN * pl.col("questions")).sum()).item()
    return 1000 * known["gpu_seconds"].sum() / tokens if tokens else None


def _caption(data: pl.DataFrame) -> str:
    text = (
        f"{data['model_title'][0]}. Numbers: budgets of truncation; ×n: continuations at the "
        "infinite budget; black dot: the natural end. Bars: Wilson 95 % intervals."
    ) + (f" {GUESSING}" if (data["chance"] >= 0.01).any() else "")
    seconds = seconds_per_thousand(data)
    return text if seconds is None else (
        f"{text} 1,000 tokens took {significant(seconds)} device seconds of the engine's whole run."
    )  # fmt: skip
