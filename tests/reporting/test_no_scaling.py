import polars as pl
import pytest

from workflow_scripts.analysis.tables import METRICS, PAIRS, POINTS
from workflow_scripts.reporting.no_scaling import causes, section
from workflow_scripts.reporting.study_results import Results, titled


def run(budget, correct, **more):
    base = {name: 0 for name, kind in POINTS.items() if kind != pl.String}
    base |= {name: "" for name, kind in POINTS.items() if kind == pl.String}
    low = max(0.0, correct / 100 - 0.1)
    return base | {
        "model": "m", "model_title": "M", "dataset": "d", "dataset_title": "D",
        "method": "truncation", "family": "truncation", "kind": "truncation", "budget": budget,
        "budget_tokens": 1000.0 if budget == "infinite" else float(budget), "questions": 100,
        "expected_questions": 100, "correct": correct, "accuracy": correct / 100, "ci_low": low,
        "ci_high": correct / 100 + 0.1, "chance": 0.0,
        "mean_thinking_tokens": 700.0 if budget == "infinite" else float(budget),
    } | more  # fmt: skip


def results(points, gained=0, lost=0) -> Results:
    metric = dict.fromkeys(METRICS) | {
        "model": "m", "dataset": "d", "level": "method", "method": "truncation",
        "family": "truncation", "kind": "truncation", "runs": 2, "verdict": "unresolved",
        "scaling_per_1k": 1.0, "scaling_per_1k_low": -2.0, "scaling_per_1k_high": 4.0,
        "p_adjusted": 0.9, "questions": 100,
    }  # fmt: skip
    pair = dict.fromkeys(PAIRS) | {
        "comparison": "budget", "dataset": "d", "model_a": "m", "method_a": "truncation",
        "model_b": "m", "method_b": "truncation", "gained": gained, "lost": lost,
        "verdict": "unresolved",
    }  # fmt: skip
    return Results(
        titled(pl.DataFrame(points, schema=POINTS)),
        pl.DataFrame([metric], schema=METRICS),
        pl.DataFrame([pair], schema=PAIRS),
        [],
        {},
        {},
        {},
        {},
        {"models": [{"name": "m"}]},
        {"m": "M"},
        {"d": "D"},
        {"truncation": "Truncation"},
    )


def named(points, **flips) -> str:
    found = results(points, **flips)
    return "; ".join(causes(found, found.metrics.row(0, named=True)))


@pytest.mark.parametrize(
    ("points", "cause"),
    [
        ([run("50", 0), run("infinite", 0)], "too hard: the best run (0/100)"),
        ([run("50", 60), run("infinite", 65)], "flat: even the worst run (60/100)"),
        (
            [run("500", 10), run("infinite", 60)],
            "thinking hardly varies: run means lie between 500 and 700",
        ),
        (
            [run("50", 10, ended_natural=80), run("infinite", 60)],
            "budgets do not bind: 80\N{NO-BREAK SPACE}% of traces end before the smallest cap (50)",
        ),
        (
            [run("50", 10), run("infinite", 60, ended_context=30)],
            "cut by the context: 30\N{NO-BREAK SPACE}%",
        ),
        (
            [run("50", 10, no_answer=70), run("infinite", 60)],
            "no answer: 35\N{NO-BREAK SPACE}% of generations",
        ),
        ([run("50", 10), run("infinite", 60, loops=40)], "loops: 20\N{NO-BREAK SPACE}%"),
        (
            [run("50", 10), run("infinite", 60, answer_cut=40)],
            "answers cut: 20\N{NO-BREAK SPACE}%",
        ),
    ],
)
def test_a_cause_is_named_with_its_number(points, cause):
    assert cause in named(points)


def test_flips_without_gain_are_a_cause():
    points = [run("50", 10), run("infinite", 60)]
    assert "answers flip without gain: 3 became right, 4 wrong" in named(points, gained=3, lost=4)
    assert "flip" not in named(points, gained=9, lost=1)


def test_nothing_is_named_where_nothing_stands_out():
    found = results([run("50", 10), run("infinite", 60)], gained=50, lost=0)
    assert named([run("50", 10), run("infinite", 60)], gained=50) == ""
    assert "no cause stands out in the data" in section(found)


def test_chance_is_the_floor_of_a_choice_benchmark():
    points = [run("50", 20, chance=0.25), run("infinite", 28, chance=0.25)]
    assert "too hard: the best run (28/100) is not resolved above chance" in named(points)
