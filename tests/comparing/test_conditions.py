"""Conditions of `--fail-if`: their form, and what holds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from workflow_scripts.analysis.intervals import difference_interval
from workflow_scripts.common.errors import UserError
from workflow_scripts.comparing.conditions import judged, read
from workflow_scripts.comparing.differences import Difference, Match
from workflow_scripts.comparing.sides import Side


def side(name: str) -> Side:
    nothing = None
    return Side(name, Path(name), ("s1k",), nothing, nothing, nothing, {})  # type: ignore[arg-type]


def difference(
    change: Sequence[float], dataset: str = "math500", method: str = "natural"
) -> Difference:
    array = np.array(change, float)
    low, high = difference_interval(array, True, 0.95)
    row = {"study_a": "A", "study_b": "B", "model_a": "s1k", "model_b": "s1k",
           "dataset": dataset, "method": "natural", "budget": "infinite",
           "difference": 100 * array.mean(), "difference_low": low, "difference_high": high,
           "note": ""}  # fmt: skip
    match = Match(side("A"), side("B"), "s1k", "s1k")
    return Difference(match, dataset, "natural", "infinite", array, (), True, row)


LOSS = difference([-1] * 20 + [0] * 80)  # -20 points [-29, -13]
NOISE = difference([-1] * 4 + [1] * 1 + [0] * 95, "aime24")  # -3 points [-8, +1]
EMPTY = Difference(LOSS.match, "math500", "truncation", "4000", None, (), True,
                   LOSS.row | {"note": "B: 99 of 100 questions"})  # fmt: skip


def holds(text: str, *found: Difference) -> list[bool]:
    return [one.holds for one in judged([read(text)], found, 0.95)]


@pytest.mark.parametrize(
    ("text", "bound", "cell", "comparison", "number"),
    [
        ("math500 truncation@4000 < -2", "estimate", "math500 truncation@4000", "<", -2),
        ("upper(s1k/math500 natural)<0", "upper", "s1k/math500 natural", "<", 0),
        ("lower( * force-wait-2 ) <= -0.5", "lower", "* force-wait-2", "<=", -0.5),
        ("aime24 natural >= +3", "estimate", "aime24 natural", ">=", 3),
    ],
)
def test_forms(text: str, bound: str, cell: str, comparison: str, number: float) -> None:
    found = read(text)
    assert (found.bound, str(found.cells), found.comparison, found.number) == (
        bound, cell, comparison, number,
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["math500 < -2", "math500 natural", "math500 natural = 3", "middle(math500 natural) < 0",
     "upper(math500 natural < 0", "math500 natural < two", ""],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UserError) as error:
        read(text)
    assert "write [upper|lower](CELL) COMPARISON POINTS" in str(error.value)


def test_a_bare_cell_is_the_estimate_and_says_where_the_interval_leaves_it_open() -> None:
    assert holds("math500 natural < -19", LOSS) == [True]
    assert holds("math500 natural < -20", LOSS) == [False]
    (noise,) = judged([read("aime24 natural < -2")], [NOISE], 0.95)
    assert noise.holds
    assert "by the estimate alone" in noise.sentence


def test_bounds_ask_what_the_interval_says() -> None:
    assert holds("upper(math500 natural) < 0", LOSS) == [True]
    assert holds("upper(aime24 natural) < 0", NOISE) == [False]
    assert holds("lower(aime24 natural) < -5", NOISE) == [True]  # a loss of 5 is not ruled out


def test_intervals_are_wider_where_more_cells_are_looked_at() -> None:
    alone = holds("upper(math500 natural) < -12.5", LOSS)
    others = [difference([0.0] * 100, f"other{i}") for i in range(40)]
    assert alone == [True]
    assert holds("upper(* natural) < -12.5", LOSS, *others)[0] is False


def test_what_nobody_can_judge_has_not_passed() -> None:
    (found,) = judged([read("math500 truncation@4000 < -2")], [EMPTY, LOSS], 0.95)
    assert found.holds
    assert "no number (B: 99 of 100 questions)" in found.sentence


def test_a_cell_that_nobody_has_is_an_error() -> None:
    with pytest.raises(UserError) as error:
        judged([read("math50 natural < 0")], [LOSS], 0.95)
    assert "names no cell that both studies have" in str(error.value)
    assert "math500 natural@infinite" in str(error.value)
