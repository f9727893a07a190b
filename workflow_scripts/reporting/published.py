"""What others published: figures and costs beside ours, the paper's recipe, and where we differ.

Quoted, never measured here; figures stand beside ours only for the same benchmarks.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from workflow_scripts.analysis.scaling import slopes
from workflow_scripts.analysis.tables import PLAIN
from workflow_scripts.common.markdown import plain
from workflow_scripts.common.methods import INFINITE
from workflow_scripts.reporting.markdown import table
from workflow_scripts.reporting.naming import DASH, count, number, percent
from workflow_scripts.reporting.study_results import Results

BENCHMARKS = ("math500", "aime24", "gpqa-diamond")
# Model or setting, MATH500, AIME24, GPQA-Diamond (percent), where it was published.
QUOTED: tuple[tuple[Any, ...], ...] = (
    ("Qwen2.5-32B-Instruct", 84.0, 26.7, 49.0, "arXiv 2501.19393, table 1"),
    ("s1-32B without budget forcing", 92.6, 50.0, 56.6, "arXiv 2501.19393, table 1"),
    ("s1-32B, best n per benchmark", 93.0, 56.7, 59.6, "arXiv 2501.19393, table 1"),
    ("s1-32B, class-conditional short", 90.4, 30.0, 56.6, "arXiv 2501.19393, table 14"),
    ("s1-32B, class-conditional long", 91.4, 36.7, 51.0, "arXiv 2501.19393, table 14"),
    ("Qwen2.5-3B-Instruct, own prompts", 65.9, None, 30.3, "Qwen2.5 release notes"),
)
# Training set, its rows, and accuracy as above: s1's ablations of the set (arXiv 2501.19393, table
# 2), one run each of Qwen2.5-32B-Instruct with thinking capped near 30,000 tokens.
SET_BENCHMARKS = BENCHMARKS
QUOTED_SETS: tuple[tuple[Any, ...], ...] = (
    ("s1K", 1000, 93.0, 50.0, 57.6),
    ("1K-random", 1000, 90.6, 36.7, 52.0),
    ("1K-diverse", 1000, 91.2, 26.7, 54.6),
    ("1K-longest", 1000, 90.4, 33.3, 59.6),
    ("59K-full", 58986, 92.8, 53.3, 58.1),
)
QUOTED_COSTS = (
    ("s1-32B, training (arXiv 2501.19393)", "26 min on 16 H100, about 7 GPU hours"),
    ("59K-full, training (same paper)", "394 H100 hours"),
    ("s1's released evaluation commands", "51 engine launches, each generates its traces anew"),
)
# Mean thinking tokens and AIME24 accuracy (percent) of published runs, and the published Scaling.
QUOTED_RUNS = (
    (((8033, 30.0), (9651, 36.7)), 25.3),
    (((1024, 3.3), (2048, 30.0), (4031, 33.3), (5664, 33.3), (6330, 40.0)), 13.2),
)
# Recipe of s1 (arXiv 2501.19393, appendix C), by the config's keys.
PAPER_RECIPE = {
    "epochs": 5,
    "batch_size": 16,
    "learning_rate": 1e-5,
    "warmup_ratio": 0.05,
    "schedule": "cosine",
    "adam_betas": [0.9, 0.95],
    "weight_decay": 1e-4,
    "max_grad_norm": 1.0,
    "loss": "sample-mean",
}
# What the config that is shipped asks, for studies that differ from it.
SHIPPED_BUDGETS = [500, 1000, 2000, 4000, 8000, INFINITE]
SHIPPED_BENCHMARKS = {"math500": 100, "aime24": "all", "gpqa-diamond": 100}


def slopes_again() -> Iterator[tuple[str, float]]:
    """Points per doubling of the published runs by this workflow's code, and as published."""
    for runs, said in QUOTED_RUNS:
        tokens, percents = np.array(runs, float).T
        found = slopes(tokens, percents / 100, tie=0.01)
        yield number(found.per_doubling if found else None), said


def published_sets(benchmark: str) -> list[tuple[str, int, float]]:
    """Name, rows and accuracy (percent) of the published sets on a benchmark."""
    at = 2 + SET_BENCHMARKS.index(benchmark)
    return [(own[0], own[1], own[at]) for own in QUOTED_SETS]


def figures(results: Results) -> str:
    """A table of published figures for this study's benchmarks and ours below; "" for others."""
    shared = [name for name in BENCHMARKS if name in results.dataset_titles]
    if not shared:
        return ""
    headers = ["figure", *(results.dataset_titles[name] for name in shared), "source"]
    rows = [
        [
            f"*quoted:* {name}",
            *(_shown(dict[str, Any](zip(BENCHMARKS, values, strict=True))[b]) for b in shared),
            source,
        ]
        for name, *values, source in QUOTED
    ]
    rows += [_ours(results, model, shared) for model in results.model_titles]
    return table(headers, rows)


def costs() -> str:
    """A table of costs published by others."""
    return table(("quoted from others", "cost"), QUOTED_COSTS, left=2)


def configured(settings: dict[str, Any]) -> str:
    """A table of what this study's config sets otherwise than paper or shipped plan; or ""."""
    rows = list(_configured(settings))
    return table(("key", "paper or shipped plan", "this study"), rows, left=3) if rows else ""


def _configured(settings: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    recipe = (settings.get("training") or {}).get("recipe", {})
    for key, value in PAPER_RECIPE.items():
        if key in recipe and recipe[key] != value:
            yield f"training.recipe.{key}", str(value), plain(str(recipe[key]))
    budgets = settings["inference"]["budgets"]
    if budgets != SHIPPED_BUDGETS:
        yield "inference.budgets", _listed(SHIPPED_BUDGETS), _listed(budgets)
    asked = {b["name"]: b.get("first", "all") for b in settings["benchmarks"]}
    if asked != SHIPPED_BENCHMARKS:
        yield "benchmarks (questions)", _sizes(SHIPPED_BENCHMARKS), plain(_sizes(asked))
    if settings.get("seed") != 42:
        yield "seed", "42", str(settings.get("seed"))
    if settings["inference"].get("temperature", 0.0) != 0.0:
        yield "inference.temperature", "0.0", str(settings["inference"]["temperature"])


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


def _sizes(asked: dict[str, Any]) -> str:
    return ", ".join(f"{name} ({first})" for name, first in asked.items())


def _shown(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f} %"


def _ours(results: Results, model: str, shared: list[str]) -> list[str]:
    values = []
    for dataset in shared:
        own = results.points.filter(
            (pl.col("model") == model)
            & (pl.col("dataset") == dataset)
            & (pl.col("budget") == INFINITE)
            & PLAIN
        )
        row = own.row(0, named=True) if own.height else None
        right = f"({count(row['correct'])}/{row['questions']})" if row else ""
        values.append(f"{percent(row['accuracy'])} {right}" if row else DASH)
    return [f"**here:** {results.model_titles[model]}, natural end", *values, "this study"]
