"""Benchmark questions that word n-grams miss: short ones, and those that are mostly one formula.

Compared letter by letter: windows of letters and digits, formulas included, everything else left
out. A row is a copy when nearly all of a question's letters stand in such windows of the row.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from workflow_scripts.curation.contamination import Match
from workflow_scripts.curation.overlap import Form

WINDOW = 12  # letters; a copy with other LaTeX breaks few windows
COPY_LETTERS = 0.9
SHORT_WORDS = 16  # questions under this many words are compared even if they share no n-gram
LEAST_LETTERS = 24
TELLING = 10  # a window in more questions than this leads to no candidate
CANDIDATE = 0.3

_MARKS = str.maketrans("", "", "\\{}()[]$^_+-*/=<>|&.,;:!?'\"`~#%@ \t\n")


def letters(form: Form, words: Iterable[int]) -> str:
    """The letters and digits of a text in the uniform form."""
    return "".join([form.words[i] for i in words]).translate(_MARKS)


def windows(text: str) -> list[str]:
    """All windows of a text, by place."""
    return [text[i : i + WINDOW] for i in range(len(text) - WINDOW + 1)]


def find_respelt(form: Form, rows: Iterable[int]) -> list[Match]:
    """The strongest copy of a benchmark question in each of these rows, if it is one.

    `form` is the uniform LaTeX form.
    """
    exam = [letters(form, form.exam.words_of(i)) for i in range(len(form.exam))]
    where: dict[str, set[int]] = defaultdict(set)
    for question, text in enumerate(exam):
        if len(text) >= LEAST_LETTERS:
            for window in windows(text):
                where[window].add(question)
    telling = {window: found for window, found in where.items() if len(found) <= TELLING}
    matches = (_strongest(form, row, exam, telling) for row in rows)
    return [match for match in matches if match is not None]


def _strongest(form: Form, row: int, exam: list[str], telling: dict[str, set[int]]) -> Match | None:
    text = letters(form, form.pool.words_of(row))
    held = frozenset(windows(text))
    counts = Counter(question for window in held & telling.keys() for question in telling[window])
    best = (COPY_LETTERS, 1)
    for question, count in counts.items():
        if count >= CANDIDATE * (len(exam[question]) - WINDOW) * 0.5:
            best = max(best, (_covered(exam[question], held), -question))
    if best[1] > 0:
        return None
    share, question = best[0], -best[1]
    return Match(row, question, "letters", (), (), "", round(share, 4), "copy")


def _covered(question: str, held: frozenset[str]) -> float:
    covered = end = 0
    for place, window in enumerate(windows(question)):
        if window in held:
            covered += place + WINDOW - max(end, place)
            end = place + WINDOW
    return covered / len(question)
