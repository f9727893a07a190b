"""Claims of whole simulated studies: none without an effect, many with a strong one."""

from tests.analysis.simulation import simulated

STUDIES = 100


def test_a_study_without_effect_makes_no_claim_in_95_of_100():
    silent = sum(not simulated(seed, effect=0.0).any for seed in range(STUDIES))
    assert silent >= 95


def test_a_strong_effect_is_claimed_and_never_the_other_way():
    for seed in range(5):
        claims = simulated(seed, effect=0.12)
        assert claims.rises >= 1
        assert claims.falls == 0


def test_thinking_that_hurts_is_claimed_as_falling():
    for seed in range(3):
        claims = simulated(seed, effect=-0.15)
        assert claims.falls >= 1
        assert claims.rises == 0
