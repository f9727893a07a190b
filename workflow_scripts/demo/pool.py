"""The demo's pool: rows spelt like the 59K releases, with every defect planted at known rates."""

import random
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from workflow_scripts.demo.benchmarks import BenchmarkSettings, benchmark_problems
from workflow_scripts.demo.sources import (
    BOILERPLATE,
    BOILERPLATE_SOURCE,
    DOMAINS,
    LETTERED,
    SKEW,
    SOURCES,
    UNGRADED,
    Source,
)
from workflow_scripts.demo.traces import attempt, careful_pass, teacher_trace, wrong_trace
from workflow_scripts.demo.world import CHOICE_LETTERS, PRELUDES, Problem, draw_problem, lettered

# Lengths of the chains by modulus. Few are long enough for the teacher to check: selection prefers
# long traces and takes most of those.
LENGTHS = {
    100: (4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 8),
    1000: (3, 3, 3, 4, 4, 4, 5, 5, 5, 6),
}

DRAWING = "    /---\\\n   /  +--\\\n <----+---->\n   \\__/\\__/"


@dataclass(frozen=True)
class PoolSettings:
    """Size of the pool and the share of its rows that carry each defect."""

    seed: int = 42
    rows: int = 8000
    benchmark_questions: int = 150
    api_error: float = 0.05
    null_label: float = 0.02
    null_solution: float = 0.03
    wrong_teacher: float = 0.12
    ascii_art: float = 0.01
    image_reference: float = 0.01
    broken_numbering: float = 0.01
    duplicate: float = 0.015
    near_duplicate: float = 0.015
    contaminated: float = 0.01
    too_easy: float = 0.36
    boilerplate: float = 0.03

    def count(self, defect: str) -> int:
        """Rows that carry `defect`."""
        return round(self.rows * getattr(self, defect))


DEFECTS = (
    "api_error",
    "null_label",
    "null_solution",
    "wrong_teacher",
    "ascii_art",
    "image_reference",
    "broken_numbering",
    "duplicate",
    "near_duplicate",
    "contaminated",
    "too_easy",
    "boilerplate",
)


@dataclass(frozen=True)
class ReleaseRow:
    """One row with the columns of the releases."""

    question: str
    thinking_trajectories: list[str] | None
    attempt: str | None
    solution: str | None
    source_type: str
    metadata: str
    domain: str | None
    isqwen7bcorrect: bool | None
    isqwen32bcorrect: bool | None
    isgeminicorrect: bool | None
    gemini_length: int | None
    cot_type: str


@dataclass(frozen=True)
class Entry:
    """A row, the problem it asks, the defect planted in it, and where a copy comes from."""

    row: ReleaseRow
    problem: Problem
    source: Source
    defect: str = ""
    of: Any = field(default=None, compare=False)  # the Entry, or a benchmark's (dataset, position)


def make_pool(settings: PoolSettings) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows in file order and the ground truth of what was planted.

    The truth maps each defect to the 0-based lines that carry it; for copies to {"line", "of"},
    where `of` is the line of the original or a benchmark question. A line has at most one defect.
    """
    rng = random.Random(f"pool-{settings.seed}")
    tests = benchmark_problems(
        BenchmarkSettings(seed=settings.seed, questions=settings.benchmark_questions)
    )
    taken = {problem.question for problems in tests.values() for problem in problems}
    entries = _unlabelled(rng, settings, taken)
    entries = _planted(rng, settings, entries, tests)
    rng.shuffle(entries)
    entries = _originals_first(entries)
    return [asdict(entry.row) for entry in entries], _truth(settings, entries)


def _unlabelled(rng: random.Random, settings: PoolSettings, taken: set[str]) -> list[Entry]:
    """Clean rows of every ordinary source, all questions different and none in a benchmark."""
    copies = sum(settings.count(kind) for kind in ("duplicate", "near_duplicate", "contaminated"))
    special = sum(settings.count(kind) for kind in ("boilerplate", "null_solution"))
    weights = [source.rows for source in SOURCES]
    entries = []
    for source in rng.choices(SOURCES, weights, k=settings.rows - copies - special):
        entries.append(clean_entry(rng, source, _fresh(rng, source, taken)))
    for _ in range(settings.count("boilerplate")):
        problem = _fresh(rng, BOILERPLATE_SOURCE, taken)
        entry = clean_entry(rng, BOILERPLATE_SOURCE, problem)
        question = f"{BOILERPLATE}\n{problem.question}"
        entries.append(
            replace(entry, row=replace(entry.row, question=question), defect="boilerplate")
        )
    for _ in range(settings.count("null_solution")):
        source = rng.choices(UNGRADED, [source.rows for source in UNGRADED])[0]
        entry = clean_entry(rng, source, _fresh(rng, source, taken))
        entries.append(_ungraded(entry))
    return entries


def _fresh(rng: random.Random, source: Source, taken: set[str]) -> Problem:
    while True:
        form = rng.choice(source.forms)
        modulus = 1000 if form == "integer" else 100
        problem = draw_problem(rng, form, modulus, LENGTHS[modulus])
        if problem.question not in taken:
            taken.add(problem.question)
            return problem


def clean_entry(rng: random.Random, source: Source, problem: Problem) -> Entry:
    """A row that every filter keeps: right teacher, both Qwen labels false."""
    trace = teacher_trace(rng, problem).text.strip()
    row = ReleaseRow(
        question=question_text(source, problem),
        thinking_trajectories=[trace],
        attempt=attempt(problem.answer),
        solution=solution_text(source, problem),
        source_type=source.name,
        metadata=metadata_text(rng, source, problem),
        domain=rng.choices(DOMAINS, [(k + 1) ** -SKEW for k in range(len(DOMAINS))])[0],
        isqwen7bcorrect=False,
        isqwen32bcorrect=False,
        isgeminicorrect=True,
        gemini_length=trace_length(trace),
        cot_type=source.cot_type,
    )
    return Entry(row, problem, source)


def question_text(source: Source, problem: Problem) -> str:
    """The question with its options in the source's layout."""
    if problem.form != "choice":
        return problem.question
    heading = "Answer Choices:\n" if source.layout == LETTERED else ""
    return f"{problem.question}\n\n{heading}{lettered(problem.options, source.layout)}"


def solution_text(source: Source, problem: Problem) -> str:
    """Ground truth: an integer for AIME, a letter for choices, else work and a boxed answer."""
    if "AIME" in source.name:
        return problem.answer
    if problem.form == "choice":
        return f"Answer: {problem.answer}"
    return f"{careful_pass(problem).text}Hence $\\boxed{{{problem.answer}}}$."


def metadata_text(rng: random.Random, source: Source, problem: Problem) -> str:
    """A Python literal, as in the releases."""
    facts = {"level": f"Level {min(5, len(problem.steps) - 2)}", "unique": rng.randrange(10**9)}
    if problem.form == "choice":
        facts["options"] = [str(value) for value in problem.options]
    return str({"source": source.name.split("/")[-1], **facts})


def trace_length(trace: str) -> int:
    """Words, digits, marks and spaces of a trace: close to its length in tokens."""
    return len(re.findall(r" ?[^\W\d]+|\d|\s| ?[^\w\s]+", trace))


def _ungraded(entry: Entry) -> Entry:
    row = replace(
        entry.row,
        solution=None,
        isqwen7bcorrect=None,
        isqwen32bcorrect=None,
        isgeminicorrect=None,
    )
    return replace(entry, row=row, defect="null_solution")


def _planted(
    rng: random.Random,
    settings: PoolSettings,
    entries: list[Entry],
    tests: dict[str, list[Problem]],
) -> list[Entry]:
    """Entries with every remaining defect: first those that edit a row, then the copies."""
    free = [at for at, entry in enumerate(entries) if not entry.defect]
    rng.shuffle(free)
    for defect, edit in EDITS.items():
        for _ in range(settings.count(defect)):
            at = free.pop()
            entries[at] = replace(edit(rng, entries[at]), defect=defect)
    _make_easy(rng, entries, free, settings.count("too_easy"))
    clean = [entry for entry in entries if not entry.defect]
    originals = rng.sample(clean, settings.count("duplicate") + settings.count("near_duplicate"))
    exact = originals[: settings.count("duplicate")]
    near = originals[settings.count("duplicate") :]
    entries += [replace(original, defect="duplicate", of=original) for original in exact]
    entries += [near_duplicate(rng, original) for original in near]
    return entries + _contaminated(rng, settings.count("contaminated"), tests)


def _make_easy(rng: random.Random, entries: list[Entry], free: list[int], count: int) -> None:
    """Give `count` of the free rows a right Qwen label; short chains more often than long ones."""
    order = sorted(free, key=lambda at: len(entries[at].problem.steps) + rng.gauss(0, 5))
    for at in order[:count]:
        large = rng.random() < 0.9
        small = not large or rng.random() < 0.5
        row = replace(entries[at].row, isqwen7bcorrect=small, isqwen32bcorrect=large)
        entries[at] = replace(entries[at], row=row, defect="too_easy")


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


def _contaminated(rng: random.Random, count: int, tests: dict[str, list[Problem]]) -> list[Entry]:
    """Rows that ask a benchmark's question, half of them word for word."""
    names = sorted(tests)
    entries = []
    for at in range(count):
        dataset = names[at % len(names)]
        position = rng.randrange(len(tests[dataset]))
        problem = tests[dataset][position]
        fitting = [source for source in SOURCES if problem.form in source.forms]
        entry = clean_entry(rng, rng.choice(fitting), problem)
        if at % 2:
            entry = replace(entry, row=replace(entry.row, question="Please: " + entry.row.question))
        of = {"dataset": dataset, "position": position}
        entries.append(replace(entry, defect="contaminated", of=of))
    return entries


def _originals_first(entries: list[Entry]) -> list[Entry]:
    """Copies moved behind the rows they copy, by swapping the two where needed."""
    place = {id(entry): at for at, entry in enumerate(entries)}
    for entry in list(entries):
        if isinstance(entry.of, Entry):
            copy, original = place[id(entry)], place[id(entry.of)]
            if copy < original:
                entries[copy], entries[original] = entries[original], entries[copy]
                place[id(entry)], place[id(entry.of)] = original, copy
    return entries


def _truth(settings: PoolSettings, entries: list[Entry]) -> dict[str, Any]:
    place = {id(entry): at for at, entry in enumerate(entries)}
    planted: dict[str, list[Any]] = {defect: [] for defect in DEFECTS}
    for at, entry in enumerate(entries):
        if isinstance(entry.of, Entry):
            planted[entry.defect].append({"line": at, "of": place[id(entry.of)]})
        elif entry.of is not None:
            planted[entry.defect].append({"line": at, "of": entry.of})
        elif entry.defect:
            planted[entry.defect].append(at)
    return {"settings": asdict(settings), "rows": len(entries), "planted": planted}
