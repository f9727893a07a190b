"""Words of second thoughts before and after training, beside accuracy: is it more than style?

Both changes are paired by question. Their null is what they would be if it did not matter which of
the two models wrote which answer: model and base change places at random, question by question.
"""

import re
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.shift.kinds import marker_pattern
from workflow_scripts.shift.tables import EVERY, MARKERS

ANY = "any of them"
SWAPS = 2_000
PER = 1_000  # thinking tokens


def counted(
    generations: pl.DataFrame, grades: pl.DataFrame, markers: tuple[str, ...]
) -> pl.DataFrame:
    """Of each natural generation: tokens, verdict, and how often each marker is in its thinking.

    model, dataset, question_id, tokens, verdict, and a column of counts per marker
    """
    key = ["model", "dataset", "question_id", "sample"]
    own = grades.select(*key, "method", "budget", "verdict")
    rows = generations.join(own, on=[*key, "method", "budget"], how="inner")
    patterns = {ANY: marker_pattern(markers), **{m: marker_pattern((m,)) for m in markers}}
    texts = rows["thinking_text"].to_list()
    counts = {name: [_times(pattern, text) for text in texts] for name, pattern in patterns.items()}
    return rows.select(*key, "verdict", tokens="thinking_tokens").with_columns(
        pl.Series(name, values, pl.Int64) for name, values in counts.items()
    )


def _times(pattern: re.Pattern, text: str) -> int:
    return sum(1 for _ in pattern.finditer(text))


def marker_rows(counts: pl.DataFrame, model: str, base: str, seed: int) -> list[dict[str, Any]]:
    """Rows of MARKERS for one pair: every marker, all benchmarks together and each by itself."""
    names = counts.columns[counts.columns.index(ANY) :]
    datasets = counts["dataset"].unique(maintain_order=True).to_list()
    rows = []
    for dataset in [EVERY, *(datasets if len(datasets) > 1 else [])]:
        frame = counts if dataset == EVERY else counts.filter(pl.col("dataset") == dataset)
        both = _paired(frame, model, base, names)
        if both.is_empty():
            continue
        draws = np.random.default_rng(seed).choice([-1.0, 1.0], size=(SWAPS, both.height))
        gained = both["accuracy"] - both["accuracy_base"]
        accuracy = _with_null(gained.to_numpy(), draws)
        for name in names:
            change = _with_null((both[name] - both[f"{name}_base"]).to_numpy(), draws)
            own = frame.filter(pl.col("model") == model)
            rows.append(
                {
                    "model": model,
                    "base": base,
                    "dataset": dataset,
                    "marker": name,
                    "questions": both.height,
                    "rate": both[name].mean(),
                    "base_rate": both[f"{name}_base"].mean(),
                    "change": change[0],
                    "null_low": change[1],
                    "null_high": change[2],
                    "accuracy_change": accuracy[0],
                    "accuracy_null_low": accuracy[1],
                    "accuracy_null_high": accuracy[2],
                    "right_rate": _rate(own.filter(pl.col("verdict")), name),
                    "wrong_rate": _rate(own.filter(~pl.col("verdict")), name),
                }  # fmt: skip
            )
    return rows


def _paired(frame: pl.DataFrame, model: str, base: str, names: list[str]) -> pl.DataFrame:
    """A row per question that both answered: rates per 1,000 tokens, and shares right."""
    key = ["dataset", "question_id"]
    rate = [
        (PER * pl.col(name).sum() / pl.col("tokens").sum().clip(1)).alias(name) for name in names
    ]
    each = frame.group_by("model", *key, maintain_order=True).agg(
        *rate, accuracy=pl.col("verdict").mean()
    )
    own, other = (each.filter(pl.col("model") == name).drop("model") for name in (model, base))
    return own.join(other, on=key, suffix="_base", maintain_order="left")


def _with_null(differences: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    """Mean difference, and the middle 95 % of it under random exchange of the two models."""
    null = draws @ differences / len(differences)
    low, high = np.quantile(null, (0.025, 0.975))
    return float(differences.mean()), float(low), float(high)


def _rate(frame: pl.DataFrame, name: str) -> float | None:
    tokens = int(frame["tokens"].sum())
    return PER * int(frame[name].sum()) / tokens if tokens else None


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a MARKERS frame."""
    return pl.DataFrame(rows, schema=MARKERS, orient="row")
