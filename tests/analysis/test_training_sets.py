"""Sets compared over questions and seeds: by hand, on simulated studies, and what is refused."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.stats import t as student

from workflow_scripts.analysis.training_sets import (
    ALIKE,
    EQUAL_ROWS,
    EVERY_ROW,
    MORE_ROWS,
    ONE_SEED,
    OPEN,
    Run,
    Trained,
    compare,
    holm,
    question,
    spread,
    trained_sets,
)


def made(name: str, *tables: list[list[int]], rows: int = 100, arm: str = "") -> Trained:
    verdicts = {f"d{i}": np.array(table, float) for i, table in enumerate(tables)}
    seeds = len(tables[0])
    runs = tuple(Run(f"{name}-{s}", name, arm or name, rows, s) for s in range(seeds))
    return Trained(name, runs, verdicts)


def test_the_parts_of_a_variance_by_hand() -> None:
    """Two seeds (rows), four questions: means of questions 1, 1/2, 0, 1/2; of seeds 3/4, 1/4."""
    found = spread({"d": np.array([[1, 1, 0, 1], [1, 0, 0, 0]], float)})
    assert found.mean == 0.5
    assert found.questions == pytest.approx((0.25 + 0 + 0.25 + 0) / 3 / 4)
    assert found.seeds == pytest.approx(0.125 / 2)  # variance of 3/4 and 1/4 is 1/8
    rest = (4 * 0.25**2 + 4 * 0.25**2) / 3 / 8  # every cell is 1/4 off, on (2 - 1) (4 - 1) df
    assert found.rest == pytest.approx(rest)
    assert found.variance == pytest.approx(found.questions + 0.0625 - rest)
    below = found.questions**2 / 3 + 0.0625**2 / 1 + rest**2 / 3
    assert found.df == pytest.approx(found.variance**2 / below)


def test_benchmarks_weigh_the_same_whatever_their_size() -> None:
    small, large = [[1, 1]], [[0, 0, 0, 0, 0, 0]]
    table, _ = compare([made("a", small, large)], 0.95, 5)
    assert table.filter(scope="all")["accuracy"].to_list() == [0.5]
    assert table.filter(scope="benchmark")["accuracy"].to_list() == [1.0, 0.0]


def test_questions_are_paired_and_one_seed_leaves_questions_alone() -> None:
    one, other = made("a", [[1, 0, 1, 0, 1, 0]]), made("b", [[1, 1, 1, 0, 1, 1]])
    table, pairs = compare([one, other], 0.95, 5)
    (row,) = pairs.to_dicts()
    change = np.array([0, 1, 0, 0, 0, 1])
    half = student.ppf(0.975, 5) * change.std(ddof=1) / np.sqrt(6)
    assert row["difference"] == pytest.approx(100 / 3)
    assert row["difference_high"] - row["difference"] == pytest.approx(100 * half)
    assert (row["note"], row["verdict"], row["asks"]) == (ONE_SEED, OPEN, EQUAL_ROWS)
    assert table["note"].to_list() == [ONE_SEED, ONE_SEED] and table["seeds_apart"].is_null().all()


def test_no_interval_has_width_0() -> None:
    sets = [made("a", [[1] * 9] * 3), made("b", [[0] * 9] * 3), made("c", [[1] * 9] * 3)]
    table, pairs = compare(sets, 0.95, 5)
    assert (table["ci_high"] > table["ci_low"]).all()
    assert (pairs["difference_high"] > pairs["difference_low"]).all()
    assert pairs["verdict"].to_list() == ["worse", OPEN, "better"]


def test_what_pairs_ask() -> None:
    small, large = made("r-1", [[1]], arm="r"), made("r-2", [[1]], rows=200, arm="r")
    other, full = made("l", [[1]], rows=200), made("f", [[1]], rows=999)
    every = Trained("f", (Run("f", "f", "f", 999, 1, full=True),), full.verdicts)
    assert question(small, large) == MORE_ROWS
    assert question(large, other) == EQUAL_ROWS
    assert question(small, other) == ""
    assert question(small, every) == EVERY_ROW


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03, 1.0]) == pytest.approx([0.09, 0.04, 0.09, 1.0])


def test_the_frontier_has_no_set_that_another_beats_with_as_few_rows() -> None:
    sets = [
        made("s", [[1, 0, 0, 0]], rows=10),
        made("w", [[0, 0, 0, 0]], rows=20),
        made("b", [[1, 1, 1, 0]], rows=20),
        made("e", [[1, 1, 1, 0]], rows=40),
    ]
    table, _ = compare(sets, 0.95, 5)
    assert table["frontier"].to_list() == [True, False, True, False]


def redrawn(one: Trained) -> Trained:
    return Trained(one.name, tuple(replace(r, draw=f"{r.seed}") for r in one.runs), one.verdicts)


def test_sets_that_are_drawn_anew_borrow_nothing_from_sets_whose_rows_stay() -> None:
    rng = np.random.default_rng(2)
    wild = [
        made(name, (rng.random((3, 80)) < np.array([[0.2], [0.5], [0.8]])).astype(int).tolist())
        for name in ("w", "x")
    ]
    steady = made("steady", *[[[1, 0] * 40] * 3])
    drawn = [redrawn(one) for one in wild]
    apart, _ = compare([steady, *drawn], 0.95, 5)
    mixed, _ = compare([steady, *wild], 0.95, 5)
    alone, _ = compare(drawn, 0.95, 5)
    assert apart["draws"].to_list() == [1, 3, 3] and mixed["draws"].to_list() == [1, 1, 1]
    bounds = ["set", "ci_low", "ci_high"]
    assert apart.filter(pl.col("draws") > 1).select(bounds).equals(alone.select(bounds))
    assert not mixed.filter(pl.col("set") != "steady").select(bounds).equals(alone.select(bounds))


def test_one_set_whose_rows_stay_has_more_than_its_own_three_seeds() -> None:
    """By itself it has 2 degrees of freedom: 97 and 0 % were not told apart among many pairs."""
    rng = np.random.default_rng(3)
    shares = [[0.4], [0.45], [0.5]]
    others = [
        redrawn(made(f"s{at}", (rng.random((3, 150)) < shares).astype(int).tolist()))
        for at in range(4)
    ]
    seeds = (rng.random((3, 150)) < [[0.9], [0.7], [0.8]]).astype(int).tolist()
    _, pairs = compare([*others, made("long", seeds)], 0.95, 5)
    own = pairs.filter(set_b="long")
    assert own["df"].min() > 4 and (own["verdict"] == "better").all()


def test_draws_are_averaged_and_a_benchmark_that_a_model_lacks_is_left_out() -> None:
    rows = [("a", "d", "q1", True), ("a", "d", "q1", False), ("a", "d", "q2", True)]
    rows += [("b", "d", "q1", True), ("b", "d", "q2", False), ("b", "e", "q1", True)]
    columns = ["model", "dataset", "question_id", "verdict"]
    outcomes = pl.DataFrame(rows, schema=columns, orient="row")
    one, other = trained_sets([Run("a", "x", "x", 5, 1), Run("b", "y", "y", 5, 1)], outcomes)
    assert {name: table.tolist() for name, table in one.verdicts.items()} == {"d": [[0.5, 1.0]]}
    assert other.verdicts["d"].tolist() == [[1.0, 0.0]]


def simulated(effects: tuple[float, ...], apart: float, number: int) -> list[Trained]:
    """Three seeds, two benchmarks of 150 questions of their own difficulty; sets of equal rows.

    effects, apart  of sets and between seeds, in units of the logistic-like latent scale
    """
    rng = np.random.default_rng(number)
    hard = [rng.normal(0, 1.2, 150) for _ in range(2)]
    sets = []
    for at, effect in enumerate(effects):
        own = effect + rng.normal(0, apart, 3)
        tables = [q[None] + own[:, None] + rng.normal(0, 1, (3, 150)) > 0 for q in hard]
        sets.append(made(f"s{at}", *[table.astype(int).tolist() for table in tables]))
    return sets


def test_redrawn_sets_and_one_whose_rows_stay_are_seldom_told_apart() -> None:
    """100 studies of three sets drawn anew and one that is not, all equal; bounds as below."""
    claims, held = 0, []
    for number in range(100):
        *drawn, fixed = simulated((0.0,) * 4, 0.2, number)
        _, pairs = compare([*(redrawn(one) for one in drawn), fixed], 0.95, 5)
        first = pairs.filter(scope="all")
        claims += first["verdict"].is_in(["better", "worse"]).any()
        held += ((first["difference_low"] <= 0) & (first["difference_high"] >= 0)).to_list()
    assert claims <= 8
    assert np.mean(held) >= 0.93


@pytest.mark.parametrize("apart", [0.0, 0.2])
def test_equal_sets_are_seldom_told_apart(apart: float) -> None:
    """100 studies of four equal sets; claims in at most 8 %, intervals hold 0 in 93 % or more."""
    claims, held = 0, []
    for number in range(100):
        _, pairs = compare(simulated((0.0,) * 4, apart, number), 0.95, 5)
        first = pairs.filter(scope="all")
        claims += first["verdict"].is_in(["better", "worse"]).any()
        held += ((first["difference_low"] <= 0) & (first["difference_high"] >= 0)).to_list()
    assert claims <= 8
    assert np.mean(held) >= 0.93


def test_a_planted_difference_is_found_and_equal_sets_are_not_told_apart() -> None:
    found, false = 0, 0
    for number in range(30):
        _, pairs = compare(simulated((0.0, 0.0, 0.9), 0.1, number), 0.95, 5)
        verdicts = dict(pairs.filter(scope="all").select("set_b", "verdict").rows()[1:])
        null = pairs.filter(scope="all", set_a="s0", set_b="s1")["verdict"][0]
        found += verdicts["s2"] == "better"
        false += null not in (OPEN, ALIKE)
    assert found >= 27 and false <= 2


def test_more_seeds_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    tables = [(rng.random((n, 80)) < 0.5).astype(int).tolist() for n in (2, 4, 8)]
    widths = []
    for table in tables:
        sets, _ = compare([made("a", table), made("b", table)], 0.95, 5)
        widths.append((sets["ci_high"] - sets["ci_low"])[0])
    assert all(after < before for before, after in pairwise(widths))
