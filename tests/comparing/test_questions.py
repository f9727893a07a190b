"""Questions of two studies are paired by text; what cannot be is named and counted."""

import polars as pl

from workflow_scripts.analysis.quality import Finding
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.comparing.questions import Shared, shared


def row(name: str, question: str, gold: str = "4", **more: object) -> dict:
    facts = {"dataset": "math", "question_id": name, "position": int(name[1:]), "gold": gold}
    return {**facts, "question": question, "prompt": question, "kind": "math", **more}


def choice(name: str, question: str, gold: str, *options: str) -> dict:
    prompt = question + "".join(f" {option}" for option in options)
    return row(name, question, gold, prompt=prompt, kind="choice", options=list(options))


def table(*rows: dict) -> pl.DataFrame:
    return BENCHMARK.frame(list(rows))


def joined(a: pl.DataFrame, b: pl.DataFrame) -> tuple[Shared, dict[str, Finding]]:
    found = shared("math", a, b, ("A", "B"))
    return found, {finding.kind: finding for finding in found.findings}


def test_equal_tables_are_paired_whole_without_a_word() -> None:
    own = table(row("q1", "What is 2+2?"), row("q2", "What is 1+3?"))
    found, told = joined(own, own)
    assert found.pairs == {"q1": "q1", "q2": "q2"}
    assert told == {}


def test_another_question_under_an_id_is_never_joined() -> None:
    found, told = joined(
        table(row("q1", "What is 2+2?"), row("q2", "What is 1+3?")),
        table(row("q1", "What is 2+2?"), row("q2", "What is 3+1?")),
    )
    assert found.pairs == {"q1": "q1"}
    assert told["other-question"].severity == "error"
    assert told["other-question"].count == 1
    assert told["other-question"].message.endswith("q2")
    assert set(told) == {"other-question"}


def test_ids_that_two_files_give_in_another_order_are_joined_by_text() -> None:
    texts = ["What is 2+2?", "What is 1+3?", "What is 0+4?"]
    a = table(*(row(f"q{i}", text) for i, text in enumerate(texts)))
    b = table(*(row(f"q{i}", text) for i, text in enumerate(texts[1:] + texts[:1])))
    found, told = joined(a, b)
    assert found.pairs == {"q0": "q2", "q1": "q0", "q2": "q1"}
    assert set(told) == {"other-id"}


def test_blanks_make_no_other_question() -> None:
    found, told = joined(table(row("q1", "What  is\n2+2?")), table(row("q1", "What is 2+2? ")))
    assert found.pairs == {"q1": "q1"}
    assert set(told) == set()


def test_golds_that_differ_are_named_and_left_out_but_not_for_their_spelling() -> None:
    found, told = joined(
        table(row("q1", "a", r"\frac{1}{2}"), row("q2", "b", "5"), row("q3", "c", "1000")),
        table(row("q1", "a", r"\dfrac{1}{2}"), row("q2", "b", "7"), row("q3", "c", "1,000")),
    )
    assert found.pairs == {"q1": "q1", "q3": "q3"}
    assert told["other-gold"].count == 1
    assert "q2 ('5' and '7')" in told["other-gold"].message


def test_options_in_another_order_have_the_gold_of_their_text() -> None:
    found, told = joined(
        table(choice("q1", "Which?", "A", "one", "two"), choice("q2", "What?", "B", "x", "y")),
        table(choice("q1", "Which?", "B", "two", "one"), choice("q2", "What?", "B", "y", "x")),
    )
    assert found.pairs == {"q1": "q1"}  # q2: y in the one, x in the other
    assert told["other-gold"].count == 1
    assert told["other-prompt"].count == 1


def test_a_text_that_stands_for_several_questions_is_not_guessed_at() -> None:
    found, told = joined(
        table(row("q1", "twice"), row("q2", "twice"), row("q3", "once")),
        table(row("q7", "twice"), row("q8", "twice"), row("q3", "once")),
    )
    assert found.pairs == {"q3": "q3"}
    assert told["duplicate-question"].count == 2
    assert set(told) == {"duplicate-question"}


def test_duplicates_under_the_same_ids_count_twice_and_say_so() -> None:
    own = table(row("q1", "twice"), row("q2", "twice"))
    found, told = joined(own, own)
    assert len(found.pairs) == 2
    assert told["repeated-question"].count == 1


def test_questions_of_one_study_alone_are_counted_on_its_side() -> None:
    found, _ = joined(table(row("q1", "a"), row("q2", "b")), table(row("q1", "a"), row("q9", "c")))
    alone = [(f.where, f.count, f.message[-2:]) for f in found.findings]
    assert alone == [("math, A", 1, "q2"), ("math, B", 1, "q9")]
