from workflow_scripts.reporting.findings import p_relation, scaling_claim
from workflow_scripts.reporting.naming import interval, join, number, percent, significant

ROW = {
    "verdict": "rises",
    "scaling_per_1k": 3.21,
    "scaling_per_1k_low": 1.0,
    "scaling_per_1k_high": 5.0,
    "scaling_per_doubling": 4.0,
    "p_adjusted": 0.0004,
}


def test_a_rise_is_claimed_with_interval_unit_and_p():
    assert scaling_claim(ROW) == (
        "accuracy rises with thinking: +3.21 points per 1,000 thinking tokens [1.00, 5.00] "
        "(+4.00 per doubling), adjusted p < 0.001"
    )


def test_a_slope_that_fails_the_adjustment_is_no_claim():
    said = scaling_claim(ROW | {"verdict": "unresolved", "p_adjusted": 0.2})
    assert said.startswith("no claim")
    assert "does not survive the adjustment" in said


def test_an_interval_around_zero_is_no_claim():
    said = scaling_claim(ROW | {"verdict": "unresolved", "scaling_per_1k_low": -1.0})
    assert said.startswith("no scaling can be claimed")
    assert "includes 0" in said


def test_runs_that_never_differ_are_said_to_do_so():
    zero = dict.fromkeys(("scaling_per_1k", "scaling_per_1k_low", "scaling_per_1k_high"), 0.0)
    said = scaling_claim(ROW | zero | {"verdict": "unresolved", "p_adjusted": 1.0})
    assert said == "no scaling can be claimed: no run differs from another in accuracy"


def test_a_fall_is_said_as_such():
    fall = {"scaling_per_1k": -2.0, "scaling_per_1k_low": -5.0, "scaling_per_1k_high": -0.5}
    assert "falls" in scaling_claim(ROW | fall | {"verdict": "falls"})


def test_a_slope_outside_its_interval_says_why():
    doubtful = ROW | {"scaling_per_1k": 6.5, "scaling_note": "1 of 36 pairs is not settled"}
    assert scaling_claim(doubtful) == (
        "accuracy rises with thinking: +6.50 points per 1,000 thinking tokens [1.00, 5.00] "
        "(+4.00 per doubling), adjusted p < 0.001. The slope lies outside its interval "
        "(1 of 36 pairs is not settled)"
    )


def test_a_slope_and_an_interval_of_other_directions_are_no_claim():
    changes = {"scaling_per_1k": -2.0, "verdict": "unresolved", "scaling_note": "not settled"}
    said = scaling_claim(ROW | changes)
    assert said.startswith("no claim: the slope and its interval point in different directions")
    assert said.endswith("outside its interval (not settled)") and "survive" not in said


def test_p_values_are_never_zero():
    assert p_relation(0.0001) == "p < 0.001"
    assert p_relation(0.0312) == "p = 0.031"
    assert p_relation(0.5) == "p = 0.50"


def test_numbers_as_they_are_written():
    assert percent(0.4567) == "45.7\N{NO-BREAK SPACE}%"
    assert percent(None) == number(None) == significant(None) == interval(None, 1.0) == "–"
    assert number(-1234.56) == "−1,234.6"
    assert significant(1234.5) == "1,234"
    assert significant(0.01234) == "0.012"
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"]) == "a, b and c"
