"""What training bought: per example, and on questions it shares no text with.

Decontamination keeps rows that share no more than stock phrases with a benchmark. Whether that
matters is seen in the clean subset: the same cells, counted on the other questions alone.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from workflow_scripts.analysis.contrasts import TRAIN
from workflow_scripts.analysis.efficiency import sample_efficiency
from workflow_scripts.analysis.tables import NATURAL, TRUNCATED
from workflow_scripts.reporting.markdown import table
from workflow_scripts.reporting.naming import DASH, count, number, percent
from workflow_scripts.reporting.study_results import Results

CLEAN_HEADERS = (
    "model", "benchmark", "cell", "questions touched", "all questions", "clean subset",
    "clean subset, before training",
)  # fmt: skip


def clean_subset(results: Results, outcomes: pl.DataFrame, touched: pl.DataFrame) -> str:
    """A line per trained model and benchmark: natural end and the largest truncation budget.

    `touched` has set, dataset and question_id; a dash stands where nothing is touched, or nothing
    is left. "" where no model was trained.
    """
    lines = [
        line
        for model in results.settings["models"]
        if model.get("set") and model["name"] in results.model_titles
        for dataset in results.dataset_titles
        for line in _clean_lines(results, outcomes, touched, model, dataset)
    ]
    if not lines:
        return ""
    return table(CLEAN_HEADERS, lines, left=3)


def _clean_lines(
    results: Results,
    outcomes: pl.DataFrame,
    touched: pl.DataFrame,
    model: dict[str, Any],
    dataset: str,
) -> Iterator[list[str]]:
    of_set = (pl.col("set") == model["set"]) & (pl.col("dataset") == dataset)
    ids = touched.filter(of_set)["question_id"]
    for cell in _cells(results, model["name"], dataset):
        every = outcomes.filter(dataset=dataset, method=cell["method"], budget=cell["budget"])
        own = every.filter(pl.col("model") == model["name"])
        hit = own.filter(pl.col("question_id").is_in(ids.implode()))["question_id"].n_unique()
        clean = every.filter(~pl.col("question_id").is_in(ids.implode()))
        kinds = (model["name"], model.get("base"))
        counts = [_count(clean.filter(pl.col("model") == name)) for name in kinds]
        yield [
            results.model_titles[model["name"]],
            results.dataset_titles[dataset],
            f"{results.method_titles[cell['method']]} at {cell['budget']}",
            str(hit),
            _count(own),
            *(counts if hit else [DASH, DASH]),
        ]


def _cells(results: Results, model: str, dataset: str) -> list[dict[str, Any]]:
    own = results.points.filter((pl.col("model") == model) & (pl.col("dataset") == dataset))
    natural = own.filter(NATURAL).head(1)
    return [*natural.to_dicts(), *own.filter(TRUNCATED).tail(1).to_dicts()]


def _count(frame: pl.DataFrame) -> str:
    if frame.is_empty():
        return DASH
    means = frame.group_by("question_id").agg(pl.col("verdict").mean())["verdict"]
    right, n = float(means.sum()), len(means)
    return f"{count(right)}/{n} = {percent(right / n)}"


def efficiency(results: Results) -> str:
    """Sample efficiency per benchmark of every trained model; "" where none was trained."""
    rows = [
        [
            results.model_titles[model],
            number(manifest.samples, 0),
            *_per_benchmark(results, _natural(results, model), manifest.samples),
        ]
        for model, manifest in results.training.items()
        if model in results.model_titles
    ]
    if not rows:
        return ""
    return table(("model", "examples", *results.dataset_titles.values()), rows)


def _natural(results: Results, model: str) -> list[dict[str, Any]]:
    """The base at its best form and the trained model's natural end, per benchmark."""
    rows = results.contrasts.filter(pl.col("model") == model, estimand=TRAIN)
    return list(rows.iter_rows(named=True))


def _per_benchmark(results: Results, own: list[dict[str, Any]], examples: int) -> list[str]:
    found = {row["dataset"]: row["accuracy_to"] for row in own}
    shown = []
    for dataset in results.dataset_titles:
        if found.get(dataset) is None:
            shown.append(DASH)
            continue
        value = sample_efficiency(100 * found[dataset], examples)
        shown.append(f"{number(value.value)} ({percent(found[dataset])})")
    return shown
