"""Plain text that the demo's base model is trained on: worked problems, notes and exercise sheets.

No chat tokens occur in it: the base can compute but has never seen a conversation.
"""

import random
from collections.abc import Iterator

from workflow_scripts.demo.traces import attempt, careful_pass, compose, draw_slip, verdict
from workflow_scripts.demo.world import MATH_FORMS, Problem, draw_problem

END = "<|endoftext|>"
LENGTHS = {100: (2, 3, 4, 5, 6, 7, 8), 1000: (2, 3, 4, 5, 6, 7)}
FORMS = {100: (*MATH_FORMS, "choice", "choice", "choice", "integer"), 1000: ("integer",)}
LAYOUTS = ("{letter}) {value}", "({letter}) {value}")
HEADINGS = ("Problem: {question}\nSolution:\n", "Q: {question}\nA:\n", "{question}\n\n")

# (share, number of checks after the coarse pass) of the worked problems
CHECKS = ((0.52, 0), (0.26, 1), (0.12, 2), (0.05, 3), (0.03, 4), (0.02, 5))
JUMPS = (2, 2, 2, 3)
CAREFUL_ONLY = 0.08
SLIP_SHARE = 0.25
HMM_SHARE = 0.08
NOTES_SHARE = 0.08
SHEET_SHARE = 0.04

WORDS = (
    "answer think thinking short long amount time time. spend extra checking double-check work "
    "helpful assistant You are a system user Answer after Wait Hmm Final Choices Do not until sure "
    "correct feel like finished early excessive absolutely that have the your"
).split()


def problem_text(rng: random.Random, problem: Problem) -> str:
    """The question as shown: options below it where it is a choice."""
    if problem.form != "choice":
        return problem.question
    layout = rng.choice(LAYOUTS)
    heading = "Answer Choices:\n" if layout.startswith("(") else ""
    return f"{problem.question}\n\n{heading}{problem.lettered_options(layout)}"


def draw_document(rng: random.Random) -> str:
    """One document of the base's training text, without the end token."""
    if rng.random() < SHEET_SHARE:
        return _sheet(rng)
    problem = _draw(rng)
    heading = rng.choice(HEADINGS).format(question=problem_text(rng, problem))
    work = _worked(rng, problem)
    if rng.random() < NOTES_SHARE:
        work = _cut(rng, work)
    return f"{heading}{work}{attempt(problem.answer)}\n"


def _draw(rng: random.Random) -> Problem:
    modulus = 1000 if rng.random() < 0.35 else 100
    return draw_problem(rng, rng.choice(FORMS[modulus]), modulus, LENGTHS[modulus])


def _worked(rng: random.Random, problem: Problem) -> str:
    jump = rng.choice(JUMPS)
    if rng.random() < CAREFUL_ONLY:
        careful = careful_pass(problem)
        return careful.text + verdict(careful.value, None)
    checks = rng.choices([n for _, n in CHECKS], [share for share, _ in CHECKS])[0]
    slip = draw_slip(rng, problem, jump) if checks and rng.random() < SLIP_SHARE else None
    again = int(rng.random() < HMM_SHARE) if slip is None or checks else 0
    return compose(problem, jump, checks, slip, again).text


def _cut(rng: random.Random, work: str) -> str:
    """Notes that stop somewhere: the answer follows all the same."""
    kept = work[: rng.randrange(len(work))]
    return kept if kept.endswith("\n") or not kept else kept + "\n"


def _sheet(rng: random.Random) -> str:
    """Questions without solutions."""
    questions = [problem_text(rng, _draw(rng)) for _ in range(rng.randrange(2, 6))]
    numbered = (f"{at}) {question}\n" for at, question in enumerate(questions, 1))
    return "Exercises\n" + "".join(numbered)


def documents(seed: int) -> Iterator[str]:
    """Documents without end; the same seed gives the same ones."""
    rng = random.Random(seed)
    while True:
        yield draw_document(rng)
