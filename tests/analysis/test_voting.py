from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_scripts.analysis.voting import majority_at, pass_at


def test_pass_at_by_hand():
    assert pass_at(4, 1, 2) == pytest.approx(0.5)  # 3 of 6 pairs hold the right one
    assert pass_at(4, 0, 4) == 0
    assert pass_at(4, 3, 2) == 1


def test_majority_by_hand():
    # of the three pairs of (a, a, b): aa wins, two ties count half
    assert majority_at(["a", "a", "b"], "a", 2) == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert majority_at(["a", "a", "b"], "a", 3) == 1
    assert majority_at(["a", "a", "b"], "b", 3) == 0
    assert majority_at(["a", None, None], "a", 2) == pytest.approx(2 / 3)


def test_majority_of_one_is_mean_accuracy():
    assert majority_at(["a", "b", "a", None], "a", 1) == 0.5


def brute_force(answers, gold, k):
    won = 0.0
    draws = list(combinations(range(len(answers)), k))
    for draw in draws:
        votes = [answers[i] for i in draw if answers[i] is not None]
        best = max((votes.count(v) for v in votes), default=0)
        leaders = {v for v in votes if votes.count(v) == best}
        won += (gold in leaders) / len(leaders) if leaders else 0
    return won / len(draws)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=8), st.data())
def test_majority_equals_counting_every_draw(answers, data):
    k = data.draw(st.integers(1, len(answers)))
    assert majority_at(answers, "a", k) == pytest.approx(brute_force(answers, "a", k))


@pytest.mark.parametrize("k", [0, 4])
def test_more_draws_than_samples_is_an_error(k):
    with pytest.raises(ValueError, match="out of 3"):
        majority_at(["a", "b", "c"], "a", k)
    with pytest.raises(ValueError, match="out of 3"):
        pass_at(3, 1, k)
