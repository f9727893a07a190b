import numpy as np
import pytest

from workflow_scripts.analysis.intervals import (
    flipped_maximum,
    generator,
    mcnemar,
    percentile_interval,
    resample_counts,
    resampled_means,
    sign_flips,
    studentised,
    wilson,
)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        # z = 1.959964, z^2 = 3.841459; 2/30: centre (1/15 + .064024) / 1.128049 = .115857,
        # half .095373; 50/100: centre .5, half 1.959964 / 1.038415 * sqrt(.0025 + .000096)
        (2, 30, 0.018477, 0.213229),
        (50, 100, 0.403832, 0.596168),
        (0, 30, 0.0, 0.113513),  # z^2 / (n + z^2)
        (30, 30, 0.886487, 1.0),
    ],
)
def test_wilson_by_hand(correct, total, low, high):
    found = wilson(correct, total, 0.95)
    assert found[0] == pytest.approx(low, abs=2e-5)
    assert found[1] == pytest.approx(high, abs=2e-5)


def test_wilson_of_nothing_is_undefined():
    low, _ = wilson(0, 0, 0.95)
    assert np.isnan(low)


def test_wilson_covers_the_truth_at_its_rate():
    rng = np.random.default_rng(1)
    for truth in (0.1, 0.35, 0.6):
        counts = rng.binomial(100, truth, 4000)
        low, high = wilson(counts.astype(float), np.full(4000, 100.0), 0.95)
        assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.975


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (6, 0, 2 / 64),
        (5, 0, 2 / 32),
        (8, 2, 2 * (1 + 10 + 45) / 1024),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
    ],
)
def test_mcnemar_by_hand(gained, lost, p):
    assert mcnemar(gained, lost) == pytest.approx(p)


def test_resampled_means_skip_missing_questions():
    counts = np.array([[2.0, 0.0, 1.0]])
    values = np.array([[1.0, np.nan], [5.0, 1.0], [4.0, 3.0]])
    assert resampled_means(counts, values).tolist() == [[2.0, 3.0]]


def test_every_resample_has_as_many_questions_as_the_benchmark():
    counts = resample_counts(7, 50, generator(42, "x"))
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()


def test_random_numbers_depend_on_seed_and_name_only():
    first = resample_counts(5, 20, generator(42, "aime24"))
    assert (first == resample_counts(5, 20, generator(42, "aime24"))).all()
    assert (first != resample_counts(5, 20, generator(42, "math500"))).any()
    assert (first != resample_counts(5, 20, generator(43, "aime24"))).any()


def test_percentile_interval_by_hand():
    draws = np.arange(101.0)[:, None]
    low, high = percentile_interval(draws, 0.9)
    assert (low[0], high[0]) == pytest.approx((5.0, 95.0))


def test_percentile_interval_leaves_undefined_draws_out():
    draws = np.concatenate([np.arange(101.0), [np.nan] * 20])[:, None]
    low, high = percentile_interval(draws, 0.9)
    assert (low[0], high[0]) == pytest.approx((5.0, 95.0))


def test_studentised_by_hand():
    columns = np.array([[1.0, 0.0, 3.0], [1.0, 0.0, -3.0], [1.0, 0.0, 3.0], [1.0, 0.0, 0.0]])
    assert studentised(columns) == pytest.approx([2.0, 0.0, 3 / np.sqrt(27)])


def test_flipped_maximum_by_hand():
    flips = np.array([[1.0, 1.0], [1.0, -1.0]])
    columns = np.array([[1.0, 0.0], [1.0, 0.0]])  # the second column never changes
    assert flipped_maximum(flips, columns) == pytest.approx([np.sqrt(2), 0.0])


def test_paired_bootstrap_covers_the_true_difference_at_its_rate():
    rng = np.random.default_rng(3)
    hits, studies = 0, 300
    for i in range(studies):
        gained, lost = rng.random(100) < 0.3, rng.random(100) < 0.1
        change = (gained.astype(float) - lost)[:, None]
        counts = resample_counts(100, 400, generator(i, "d"))
        low, high = percentile_interval(resampled_means(counts, change), 0.95)
        hits += low[0] <= 0.2 <= high[0]
    assert 0.91 < hits / studies <= 0.985


def test_sign_flips_are_signs():
    flips = sign_flips(9, 30, generator(1, "x"))
    assert flips.shape == (30, 9)
    assert set(np.unique(flips)) == {-1.0, 1.0}
