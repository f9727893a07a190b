"""Whole studies made in memory from arrays, fast enough to repeat by the hundred."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from workflow_scripts.analysis.adjustment import yardstick
from workflow_scripts.analysis.grid import grid
from workflow_scripts.analysis.metrics import measured_slopes, metrics
from workflow_scripts.analysis.pairs import differences, measure_pairs, planned
from workflow_scripts.analysis.points import points
from workflow_scripts.analysis.study import Dataset, Model, Study
from workflow_scripts.analysis.tables import OUTCOMES
from workflow_scripts.common.cells import INFINITE, cells

INFERENCE = {
    "budgets": [16, 64, INFINITE],
    "methods": [
        {"method": "natural"},
        {"method": "truncation"},
        {"method": "force", "phrase": "Wait", "n": [1, 2]},
        {"method": "class-short"},
        {"method": "class-long"},
    ],
}
ANALYSIS = {
    "confidence": 0.95,
    "bootstrap": 500,
    "slack_tokens": 10,
    "budget_error_targets": [16, 64],
    "tie": 0.01,
}
CONSTANTS = {
    **dict.fromkeys(("sample", "spliced_tokens", "n_used"), 0),
    **dict.fromkeys(("no_answer", "flagged", "loop", "answer_cut"), False),
    "answer_tokens": 5,
    "budget_tokens": 400,
    "end": "natural",
}
LENGTHS = {"16": 16.0, "64": 60.0, INFINITE: 150.0}


@dataclass(frozen=True)
class Claims:
    """How many slopes and differences a study claims, and in which direction."""

    rises: int
    falls: int
    differences: int

    @property
    def any(self) -> bool:
        """Whether anything is claimed at all."""
        return bool(self.rises or self.falls or self.differences)


def simulated(seed: int, effect: float, questions: int = 30) -> Claims:
    """Claims of a study of 2 models, 2 benchmarks and 12 cells each.

    Every question has its own chance of being solved, the same in all cells when `effect` is 0;
    otherwise it grows by `effect` for every doubling of thinking.
    """
    rng = np.random.default_rng(seed)
    datasets = [Dataset(d, d, tuple(f"q{i}" for i in range(questions)), 0.0) for d in ("a", "b")]
    models = [Model("base", "Base"), Model("tuned", "Tuned", True, "base")]
    study = Study(tuple(models), tuple(datasets), tuple(cells(INFERENCE)))
    chance = {d.name: rng.beta(1.0, 1.5, questions) for d in datasets}
    cells_made = list(study.expected().iter_rows(named=True))
    drawn = [_cell(rng, row, chance[row["dataset"]], effect) for row in cells_made]
    names = ("model", "dataset", "method", "budget")
    frame = pl.DataFrame(
        {name: np.repeat([row[name] for row in cells_made], questions) for name in names}
        | {
            "question_id": [f"q{i}" for i in range(questions)] * len(cells_made),
            "verdict": np.concatenate([verdict for verdict, _ in drawn]),
            "thinking_tokens": np.concatenate([tokens for _, tokens in drawn]),
        }
    )
    constants = {name: CONSTANTS.get(name) for name in OUTCOMES.schema if name not in frame.columns}
    whole = frame.with_columns(
        pl.lit(value, OUTCOMES.schema[name]).alias(name) for name, value in constants.items()
    )
    return _claims(study, whole.select(list(OUTCOMES.schema)), models, seed)


def _cell(
    rng: np.random.Generator, row: dict, chance: np.ndarray, effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts and thinking tokens of one cell."""
    longer = {"class-short": 0.5, "class-long": 2.0}.get(row["kind"], 1 + 0.3 * row["n"])
    length = LENGTHS[row["budget"]] * (longer if row["budget"] == INFINITE else 1)
    tokens = np.maximum(1, (length * rng.uniform(0.8, 1.0, len(chance))).round()).astype(int)
    share = np.clip(chance + effect * np.log2(length / 16), 0, 1)
    return rng.random(len(chance)) < share, tokens


def _claims(study: Study, frame: pl.DataFrame, models: list[Model], seed: int) -> Claims:
    table = points(frame, study, [], ANALYSIS["slack_tokens"], ANALYSIS["confidence"])
    grids = {d.name: grid(d.name, frame, ANALYSIS["bootstrap"], seed) for d in study.datasets}
    slopes = measured_slopes(table, grids, ANALYSIS)
    plan = list(planned(table, models))
    tests = [(g.dataset, s.contributions) for g, s in slopes if s.contributions is not None]
    tests += [(pair.dataset, change) for pair, change in differences(plan, grids).items()]
    largest = yardstick(grids, tests)
    verdicts = metrics(table, slopes, largest, ANALYSIS)["verdict"].to_list()
    pairs = measure_pairs(plan, grids, {}, largest, ANALYSIS["confidence"])
    resolved = pairs.filter(pl.col("verdict").is_in(["better", "worse"])).height
    return Claims(verdicts.count("rises"), verdicts.count("falls"), resolved)
