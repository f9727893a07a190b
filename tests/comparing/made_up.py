"""Pairs of studies drawn from one truth, without files: how often are they told apart?"""

import numpy as np
import polars as pl

from workflow_scripts.analysis.contrasts import Rule
from workflow_scripts.analysis.tables import POINTS
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.comparing.differences import Difference, Match, differences
from workflow_scripts.comparing.questions import shared
from workflow_scripts.comparing.sides import Side

BUDGETS = ("500", "1000", "2000", "4000", "infinite")
DATASETS = ("math", "aime")
RULE = Rule(confidence=0.95, smallest_effect=5, flips=500, seed=3)


def side(
    name: str, rng: np.random.Generator, ability: np.ndarray, draws: int, gain: float = 0.0
) -> Side:
    """A study of one model: truncation at five budgets, prefixes of one chain a draw.

    ability  (datasets, questions): chance that a chain ends right
    gain     added to it
    """
    rows, asked = [], {}
    for dataset, chances in zip(DATASETS, ability, strict=True):
        ids = [f"q{i:03d}" for i in range(len(chances))]
        asked[dataset] = BENCHMARK.frame(
            [
                {"dataset": dataset, "question_id": i, "position": n, "question": f"{dataset} {i}",
                 "prompt": i, "gold": "1", "kind": "math"}
                for n, i in enumerate(ids)
            ]
        )  # fmt: skip
        # A chain is right from some budget on, or never: cells of one study depend on each other.
        solved = rng.random((draws, len(ids))) < np.clip(chances + gain, 0, 1)
        since = rng.integers(0, len(BUDGETS), (draws, len(ids)))
        for place, budget in enumerate(BUDGETS):
            right = (solved & (since <= place)).mean(axis=0)
            rows += [
                {"model": "s1k", "dataset": dataset, "method": "truncation", "budget": budget,
                 "question_id": i, "verdict": float(y), "no_answer": 0.0, "draws": draws,
                 "thinking_tokens": 100.0 * place + rng.random()}
                for i, y in zip(ids, right, strict=True)
            ]  # fmt: skip
    questions = pl.DataFrame(rows)
    cells = questions.select("model", "dataset", "method", "budget").unique(maintain_order=True)
    points = cells.with_columns(
        pl.lit(None, kind).alias(column)
        for column, kind in POINTS.items()
        if column not in cells.columns
    )
    return Side(name, None, ("s1k",), points, pl.DataFrame(), questions, asked)  # type: ignore[arg-type]


def pair(seed: int, questions: int, draws: int, gain: float = 0.0) -> list[Difference]:
    """Two studies of one truth, or of truths `gain` apart, compared."""
    rng = np.random.default_rng([seed, questions, draws])
    ability = rng.beta(0.8, 0.8, (len(DATASETS), questions))
    a, b = side("A", rng, ability, draws), side("B", rng, ability, draws, gain)
    own = [shared(name, a.asked[name], b.asked[name], ("A", "B")) for name in DATASETS]
    return differences([Match(a, b, "s1k", "s1k")], {("A", "B"): own}, RULE)


def claims(seeds: range, questions: int, draws: int, gain: float = 0.0) -> list[int]:
    """Resolved differences of each of many pairs."""
    return [
        sum(one.row["verdict"] in ("better", "worse") for one in pair(i, questions, draws, gain))
        for i in seeds
    ]


def main() -> None:
    """Rates for the log of attempts: python -m tests.comparing.made_up."""
    for questions in (30, 100):
        for draws in (1, 4):
            for gain in (0.0, 0.2):
                found = claims(range(400), questions, draws, gain)
                share = np.mean([count > 0 for count in found])
                print(f"{questions} questions, {draws} draws, gain {gain}: any claim {share:.3f}")


if __name__ == "__main__":
    main()
