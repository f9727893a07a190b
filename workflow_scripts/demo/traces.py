"""How the demo's teacher thinks: a coarse pass, then perhaps "Wait" and a careful one.

A coarse pass takes two steps per line and is easy to get wrong; a careful pass takes one step
per line and splits products into digits. Every line starts with the letters of its steps.
"""

import random
from dataclasses import dataclass

from workflow_scripts.demo.world import Problem, Step

CHECK = "Wait, step by step.\n"
LOOK_AGAIN = "Hmm, once more.\n"

# Chains this long are checked by the teacher, by modulus; shorter ones mostly are not.
CHECKED_FROM = {100: 7, 1000: 6}
CHECKED_SHARE = (0.04, 0.96)  # of shorter and of longer chains
SLIP_SHARE = 0.3  # of checked chains, how many have a slip in the coarse pass
HMM_SHARE = 0.04
JUMP = 2  # steps per line of a coarse pass


@dataclass(frozen=True)
class Trace:
    """A teacher's thinking and the value that it ends with."""

    text: str
    value: int


def coarse_pass(problem: Problem, slip: tuple[int, int] | None = None) -> Trace:
    """Two steps per line, only their result: "a,b 41".

    `slip` = (line, offset) adds an error on that line, which the later lines carry on.
    """
    lines = []
    value = problem.start
    for at in range(0, len(problem.steps), JUMP):
        group = problem.steps[at : at + JUMP]
        for step in group:
            value = step.apply(value, problem.modulus)
        if slip is not None and slip[0] == at // JUMP:
            value = (value + slip[1]) % problem.modulus
        lines.append(f"{','.join(step.letter for step in group)} {value}\n")
    return Trace("".join(lines), value)


def careful_pass(problem: Problem) -> Trace:
    """One step per line: "a 23+76=99", and products by digits: "b 99*8:72,79,92"."""
    lines = []
    value = problem.start
    for step in problem.steps:
        after = step.apply(value, problem.modulus)
        lines.append(f"{step.letter} {value}{step.op}{step.number}{_work(step, value, after)}\n")
        value = after
    return Trace("".join(lines), value)


def _work(step: Step, value: int, after: int) -> str:
    if step.op != "*":
        return f"={after}"
    return ":" + ",".join([*map(str, digit_products(value, step.number)), str(after)])


def digit_products(value: int, digit: int) -> list[int]:
    """Products of a number's digits with `digit`, lowest first, each with the carry before it."""
    products = []
    carry = 0
    for place in reversed(str(value)):
        products.append(int(place) * digit + carry)
        carry = products[-1] // 10
    return products


def verdict(value: int, before: int | None) -> str:
    """The line that ends a pass, given the value of the pass before it."""
    if before is None:
        return f"So {value}.\n"
    return f"So {value} again.\n" if value == before else f"So {value}, not {before}.\n"


def draw_slip(rng: random.Random, problem: Problem) -> tuple[int, int]:
    """A line of the coarse pass and an error to make on it."""
    line = rng.randrange((len(problem.steps) + JUMP - 1) // JUMP)
    offset = rng.choice((1, -1, 10, -10, 20, -20, 30, 50, rng.randrange(1, problem.modulus)))
    return line, offset


def compose(
    problem: Problem, checks: int, slip: tuple[int, int] | None = None, again: int = 0
) -> Trace:
    """A coarse pass, `again` coarse repeats after "Hmm", `checks` careful passes after "Wait"."""
    coarse = coarse_pass(problem, slip)
    text = coarse.text + verdict(coarse.value, None)
    text += (LOOK_AGAIN + coarse.text + verdict(coarse.value, coarse.value)) * again
    value = coarse.value
    careful = careful_pass(problem) if checks else coarse
    for _ in range(checks):
        text += CHECK + careful.text + verdict(careful.value, value)
        value = careful.value
    return Trace(text, value)


def teacher_trace(rng: random.Random, problem: Problem) -> Trace:
    """A right trace as the demo's teacher writes it: long chains are checked, few others are."""
    checked = rng.random() < CHECKED_SHARE[is_checked(problem)]
    slip = draw_slip(rng, problem) if checked and rng.random() < SLIP_SHARE else None
    checks = (2 if rng.random() < 0.15 else 1) if checked else 0
    again = int(slip is None and rng.random() < HMM_SHARE)
    return compose(problem, checks, slip, again)


def is_checked(problem: Problem) -> bool:
    """Whether the teacher usually checks a chain of this length."""
    return len(problem.steps) >= CHECKED_FROM[problem.modulus]


def wrong_trace(rng: random.Random, problem: Problem) -> Trace:
    """A teacher trace with an uncorrected slip and a wrong value."""
    while True:
        trace = compose(problem, 0, draw_slip(rng, problem))
        if trace.value != problem.last:
            return trace


def attempt(answer: str) -> str:
    """The teacher's answer after thinking."""
    return rf"Final Answer: \boxed{{{answer}}}"
