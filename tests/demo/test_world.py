"""The world's arithmetic, checked by reading the texts back with a solver of its own."""

import operator
import random
import re

import pytest

from workflow_scripts.demo.traces import (
    attempt,
    careful_pass,
    coarse_pass,
    compose,
    digit_products,
    draw_slip,
    is_checked,
    teacher_trace,
    wrong_trace,
)
from workflow_scripts.demo.world import MATH_FORMS, Problem, Step, draw_problem, lettered

OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}
STEP = re.compile(r"\b([a-h])([-+*])(\d+)")
PROBLEM = Problem(
    modulus=100,
    start=23,
    steps=(Step("a", "+", 76), Step("b", "*", 8), Step("c", "-", 93)),
    form="fraction",
    constant=101,
)


def read_back(question: str, modulus: int) -> list[int]:
    """Values of a chain, from the words of its question alone."""
    values = [int(re.search(r"start (\d+)", question)[1])]
    for _, op, number in STEP.findall(question):
        values.append(OPERATORS[op](values[-1], int(number)) % modulus)
    return values


def drawn(count: int = 300) -> list[Problem]:
    rng = random.Random(2)
    found = []
    for at in range(count):
        form = (*MATH_FORMS, "integer", "choice")[at % 6]
        found.append(draw_problem(rng, form, 1000 if form == "integer" else 100, range(2, 9)))
    return found


PROBLEMS = drawn()


def test_question_of_a_known_problem() -> None:
    assert PROBLEM.question == "Keep two digits: start 23; a+76; b*8; c-93. Write last/101."
    assert PROBLEM.values() == [23, 99, 92, 99]
    assert PROBLEM.answer == r"\frac{99}{101}"


@pytest.mark.parametrize(
    ("form", "constant", "expected"),
    [
        ("integer", 0, "99"),
        ("tuple", 0, "(23, 99)"),
        ("set", 0, r"\{23, 99\}"),
        ("surd", 7, r"99\sqrt{7}"),
    ],
)
def test_answer_forms(form: str, constant: int, expected: str) -> None:
    problem = Problem(100, 23, PROBLEM.steps, form, constant)
    assert problem.answer == expected


def test_choice_answer_is_the_letter_of_the_last_value() -> None:
    problem = Problem(100, 23, PROBLEM.steps, "choice", options=(5, 98, 99, 9))
    assert problem.answer == "C"
    assert lettered(problem.options, "{letter}) {value}") == "A) 5\nB) 98\nC) 99\nD) 9"


def test_values_agree_with_the_question_text() -> None:
    for problem in PROBLEMS:
        assert read_back(problem.question, problem.modulus) == problem.values()
        assert problem.last >= 2
        assert problem.last != problem.start


def test_options_hold_the_answer_once() -> None:
    choices = [problem for problem in PROBLEMS if problem.form == "choice"]
    assert len(choices) == 50
    for problem in choices:
        assert len(set(problem.options)) == 4
        assert problem.options.count(problem.last) == 1
    assert {problem.answer for problem in choices} == set("ABCD")


@pytest.mark.parametrize("problem", PROBLEMS[:60], ids=range(60))
def test_every_careful_line_is_right(problem: Problem) -> None:
    lines = careful_pass(problem).text.splitlines()
    values = problem.values()
    for line, step, before, after in zip(
        lines, problem.steps, values[:-1], values[1:], strict=True
    ):
        letter, rest = line.split(" ")
        assert letter == step.letter
        found = re.fullmatch(r"(\d+)([-+*])(\d+)(?:=|:[\d,]+,)(\d+)", rest)
        assert (int(found[1]), found[2], int(found[3]), int(found[4])) == (
            before,
            step.op,
            step.number,
            after,
        )


@pytest.mark.parametrize("digit", range(2, 10))
def test_digit_products_rebuild_the_product(digit: int) -> None:
    for value in range(1000):
        products = digit_products(value, digit)
        low = "".join(str(product % 10) for product in reversed(products[:-1]))
        assert int(f"{products[-1]}{low}") == value * digit


@pytest.mark.parametrize("problem", PROBLEMS[:60], ids=range(60))
def test_coarse_lines_hold_every_second_value(problem: Problem) -> None:
    lines = coarse_pass(problem).text.splitlines()
    letters = ",".join(line.split(" ")[0] for line in lines)
    assert letters == ",".join(step.letter for step in problem.steps)
    values = problem.values()[1:]
    expected = values[1::2] + (values[-1:] if len(values) % 2 else [])
    assert [int(line.split(" ")[1]) for line in lines] == expected


@pytest.mark.parametrize("problem", PROBLEMS[:60], ids=range(60))
def test_a_check_corrects_a_slip(problem: Problem) -> None:
    slip = draw_slip(random.Random(problem.start), problem)
    coarse, checked = coarse_pass(problem, slip), compose(problem, 1, slip)
    assert checked.value == problem.last
    assert checked.text.startswith(f"{coarse.text}So {coarse.value}.\nWait, step by step.\n")
    again = " again" if coarse.value == problem.last else f", not {coarse.value}"
    assert checked.text.endswith(f"So {problem.last}{again}.\n")


def test_teacher_is_right_and_wrong_teacher_is_wrong() -> None:
    rng = random.Random(4)
    for problem in PROBLEMS:
        assert teacher_trace(rng, problem).value == problem.last
        assert wrong_trace(rng, problem).value != problem.last


def test_long_chains_are_checked_and_short_ones_are_not() -> None:
    rng = random.Random(1)
    shares = {True: [], False: []}
    for _ in range(600):
        problem = draw_problem(rng, "tuple", 100, (4, 5, 6, 7, 8))
        shares[is_checked(problem)].append("Wait" in teacher_trace(rng, problem).text)
    assert sum(shares[True]) / len(shares[True]) > 0.9
    assert sum(shares[False]) / len(shares[False]) < 0.1


def test_attempt_is_boxed_after_final_answer() -> None:
    assert attempt(r"\frac{1}{2}") == r"Final Answer: \boxed{\frac{1}{2}}"
