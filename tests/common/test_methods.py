"""Names of methods and cells, and the delimiters' layout."""

import ast
from pathlib import Path

import pytest

from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.common.methods import (
    INFINITE,
    KINDS,
    Budget,
    Kind,
    cells,
    configured,
    kind,
    methods,
    ordered,
    slug,
)


def test_budgets_are_sorted_and_named() -> None:
    found = ordered(["infinite", 1000, 500])
    assert found == (Budget("500", 500), Budget("1000", 1000), Budget("infinite", None))
    assert [budget.within(700) for budget in found] == [500, 700, 700]


@pytest.mark.parametrize("bad", [0, -5, "500", 1.5, True])
def test_bad_budgets_are_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="use a whole number"):
        ordered([bad])


def test_slugs() -> None:
    assert (
        slug("Wait") == "wait" and slug("") == "empty" and slug("Let me check.") == "let-me-check"
    )


def forcing(*phrases: str) -> list[str]:
    entries = [{"method": "force", "phrase": phrase, "n": [1]} for phrase in phrases]
    return [m.name for m in methods(configured({"budgets": ["infinite"], "methods": entries}))]


def test_phrases_of_one_slug_stand_side_by_side() -> None:
    assert forcing("Wait") == ["force-wait-1"]
    both = forcing("Wait", "Wait,", "wait")
    assert both[0] == "force-wait-1" and len(set(both)) == 3
    assert all(name.startswith("force-wait-") for name in both)
    assert forcing("Wait", "Hmm", "Wait,")[::2] == both[:2], "a later phrase renames no file"


def test_phrases_in_another_script_have_names() -> None:
    one, two, empty = forcing("等等", "再想想", "")
    assert one != two and one.startswith("force-phrase-") and empty == "force-empty-1"
    assert slug("等等") == slug("等等") and slug("等等") != "empty"


def test_one_phrase_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="force-wait-1 occurs twice"):
        forcing("Wait", "Wait")


def test_cells_of_forcing() -> None:
    section = {
        "budgets": [8, "infinite"],
        "methods": [{"method": "force", "phrase": "Wait", "n": [2, 1]}, {"method": "class-short"}],
    }
    inference = configured(section)
    assert [m.name for m in methods(inference)] == ["force-wait-1", "force-wait-2", "class-short"]
    assert [c.path for c in cells(inference)] == [
        "force-wait-1/8",
        "force-wait-1/infinite",
        "force-wait-2/8",
        "force-wait-2/infinite",
        "class-short/infinite",
    ]


def flags(name: str, **entry: object) -> tuple[bool, ...]:
    """Capped, forced, prompted, sampled, plain of the one method of an entry."""
    section = {"budgets": [100], "methods": [{"method": name, **entry}]}
    (method,) = methods(configured(section))
    found = method.flags
    return found.capped, found.forced, found.prompted, found.sampled, found.plain


def test_flags_say_what_a_method_does_to_a_chain() -> None:
    assert flags("natural") == (False, False, False, False, True)
    assert flags("truncation") == (True, False, False, False, True)
    assert flags("force", phrase="Wait", n=[1]) == (True, True, False, False, False)
    assert flags("class-short") == flags("class-long") == (False, False, True, False, False)
    assert flags("token-conditional") == (False, False, True, False, False)
    assert flags("step-conditional", forced=True) == (True, False, True, False, False)
    assert flags("rejection") == (True, False, False, True, False)
    assert flags("majority") == (False, False, False, True, False)
    assert [KINDS[name].flags.asks for name in ("class-short", "class-long", "natural")] == [
        -1, 1, 0,
    ]  # fmt: skip


def test_titles() -> None:
    assert kind("force").title("Wait", 2, "force-wait") == 'Forcing "Wait" ×2'
    assert kind("force").series("", "force-empty") == "Forcing, no phrase"
    assert kind("class-short").pooled("", "class-conditional") == "Class-conditional"
    assert kind("rejection").title("", 0, "rejection") == "Rejection sampling"


OWNERS = {
    "common/methods.py",
    "common/settings/inference.py",  # what the config may say
    "common/settings/traces.py",
    "common/tables/generation.py",  # "natural" is also how thinking ends
    "grading/words.py",  # infinite: a word of mathematics
}
# Columns of tables, and a cause, that are called as a method is.
COLUMNS = {
    "analysis/confidence_stop.py natural",
    "analysis/tables.py natural",  # how thinking ended
    "reporting/answer_findings.py natural",
    "analysis/draws.py majority",  # maj@k
    "analysis/tables.py majority",
    "reporting/draw_findings.py majority",
    "reporting/figure_parallel.py majority",
    "analysis/endings.py truncation",  # why an answer is wrong
    "common/chat.py native",  # how the assistant's turn begins
    "inference/prompt_forms.py native",
}


def test_no_method_is_asked_by_its_name_elsewhere() -> None:
    """Outside of `methods` no string of the code is a method's name, "infinite" or "class-"."""
    package = Path(__file__).resolve().parents[2] / "workflow_scripts"
    names = {*KINDS, INFINITE, "class-", "force-"} - {"thinking"}  # a word of many columns
    found = {
        f"{path.relative_to(package)} {node.value}"
        for path in sorted(package.rglob("*.py"))
        if str(path.relative_to(package)) not in OWNERS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found == COLUMNS


def test_a_method_that_this_version_does_not_know_keeps_its_name() -> None:
    assert isinstance(kind("beam"), Kind) and kind("beam").title("", 0, "beam") == "beam"


def test_assistant_turn_is_the_published_layout() -> None:
    turn = Delimiters().assistant_turn(" trace \n", "answer")
    assert turn == "<|im_start|>think\ntrace\n<|im_start|>answer\nanswer<|im_end|>"


def test_delimiters_round_trip_and_refuse_unknown_keys() -> None:
    own = Delimiters(think_start="<think>", think_end=("</think>",))
    assert Delimiters.from_config(own.to_config()) == own
    with pytest.raises(ConfigError, match="think_begin"):
        Delimiters.from_config({"think_begin": "x"})
