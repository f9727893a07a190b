"""The demo's pool: rows spelt like the 59K releases, with every defect planted at known rates."""

import random
from dataclasses import asdict, dataclass, replace
from typing import Any

from workflow_scripts.common.errors import ConfigError
from workflow_scripts.demo.benchmarks import BenchmarkSettings, benchmark_problems
from workflow_scripts.demo.defects import EDITS, near_duplicate, null_solution
from workflow_scripts.demo.pool_rows import Entry, clean_entry
from workflow_scripts.demo.sources import BOILERPLATE, BOILERPLATE_SOURCE, SOURCES, UNGRADED, Source
from workflow_scripts.demo.world import Problem, draw_problem

# Lengths of the chains by modulus. Few are long enough for the teacher to check: selection prefers
# long traces and takes most of those.
LENGTHS = {
    100: (4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7, 8),
    1000: (3, 3, 3, 4, 4, 4, 5, 5, 5, 6),
}


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

    def check(self) -> None:
        """ConfigError unless a quarter of the rows stay clean: copies need originals."""
        shares = {defect: getattr(self, defect) for defect in DEFECTS}
        if min(shares.values()) < 0 or sum(shares.values()) > 0.75:
            raise ConfigError(
                f"make_pool: shares of defects must be 0 or more and sum to at most 0.75; they are "
                f"{shares}, sum {sum(shares.values()):.2f}"
            )


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


def make_pool(settings: PoolSettings) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows in file order and the ground truth of what was planted.

    The truth maps each defect to the 0-based lines that carry it; for copies to {"line", "of"},
    where `of` is the line of the original or a benchmark question. A line has at most one defect.
    """
    settings.check()
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
        entries.append(null_solution(entry))
    return entries


def _fresh(rng: random.Random, source: Source, taken: set[str]) -> Problem:
    while True:
        form = rng.choice(source.forms)
        modulus = 1000 if form == "integer" else 100
        problem = draw_problem(rng, form, modulus, LENGTHS[modulus])
        if problem.question not in taken:
            taken.add(problem.question)
            return problem


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
