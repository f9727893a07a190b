"""How long models think by themselves: the share of traces that end before each length."""

from typing import Any

import polars as pl
from plotnine import (
    aes,
    element_text,
    facet_grid,
    geom_blank,
    geom_step,
    geom_text,
    geom_vline,
    ggplot,
    labs,
    scale_color_manual,
    scale_linetype_manual,
    scale_x_log10,
    scale_y_continuous,
)

from workflow_scripts.analysis.tables import NATURAL, TRUNCATED
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.common.tables import generation
from workflow_scripts.reporting.figure_scaling import UNMEASURED, counted
from workflow_scripts.reporting.labels import Panel, placed
from workflow_scripts.reporting.naming import wrapped
from workflow_scripts.reporting.style import COLOURS, GREY, INK, LINES, look, saying, scheme

PANEL_WIDTH, PANEL_HEIGHT, LABEL_SIZE = 3.3, 2.2, 7.0
WHICH = ALL, RIGHT, WRONG = "all traces", "right", "wrong"
CURVES = COLOURS[0], COLOURS[2], COLOURS[1]
CAPTION = (
    "Share of traces that end by themselves in fewer tokens. Dashed: caps on thinking, with that "
    "share; the others are cut there (a trace that is exactly as long as a cap is cut). Traces "
    "that hit the context limit never count as ended. Right and wrong: of the traces whose answer "
    "at the natural end is so."
)


def lengths_plot(points: pl.DataFrame, outcomes: pl.DataFrame) -> ggplot:
    """Cumulative curve of natural thinking lengths; dashed lines are caps with their share."""
    points, uncounted = counted(points)
    data = lengths_data(points, outcomes)
    if data.is_empty():
        return saying(uncounted or UNMEASURED)
    models = points["model_title"].unique(maintain_order=True).to_list()
    datasets = points["dataset_title"].unique(maintain_order=True).to_list()
    kinds: dict[Any, Any] = {"model_title": pl.Enum(models), "dataset_title": pl.Enum(datasets)}
    curve = data.filter(pl.col("label") == "").cast(kinds | {"which": pl.Enum(WHICH)})
    caps = data.filter(pl.col("label") != "")
    lengths = data["length"].to_numpy()
    low, high = float(lengths.min()) / 1.3, float(lengths.max()) * 1.3
    text = _labels(data, low, high)
    frame = curve.to_pandas()
    return (
        ggplot(frame, aes("length", "ended"))
        + geom_vline(
            aes(xintercept="length"), data=caps.cast(kinds).to_pandas(), linetype="dashed",
            color=GREY, size=0.4,
        )
        + geom_step(aes(color="which", linetype="which"), size=0.8, direction="hv")
        + scale_color_manual(values=dict(zip(WHICH, CURVES, strict=True)))
        + scale_linetype_manual(values=scheme(list(WHICH), LINES))
        + geom_blank(data=frame)
        + geom_text(
            aes("x", "y", label="label"),
            data=text.cast(kinds).to_pandas(),
            size=LABEL_SIZE,
            color=INK,
        )
        + facet_grid("model_title", "dataset_title")
        + scale_x_log10(
            minor_breaks=[], limits=(low, high), expand=(0, 0),
            labels=lambda xs: [f"{x:,.0f}" for x in xs],
        )
        + scale_y_continuous(limits=(-4, 112), breaks=[0, 25, 50, 75, 100], expand=(0, 0))
        + labs(
            x="Thinking tokens (log scale)",
            y="Ended by themselves (%)",
            caption=wrapped(f"{CAPTION} {uncounted}".strip(), PANEL_WIDTH * len(datasets) - 0.7),
        )
        + look(
            PANEL_WIDTH * len(datasets),
            (PANEL_HEIGHT + 0.1) * len(models) + 1.5,
            strip_text_y=element_text(size=8),
        )
    )  # fmt: skip


def lengths_data(points: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """model_title, dataset_title, which (of WHICH), length, ended (% of those traces), label.

    Rows without a label are the steps of the curve: traces of `length` tokens or fewer that ended
    by themselves. Rows with one are the finite caps: traces of *fewer* tokens, since a trace as
    long as the cap is cut.
    """
    natural = _natural(points, outcomes)
    groups = ["model_title", "dataset_title"]
    caps = sorted({int(b) for b in points["budget"].unique() if b != INFINITE})
    parts = []
    for names, part in natural.group_by(groups, maintain_order=True):
        kinds = (part, part.filter("verdict"), part.filter(~pl.col("verdict")))
        for which, traces in zip(WHICH, kinds, strict=True):
            parts += [(*names, which, *row, "") for row in _steps(traces)]
        own = part.filter(pl.col("end") == generation.NATURAL)["length"]
        shares = [(float(cap), 100 * (own < cap).sum() / part.height) for cap in caps]
        parts += [(*names, ALL, cap, share, f"{share:.0f} %") for cap, share in shares]
    schema = dict.fromkeys(groups, pl.String) | {
        "which": pl.String, "length": pl.Float64, "ended": pl.Float64, "label": pl.String,
    }  # fmt: skip
    return pl.DataFrame(parts, schema=schema, orient="row")


def _steps(traces: pl.DataFrame) -> list[tuple[float, float]]:
    """Lengths and the share (%) that ended by themselves at each or before; none without traces."""
    own = traces.filter(pl.col("end") == generation.NATURAL)["length"]
    every = sorted(set(traces["length"]))
    steps = [(x, 100 * (own <= x).sum() / traces.height) for x in every]
    return [(0.9 * every[0], 0.0), *steps] if every else []


def _natural(points: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """One row per question with its natural length and titles."""
    whole = points.filter(pl.col("budget") == INFINITE)
    natural = whole.filter(NATURAL)
    cells = whole.filter(TRUNCATED) if natural.is_empty() else natural
    keys = ["model", "dataset", "method", "budget"]
    names = cells.select(*keys, "model_title", "dataset_title")
    return names.join(outcomes, on=keys, maintain_order="left").with_columns(
        length=pl.col("thinking_tokens").clip(1).cast(pl.Float64)
    )


def _labels(data: pl.DataFrame, low: float, high: float) -> pl.DataFrame:
    """Places of the caps' shares: beside their lines, on no curve and no other label."""
    logs = pl.col("length").log10()
    both = data.with_columns(
        panel=pl.concat_str("model_title", "dataset_title", separator="\0"),
        series=pl.when(pl.col("label") == "").then("which").otherwise("label"),
        x=logs,
        low="ended",
        high="ended",
    )
    ends = pl.Series([low, high]).log10()
    box = Panel(ends[0], ends[1], -4, 112, PANEL_WIDTH - 0.6, PANEL_HEIGHT - 0.3)
    text = placed(both, "panel", ("x", "ended", "low", "high"), box, LABEL_SIZE)
    names = both.select("panel", "model_title", "dataset_title").unique(maintain_order=True)
    return text.join(names, on="panel").with_columns(x=pl.lit(10.0).pow("x")).drop("panel")
