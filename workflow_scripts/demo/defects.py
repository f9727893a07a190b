"""The defects that are planted in the demo's pool: each edits or copies a row."""

import random
from dataclasses import replace

from workflow_scripts.demo.pool_rows import Entry, clean_entry, trace_length
from workflow_scripts.demo.traces import attempt, wrong_trace
from workflow_scripts.demo.world import CHOICE_LETTERS, PRELUDES, Problem

DRAWING = "    /---\\\n   /  +--\\\n <----+---->\n   \\__/\\__/"


def null_solution(entry: Entry) -> Entry:
    """The source has no ground truth, so that nothing could be graded."""
    row = replace(
        entry.row,
        solution=None,
        isqwen7bcorrect=None,
        isqwen32bcorrect=None,
        isgeminicorrect=None,
    )
    return replace(entry, row=row, defect="null_solution")


def api_error(rng: random.Random, entry: Entry) -> Entry:
    """The call to the teacher failed: no trace, no attempt, no grade."""
    row = replace(
        entry.row,
        thinking_trajectories=None,
        attempt=None,
        isgeminicorrect=None,
        gemini_length=None,
    )
    if rng.random() < 0.3:
        row = replace(row, thinking_trajectories=[""], attempt="", gemini_length=0)
    return replace(entry, row=row)


def null_label(rng: random.Random, entry: Entry) -> Entry:
    """A difficulty label is missing."""
    name = rng.choice(("isqwen7bcorrect", "isqwen32bcorrect"))
    return replace(entry, row=replace(entry.row, **{name: None}))


def wrong_teacher(rng: random.Random, entry: Entry) -> Entry:
    """The teacher ends with a wrong answer and is labelled so."""
    trace = wrong_trace(rng, entry.problem)
    text = trace.text.strip()
    row = replace(
        entry.row,
        thinking_trajectories=[text],
        attempt=attempt(_wrong_answer(entry.problem, trace.value)),
        isgeminicorrect=False,
        gemini_length=trace_length(text),
    )
    return replace(entry, row=row)


def _wrong_answer(problem: Problem, value: int) -> str:
    if problem.form == "choice":
        wrong = [option for option in problem.options if option != problem.last]
        nearest = min(wrong, key=lambda option: abs(option - value))
        return CHOICE_LETTERS[problem.options.index(nearest)]
    return problem.written(value)


def ascii_art(rng: random.Random, entry: Entry) -> Entry:
    """The question carries a drawing: Asymptote code, or lines of characters."""
    x, y = rng.randrange(2, 90), rng.randrange(2, 90)
    code = f"[asy]\ndraw((0,0)--({x},{y}));\ndot(({y},{x}));\n[/asy]"
    return _appended(entry, "\n" + (code if rng.random() < 0.5 else DRAWING))


def image_reference(rng: random.Random, entry: Entry) -> Entry:
    """The question refers to a picture that is not there."""
    return _appended(entry, f"\n![Image](figure-{rng.randrange(10**6)}.png)")


def broken_numbering(rng: random.Random, entry: Entry) -> Entry:
    """Several problems run together: "p3." or bold numbering in the question."""
    number = rng.randrange(1, 10)
    mark = f"p{number}. " if rng.random() < 0.5 else f"**{number}.** "
    return replace(entry, row=replace(entry.row, question=mark + entry.row.question))


def _appended(entry: Entry, text: str) -> Entry:
    return replace(entry, row=replace(entry.row, question=entry.row.question + text))


EDITS = {
    "api_error": api_error,
    "null_label": null_label,
    "wrong_teacher": wrong_teacher,
    "ascii_art": ascii_art,
    "image_reference": image_reference,
    "broken_numbering": broken_numbering,
}


def near_duplicate(rng: random.Random, original: Entry) -> Entry:
    """The same chain with another opening, and a short request before it."""
    preludes = range(len(PRELUDES[original.problem.modulus]))
    other = rng.choice([at for at in preludes if at != original.problem.prelude])
    problem = replace(original.problem, prelude=other)
    if len(problem.steps) < 6:  # too short to share eight words without its opening
        problem = original.problem
    request = rng.choice(("Please solve this. ", "Try it: ", "Without a calculator: "))
    copy = clean_entry(rng, original.source, problem)
    row = replace(copy.row, question=request + copy.row.question)
    return Entry(row, problem, original.source, "near_duplicate", original)
