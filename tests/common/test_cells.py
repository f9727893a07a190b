"""Names of methods and cells, and the delimiters' layout."""

import pytest

from workflow_scripts.common.cells import budget_names, cells, methods, slug
from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError


def test_budgets_are_sorted_and_named() -> None:
    assert budget_names(["infinite", 1000, 500]) == ("500", "1000", "infinite")


@pytest.mark.parametrize("bad", [0, -5, "500", 1.5, True])
def test_bad_budgets_are_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="use a whole number"):
        budget_names([bad])


def test_slugs() -> None:
    assert (
        slug("Wait") == "wait" and slug("") == "empty" and slug("Let me check.") == "let-me-check"
    )


def test_cells_of_forcing() -> None:
    inference = {
        "budgets": [8, "infinite"],
        "methods": [{"method": "force", "phrase": "Wait", "n": [2, 1]}, {"method": "class-short"}],
    }
    assert [m.name for m in methods(inference)] == ["force-wait-1", "force-wait-2", "class-short"]
    assert [c.path for c in cells(inference)] == [
        "force-wait-1/8",
        "force-wait-1/infinite",
        "force-wait-2/8",
        "force-wait-2/infinite",
        "class-short/infinite",
    ]


def test_assistant_turn_is_the_published_layout() -> None:
    turn = Delimiters().assistant_turn(" trace \n", "answer")
    assert turn == "<|im_start|>think\ntrace\n<|im_start|>answer\nanswer<|im_end|>"


def test_delimiters_round_trip_and_refuse_unknown_keys() -> None:
    own = Delimiters(think_start="<think>", think_end=("</think>",))
    assert Delimiters.from_config(own.to_config()) == own
    with pytest.raises(ConfigError, match="think_begin"):
        Delimiters.from_config({"think_begin": "x"})
