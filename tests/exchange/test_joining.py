"""Rows and questions: found by text alone; what does not fit is named and counted."""

import pytest

from tests.exchange.small import answered, log_of, questions
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.common.tables.imported import ImportFinding
from workflow_scripts.exchange.golds import differing
from workflow_scripts.exchange.harness import Answered
from workflow_scripts.exchange.joining import Joined, joined
from workflow_scripts.exchange.matching import text_hash

MATH, CHOICE = questions("math"), questions("choice")
FIRST = MATH[0].question


def join(
    *rows: Answered, of: list[Question] = MATH, asked: int = 4, draws: int = 1
) -> tuple[list[Joined], dict[str, ImportFinding]]:
    """Rows joined with a benchmark, and the findings by kind."""
    found, told = joined(log_of(*rows), of, of[:asked], draws, "m")
    return found, {finding.kind: finding for finding in told}


def test_case_space_and_unseen_characters_make_no_other_question() -> None:
    assert text_hash("What  IS\u200b\n2 ?") == text_hash("what is 2 ?")
    assert text_hash("What is 2?") != text_hash("What is 3?")


def test_another_question_under_our_id_is_never_joined() -> None:
    found, told = join(answered(FIRST), answered("What is the capital?", own_id="m2", place="x:2"))
    assert [row.question.question_id for row in found] == ["m1"]
    assert told["other-question"].count == 1
    assert told["other-question"].severity == "error"
    assert "id m2 at x:2" in told["other-question"].message


def test_text_decides_where_an_id_names_another_question() -> None:
    found, told = join(answered(FIRST, own_id="m3"))
    assert [row.question.question_id for row in found] == ["m1"]
    assert told["id-of-another"].count == 1


def test_unknown_unasked_and_unanswered_questions_are_counted() -> None:
    rows = [answered(FIRST), answered("Something else?"), answered(MATH[3].question)]
    found, told = join(*rows, asked=3)
    assert [row.question.question_id for row in found] == ["m1"]
    counts = {kind: finding.count for kind, finding in told.items()}
    assert counts == {"unknown-question": 1, "not-asked": 1, "unanswered": 2}


def test_a_question_is_found_inside_a_prompt_and_never_among_several() -> None:
    inside = f"Solve this.\n\n{FIRST}\n\nThink first."
    found, _ = join(answered("own words", prompt=inside))
    assert [(row.question.question_id, row.how) for row in found] == [("m1", "prompt")]
    both = f"{MATH[1].question} {FIRST}"
    with pytest.raises(InputError, match="none of 1 rows has the text"):
        join(answered("own words", prompt=both))


def test_no_common_question_shows_one_of_each_side() -> None:
    with pytest.raises(
        InputError, match=r"first of theirs: 'Other\?'; the first of ours: 'Compute"
    ):
        join(answered("Other?"))


def test_rows_that_are_there_twice_count_once() -> None:
    found, told = join(answered(FIRST), answered(FIRST, place="own.jsonl:9"))
    assert len(found) == 1
    assert told["duplicate-rows"].count == 1
    assert "own.jsonl:9" in told["duplicate-rows"].message


def test_more_responses_than_draws_are_no_draws() -> None:
    with pytest.raises(InputError, match=r"2 responses to the question 'm1'.*samples: \{math: 2\}"):
        join(answered(FIRST), answered(FIRST, "\\boxed{50}"))
    found, _ = join(answered(FIRST), answered(FIRST, "\\boxed{50}"), draws=2)
    assert [row.sample for row in found] == [0, 1]


def test_equal_responses_are_draws_where_draws_are_asked_for() -> None:
    found, told = join(answered(FIRST), answered(FIRST), draws=2)
    assert len(found) == 2
    assert "duplicate-rows" not in told


def test_one_draw_with_two_responses_is_refused() -> None:
    with pytest.raises(InputError, match="are both draw 1 of the question 'm1' and differ"):
        join(answered(FIRST, sample=1), answered(FIRST, "\\boxed{0}", sample=1), draws=2)


def test_twins_of_a_benchmark_are_told_apart_by_the_ids_of_the_harness() -> None:
    twins = [*MATH, Question("math", "m5", 4, FIRST, FIRST, MATH[0].gold, "math")]
    rows = [answered(FIRST, "a", own_id="17"), answered(FIRST, "b", own_id="99")]
    found, told = join(*rows, of=twins, asked=5)
    assert [(row.question.question_id, row.row.response) for row in found] == [
        ("m1", "a"),
        ("m5", "b"),
    ]
    third = answered(FIRST, "c", own_id="100")
    _, told = join(*rows, third, of=twins, asked=5)
    assert told["asked-too-often"].count == 1


def lettered(options: str = "A) Mars\nB) Jupiter\nC) Venus\nD) Earth", **more: object) -> Answered:
    """The first choice as a harness shows it, in its own order: Jupiter is B there, and C here."""
    question = CHOICE[0].question
    given = {"prompt": f"{question}\n\n{options}", "gold": "B", **more}
    return answered(question, "\\boxed{B}", **given)


def test_letters_are_graded_in_the_order_that_the_model_was_shown() -> None:
    (row,), told = join(lettered(), of=CHOICE)
    assert (CHOICE[0].gold, row.gold, row.options) == (
        "C",
        "B",
        ("Mars", "Jupiter", "Venus", "Earth"),
    )
    assert "gold-differs" not in told


def test_the_prompt_has_the_order_and_not_the_row_of_before_shuffling() -> None:
    before = ("Mars", "Jupiter", "Venus", "Earth")
    prompt = f"{CHOICE[0].question}\n(A) Earth\n(B) Venus\n(C) Mars\n(D) Jupiter"
    row = answered(CHOICE[0].question, "\\boxed{D}", prompt=prompt, options=before)
    (found,), _ = join(row, of=CHOICE)
    assert found.gold == "D"


def test_other_options_are_another_question() -> None:
    other = lettered("A) Mars\nB) Jupiter\nC) Pluto\nD) Earth")
    rows = [other, answered(CHOICE[1].question, prompt=CHOICE[1].prompt)]
    found, told = join(*rows, of=CHOICE)
    assert [row.question.question_id for row in found] == ["c2"]
    assert told["other-options"].count == 1


def test_a_letter_without_options_has_the_harness_s_own_key_or_none() -> None:
    bare = answered(CHOICE[0].question, "\\boxed{B}", gold="(B)")
    keyless = answered(CHOICE[1].question, "\\boxed{B}")
    found, told = join(bare, keyless, of=CHOICE)
    assert [(row.question.question_id, row.gold, row.options) for row in found] == [
        ("c1", "B", None)
    ]
    assert told["options-unknown"].count == 1


def test_another_right_option_is_named() -> None:
    _, told = join(lettered(gold="A"), of=CHOICE)
    assert told["gold-differs"].count == 1
    assert "Mars" in told["gold-differs"].message


def test_other_golds_are_named_and_other_spellings_are_not() -> None:
    rows = [
        answered(FIRST, gold="5/6"),
        answered(MATH[1].question, gold="7", place="x:2"),
        answered(MATH[2].question, gold="We get \\boxed{\\frac{7}{2}}."),
    ]
    found, _ = join(*rows)
    (finding,) = differing(found, "m/math")
    assert (finding.kind, finding.count) == ("gold-differs", 1)
    assert "x:2: '7' for '8'" in finding.message
