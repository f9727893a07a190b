"""What decoding costs is the sum over runs, each with the GPUs that it had."""

from types import SimpleNamespace

import pytest

from workflow_scripts.analysis.points import device_seconds, rate
from workflow_scripts.reporting.costs import total_device_hours

RUNS = [{"seconds": 3600.0, "gpus": 1}, {"seconds": 360.0, "gpus": 4}]
TOKENS = {"decoded": 5040, "seconds": 3960.0, "runs": RUNS}
ENGINE = {"gpus": 4, "gpu_seconds": 5040.0, "tokens": TOKENS}


def test_an_hour_on_one_gpu_and_a_top_up_on_four() -> None:
    assert device_seconds(ENGINE) == 5040.0
    assert rate("m", ENGINE).seconds_per_token == pytest.approx(1.0)
    results = SimpleNamespace(engines={"m": ENGINE}, training={})
    assert total_device_hours(results) == pytest.approx(1.4)


def test_seconds_count_on_a_cpu_and_nothing_is_made_up() -> None:
    assert device_seconds({"gpus": 0, "gpu_seconds": 0.0, "tokens": TOKENS}) == 3960.0
    assert device_seconds({"gpus": 4}) is None
    assert rate("m", {"gpus": 4}).seconds_per_token is None
