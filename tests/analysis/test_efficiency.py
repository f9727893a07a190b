import pytest

from workflow_scripts.analysis.efficiency import sample_efficiency, transferability


def test_sample_efficiency_by_hand():
    assert sample_efficiency(57.0, 1000).value == pytest.approx(19.0)
    assert sample_efficiency(57.0, 1).value is None


def test_transferability_by_hand():
    # math: +50 % and +100 %, mean 0.75; other: +10 % and -25 %, mean -0.075
    math, other = [(0.4, 0.6), (0.2, 0.4)], [(0.5, 0.55), (0.4, 0.3)]
    assert transferability(math, other, (0.1, 0.3)).value == pytest.approx(-10.0)


@pytest.mark.parametrize(
    ("math", "other", "gain", "reason"),
    [
        ([(0.0, 0.5)], [(0.5, 0.6)], (0.1, 0.9), "base score is 0"),
        ([(0.5, 0.6)], [(0.0, 0.6)], (0.05, 0.2), "base score is 0"),
        ([(0.5, 0.51)], [(0.5, 0.6)], (-0.1, 0.2), "within noise"),
        ([], [(0.5, 0.6)], (0.1, 0.2), "both groups"),
    ],
)
def test_undefined_transferability_has_a_reason(math, other, gain, reason):
    found = transferability(math, other, gain)
    assert found.value is None
    assert reason in found.note
