"""Difficulty labels made here: the pool as a benchmark, and the grades of models that answered it.

The questions go through the same rules as any benchmark (generate, cut, grade, method `natural`),
so that a killed job loses nothing and the grader is the one that grades the study.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.curation.difficulty import LABELS
from workflow_scripts.curation.keyed_random import uniform
from workflow_scripts.curation.label_check import gold_of
from workflow_scripts.grading.grader import default_kind

DATASET = "pool"


def pool_questions(rows: pl.DataFrame, sample: int | None, seed: int) -> pl.DataFrame:
    """Gradable rows (row_id, question, solution) as BENCHMARK rows; `sample` of them by a hash.

    A row is gradable if an answer can be read from its solution. InputError when none is.
    """
    golds = [gold_of(solution) for solution in rows["solution"]]
    gradable = rows.with_columns(pl.Series("gold", golds, pl.String)).drop_nulls("gold")
    if not gradable.height:
        raise InputError("no row of the pool has a solution from which an answer can be read")
    ids = sorted(gradable["row_id"], key=lambda row_id: (uniform(seed, "ask", row_id), row_id))
    chosen = pl.Series("row_id", ids[:sample], pl.String)
    kept = gradable.filter(pl.col("row_id").is_in(chosen.implode())).sort("row_id")
    none = pl.lit(None)
    return kept.with_row_index("position").select(
        pl.lit(DATASET).alias("dataset"),
        pl.col("row_id").alias("question_id"),
        pl.col("position").cast(pl.Int64),
        "question",
        pl.col("question").alias("prompt"),
        "gold",
        pl.col("gold").map_elements(_open_kind, pl.String).alias("kind"),
        none.cast(BENCHMARK.schema["options"]).alias("options"),
        none.cast(pl.String).alias("category"),
    )


def _open_kind(gold: str) -> str:
    # Options stand in the question here, so a letter is an answer like any other.
    kind = default_kind(gold)
    return "math" if kind == "choice" else kind


def regenerated_labels(
    rows: pl.DataFrame, grades: Mapping[str, pl.DataFrame]
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Rows with labels replaced by grades, and the agreement with the stored ones.

    `rows`: row_id and LABELS; `grades`: GRADE rows of the dataset `pool` by the label that they
    replace. A row that a model was not asked has a null label.
    """
    unknown = sorted(set(grades) - set(LABELS))
    if unknown:
        raise ConfigError(f"labels {', '.join(unknown)}: use {', '.join(LABELS)}")
    agreement = {}
    for name, frame in grades.items():
        graded = frame.filter(pl.col("dataset") == DATASET).select(
            pl.col("question_id").alias("row_id"), pl.col("verdict").alias("graded")
        )
        joined = rows.select("row_id", name).join(graded, on="row_id", how="left")
        agreement[name] = _agreement(joined[name], joined["graded"])
        replaced = joined.select("row_id", pl.col("graded").alias(name))
        rows = rows.drop(name).join(replaced, on="row_id", how="left")
    return rows.select("row_id", *LABELS).sort("row_id"), agreement


def _agreement(stored: pl.Series, graded: pl.Series) -> dict[str, Any]:
    both = pl.DataFrame({"stored": stored, "graded": graded}).drop_nulls()
    cells = {
        f"stored_{a}_graded_{b}".lower(): both.filter(
            (pl.col("stored") == a) & (pl.col("graded") == b)
        ).height
        for a in (True, False)
        for b in (True, False)
    }
    same = int((both["stored"] == both["graded"]).sum())
    return {
        "asked": len(graded) - graded.null_count(),
        "compared": both.height,
        "agreement": round(same / both.height, 4) if both.height else None,
        **cells,
    }
