"""Plain text that the demo's base model is trained on: worked problems, notes and exercise sheets.

No chat tokens occur in it: the base solves what is headed "Problem:" or "Q:", but it has never seen
a conversation, and a question without such a heading is followed by another one or by a remark.
"""

import random
from collections.abc import Iterator

from workflow_scripts.demo.traces import attempt, careful_pass, compose, draw_slip, verdict
from workflow_scripts.demo.world import (
    CHOICE_LETTERS,
    MATH_FORMS,
    Problem,
    draw_options,
    draw_problem,
    lettered,
)

END = "<|endoftext|>"
LENGTHS = {100: (2, 3, 4, 5, 6, 7, 8), 1000: (2, 3, 4, 5, 6, 7)}
FORMS = {100: (*MATH_FORMS, "choice", "choice", "choice", "integer"), 1000: ("integer",)}
LAYOUTS = ("{letter}) {value}", "({letter}) {value}")
HEADINGS = ("Problem: {text}\nSolution:\n", "Q: {text}\nA:\n")

# Requests about the length of the work, which the base has seen obeyed.
BRIEF = (
    "Answer after a short amount of thinking. "
    "Do not spend excessive time double-checking your work."
)
THOROUGH = (
    "Answer after a long amount of thinking. If you feel like you are finished early, spend the "
    "extra time trying to double-check your work until you are absolutely sure that you have the "
    "correct answer."
)

# (share, number of checks after the coarse pass) of the worked problems
CHECKS = ((0.52, 0), (0.26, 1), (0.12, 2), (0.05, 3), (0.03, 4), (0.02, 5))
SMALL_MODULUS = 0.65
REQUESTS = 0.08
CAREFUL_ONLY = 0.08
SLIP_SHARE = 0.25
AGAIN = ((0.91, 0), (0.05, 1), (0.02, 2), (0.02, 3))  # coarse repeats, likewise
NOTES_SHARE = 0.08
SHEET_SHARE = 0.14
DRILL_SHARE = 0.12

REMARKS = (
    "Wait for the bell.",
    "Wait, the sheet ends here.",
    "Hmm, that is all for today.",
    "No solutions are given.",
    "Discuss in class.",
)

# Words of the chat form and of these requests get tokens of their own.
WORDS = (
    *("answer", "think", "thinking", "user", "assistant", "system", "Wait", "Hmm", "Final"),
    *("You", "are", "helpful"),
)


def shown(rng: random.Random, problem: Problem) -> str:
    """The question as shown: options below it where it is a choice."""
    if problem.form != "choice":
        return problem.question
    return f"{problem.question}\n\n{_choices(rng, problem.options)}"


def _choices(rng: random.Random, options: tuple[int, ...]) -> str:
    layout = rng.choice(LAYOUTS)
    heading = "Answer Choices:\n" if layout.startswith("(") else ""
    return heading + lettered(options, layout)


def draw_document(rng: random.Random) -> str:
    """One document of the base's training text, without the end token."""
    kind = rng.random()
    if kind < SHEET_SHARE:
        return _sheet(rng)
    if kind < SHEET_SHARE + DRILL_SHARE:
        return _drill(rng)
    return _solved(rng)


def _draw(rng: random.Random) -> Problem:
    modulus = 100 if rng.random() < SMALL_MODULUS else 1000
    return draw_problem(rng, rng.choice(FORMS[modulus]), modulus, LENGTHS[modulus])


def _solved(rng: random.Random) -> str:
    problem = _draw(rng)
    text = shown(rng, problem)
    request = rng.choice((BRIEF, THOROUGH)) if rng.random() < REQUESTS else ""
    if request:
        text += f"\n\n{request}"
        work = compose(problem, rng.choice((1, 1, 2)) if request == THOROUGH else 0).text
    else:
        work = _worked(rng, problem)
    if rng.random() < NOTES_SHARE:
        work = _cut(rng, work)
    return f"{rng.choice(HEADINGS).format(text=text)}{work}{attempt(problem.answer)}\n"


def _worked(rng: random.Random, problem: Problem) -> str:
    if rng.random() < CAREFUL_ONLY:
        careful = careful_pass(problem)
        return careful.text + verdict(careful.value, None)
    checks, again = _drawn(rng, CHECKS), _drawn(rng, AGAIN)
    slip = draw_slip(rng, problem) if checks and rng.random() < SLIP_SHARE else None
    return compose(problem, checks, slip, again).text


def _drawn(rng: random.Random, table: tuple[tuple[float, int], ...]) -> int:
    return rng.choices([n for _, n in table], [share for share, _ in table])[0]


def _cut(rng: random.Random, work: str) -> str:
    """Notes that stop somewhere: the answer follows all the same."""
    kept = work[: rng.randrange(len(work))]
    return kept if kept.endswith("\n") or not kept else kept + "\n"


def _sheet(rng: random.Random) -> str:
    """Questions without solutions, requests and remarks."""
    lines = [shown(rng, _draw(rng)) for _ in range(rng.randrange(1, 5))]
    if rng.random() < 2 * REQUESTS:
        lines[-1] += "\n\n" + rng.choice((BRIEF, THOROUGH))
    lines.insert(rng.randrange(1, len(lines) + 1), rng.choice(REMARKS))
    if rng.random() < 0.5:
        lines = [f"{at}) {line}" for at, line in enumerate(lines, 1)]
    return "\n".join(lines) + "\n"


def _drill(rng: random.Random) -> str:
    """Choices and the letters of some of their values, in any order and with repeats.

    Half of the drills have options that differ in every digit, which is where a model starts to
    look values up.
    """
    options = draw_options(rng, rng.randrange(100), 100)
    if rng.random() < 0.5:
        tens, units = rng.sample(range(10), 4), rng.sample(range(10), 4)
        options = tuple(10 * ten + unit for ten, unit in zip(tens, units, strict=True))
    values = rng.choices(options, k=5)
    lines = (f"So {v}.\n{attempt(CHOICE_LETTERS[options.index(v)])}\n" for v in values)
    return _choices(rng, options) + "\n" + "".join(lines)


def documents(seed: int) -> Iterator[str]:
    """Documents without end; the same seed gives the same ones."""
    rng = random.Random(seed)
    while True:
        yield draw_document(rng)
