import pytest

from workflow_scripts.analysis.headline import (
    BY_DECREE,
    NO_CAP,
    Run,
    budget_error,
    control,
    control_paper,
    expected_maximum,
    one_way_flips_needed,
    resolvable_questions,
)


def run(kind="truncation", budget="500", tokens=400.0, over=0, questions=10, correct=5, name=""):
    name = name or kind
    return Run(name, kind, budget, questions, correct, correct / questions, tokens, over)


def test_control_is_the_share_of_generations_over_budget():
    runs = [run(over=1), run(budget="1000", over=0), run(budget="infinite", over=9)]
    assert control(runs).value == pytest.approx(5.0)  # 1 of 20; infinite is not a cap


def test_control_of_class_prompts_is_set_by_decree():
    found = control([run("class-short", "infinite"), run("class-long", "infinite")])
    assert (found.value, found.note) == (50.0, BY_DECREE)


def test_control_without_caps_is_undefined_with_a_reason():
    assert control([run("natural", "infinite")]).value is None
    assert control([run("natural", "infinite")]).note == NO_CAP


def test_papers_control_has_the_opposite_sign():
    runs = [run(tokens=500.0), run(budget="1000", tokens=1000.5, over=4)]
    assert control_paper(runs, None).value == 50.0
    assert control(runs).value == pytest.approx(20.0)


def test_papers_control_of_class_prompts_counts_moves_the_expected_way():
    """Published: short 8033 and long 9651 against 6109 unasked: 1 of 2 moved as asked."""
    runs = [run("class-short", "infinite", 8033.0), run("class-long", "infinite", 9651.0)]
    assert control_paper(runs, 6109.0).value == 50.0
    assert control_paper(runs, None).value is None


def test_budget_error_by_hand():
    runs = [run(tokens=450.0), run(budget="1000", tokens=700.0), run(budget="infinite")]
    assert budget_error(runs, [500, 1000]).value == pytest.approx((10 + 30) / 2)


def test_budget_error_of_pooled_methods_averages_at_each_target():
    runs = [
        run("force", "500", 400.0, name="force-wait-1"),
        run("force", "500", 500.0, name="force-wait-2"),
        run("force", "1000", 900.0, name="force-wait-1"),
    ]
    assert budget_error(runs, [500, 1000]).value == pytest.approx((10 + 10) / 2)


def test_budget_error_without_caps_takes_the_run_nearest_in_log_distance():
    short, long = run("class-short", "infinite", 500.0), run("class-long", "infinite", 4000.0)
    found = budget_error([short, long], [500, 1000, 2000])
    # 1,000 is one doubling from 500 and two from 4,000; 2,000 two from 500 and one from 4,000
    assert found.value == pytest.approx(100 * (0 + 0.5 + 1.0) / 3)
    assert "nearest" in found.note


def test_budget_error_with_a_missing_target_is_undefined_and_names_it():
    found = budget_error([run()], [500, 8000])
    assert found.value is None
    assert "8000" in found.note


def test_expected_maximum_by_hand():
    # two fair coins: 0, 1, 1, 1 -> 3/4
    assert expected_maximum(0.5, 1, 2) == pytest.approx(0.75)
    # max of two binomial(2, 1/2): P(>=1) = 1 - 1/16, P(2) = 1 - 9/16; mean (15 + 7) / 32
    assert expected_maximum(0.5, 2, 2) == pytest.approx(22 / 32)
    assert expected_maximum(0.3, 50, 1) == pytest.approx(0.3)
    assert expected_maximum(0.0, 30, 6) == 0.0
    assert expected_maximum(1.0, 30, 6) == 1.0


@pytest.mark.parametrize(
    ("accuracy", "questions", "cells", "simulated"),
    [
        (2 / 30, 30, 6, 0.126),
        (2 / 30, 30, 18, 0.156),
        (0.6, 100, 6, 0.66),
        (0.6, 100, 18, 0.69),
    ],
)
def test_expected_maximum_against_simulation(accuracy, questions, cells, simulated):
    assert expected_maximum(accuracy, questions, cells) == pytest.approx(simulated, abs=0.006)


def test_thirty_questions_resolve_about_three():
    # 30 * (1 - 0.05 ** (1 / 30)): with a true difference of this size, nothing shows in 5 %
    assert resolvable_questions(30) == pytest.approx(2.851, abs=0.001)
    assert (1 - resolvable_questions(30) / 30) ** 30 == pytest.approx(0.05)
    assert resolvable_questions(100) == pytest.approx(2.951, abs=0.001)


def test_six_one_way_flips_are_needed():
    assert one_way_flips_needed(0.95) == 6  # 2 / 64 < 0.05 <= 2 / 32
    assert one_way_flips_needed(0.99) == 8  # 2 / 256 < 0.01 <= 2 / 128
