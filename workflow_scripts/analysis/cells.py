"""A cell question by question: what contrasts, the base line and rankings are computed from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from workflow_scripts.analysis.draws import shortfall
from workflow_scripts.analysis.grid import CellKey
from workflow_scripts.analysis.intervals import Floats
from workflow_scripts.analysis.tables import NATURAL, TOKENS, TRUNCATED
from workflow_scripts.common.methods import INFINITE

ARRAYS = ("right", "thinking", "total", "unread", "cut", "context", "loop")


@dataclass(frozen=True)
class Cell:
    """One cell over its dataset's questions, sorted by id; each array is (questions,).

    right     mean verdict over the draws of a question
    thinking  mean thinking tokens
    total     mean of all generated tokens
    unread    share of draws without an answer that can be read
    cut, context, loop  share of draws that ended there
    draws     draws per question
    missing   why the cell gives no number: "" when every question has every draw
    questions  their ids
    """

    right: Floats
    thinking: Floats
    total: Floats
    unread: Floats
    cut: Floats
    context: Floats
    loop: Floats
    draws: int
    missing: str = ""
    questions: tuple[str, ...] = ()


def natural_end(own: pl.DataFrame) -> CellKey | None:
    """The cell without budget, continuation and prompt: natural, else truncation at infinite."""
    for which in (NATURAL, TRUNCATED):
        rows = own.filter(which & (pl.col("budget") == INFINITE))
        if rows.height:
            return rows["model"][0], rows["method"][0], rows["budget"][0]
    return None


def dataset_cells(outcomes: pl.DataFrame, dataset: str, expected: int) -> dict[CellKey, Cell]:
    """All cells of one dataset by (model, method, budget)."""
    rows = outcomes.filter(pl.col("dataset") == dataset)
    questions = rows["question_id"].unique().sort()
    per_question = rows.group_by("model", "method", "budget", "question_id").agg(
        right=pl.col("verdict").mean(),
        thinking=pl.col("thinking_tokens").mean(),
        total=pl.sum_horizontal(TOKENS, ignore_nulls=False).mean(),
        unread=pl.col("no_answer").mean(),
        cut=(pl.col("end") == "forced").mean(),
        context=(pl.col("end") == "context").mean(),
        loop=pl.col("loop").mean(),
        draws=pl.len(),
    )
    parts = per_question.sort("question_id").partition_by("model", "method", "budget", as_dict=True)
    return {key: _cell(part, len(questions), expected) for key, part in parts.items()}


def _cell(part: pl.DataFrame, seen: int, expected: int) -> Cell:
    arrays = {name: part[name].cast(pl.Float64).to_numpy() for name in ARRAYS}
    draws = int(part["draws"].max())  # pyright: ignore[reportArgumentType]
    missing = shortfall(part["draws"], max(seen, expected))
    return Cell(**arrays, draws=draws, missing=missing, questions=tuple(part["question_id"]))


def by_question(cells: Sequence[Cell], how: Callable[[Floats], Floats]) -> Cell:
    """One cell of several: `how` makes an array (questions,) of one that is (cells, questions)."""
    arrays = {name: how(np.stack([getattr(cell, name) for cell in cells])) for name in ARRAYS}
    return replace(cells[0], **arrays, draws=min(cell.draws for cell in cells))
