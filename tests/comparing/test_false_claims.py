"""Equal studies are told apart no more often than the family's level; different ones are."""

import pytest

from tests.comparing.made_up import claims, pair


@pytest.mark.parametrize(("questions", "draws"), [(30, 1), (60, 3)])
def test_studies_of_one_truth_are_seldom_told_apart(questions: int, draws: int) -> None:
    found = claims(range(100), questions, draws)
    # 5 % of 100: more than 11 happen with a chance of 0.4 %, were the level just met.
    assert sum(count > 0 for count in found) <= 11


def test_a_better_study_is_told_apart_and_never_called_worse() -> None:
    found = claims(range(10), 100, 4, gain=0.25)
    assert sum(count > 0 for count in found) >= 9
    words = {one.row["verdict"] for i in range(3) for one in pair(i, 100, 4, gain=0.25)}
    assert "better" in words
    assert "worse" not in words
