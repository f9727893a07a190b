"""Pool rows that share text with a benchmark: which question, which n-grams, and is it real."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.curation.overlap import Coverage, Form, exam_positions, frequent
from workflow_scripts.curation.stock_phrases import masked_word

# Above this share of the benchmark question's words, stock phrases or not, it is the same question.
COPY_SHARE = 0.6
PASSAGE_WORDS = 13  # a longer run than any stock phrase; the n of stricter published audits


@dataclass(frozen=True)
class Stock:
    """An n-gram set apart as boilerplate: its masked text, the rule, and how common it is."""

    phrase: str
    rule: str  # "listed", "stock ending" or "frequent"
    questions: int  # distinct questions of one source, for "frequent"


@dataclass(frozen=True)
class Match:
    """What one pool row shares with one benchmark question, in one form."""

    row: int
    question: int
    form: str  # "plain", "latex", "exact" or "letters"
    grams: tuple[str, ...]  # shared n-grams that are evidence
    stock: tuple[str, ...]  # shared n-grams that are boilerplate
    run: str  # longest shared run of words, stock phrases left out where anything else is shared
    share: float  # of the benchmark question's characters
    kind: str  # "exact", "copy", "passage", "phrase"; "boilerplate" when nothing is evidence

    @property
    def real(self) -> bool:
        """Whether the row has to go."""
        return self.kind != "boilerplate"

    @property
    def rank(self) -> tuple[bool, bool, float, int, int]:
        """Order of strength; the last term breaks ties by the question's place."""
        return self.real, self.kind == "exact", self.share, len(self.grams), -self.question


def find_matches(
    form: Form,
    sources: NDArray[np.int64],
    keys: NDArray[np.int64],
    minimum: int,
    datasets: Sequence[str],
) -> tuple[list[Match], dict[str, Stock]]:
    """For every row that shares an n-gram its strongest match in each benchmark; the boilerplate.

    `sources` and `keys` number the rows' sources and content keys; `datasets` names each
    question's benchmark; an n-gram in `minimum` distinct questions of one source is boilerplate.
    """
    positions = exam_positions(form)
    counts = frequent(form, positions, sources, keys, minimum).tolist()
    owners = form.pool.text_of(positions).tolist()
    texts = [form.gram(position) for position in positions.tolist()]
    exam = Exam(form, datasets, minimum)
    endings = form.stock_endings(positions).tolist()
    listed = form.listed_stock(positions).tolist()
    known: dict[tuple[str, ...], list[Match]] = {}
    stock: dict[str, Stock] = {}
    matches: list[Match] = []
    for row, group in groupby(range(len(texts)), key=owners.__getitem__):
        shared = []
        for i in group:
            # Comparing texts makes the hash exact: a collision finds nothing here.
            if texts[i] in exam.places:
                if texts[i] not in stock and (counts[i] or endings[i] or listed[i]):
                    stock[texts[i]] = _stock(texts[i], counts[i], listed[i], endings[i])
                shared.append(texts[i])
        # Rows that share the same n-grams (a stock phrase, mostly) have the same matches.
        grams = tuple(dict.fromkeys(shared))
        if grams not in known:
            known[grams] = exam.matches(row, grams, stock)
        matches += [replace(match, row=row) for match in known[grams]]
    return matches, stock


def _stock(text: str, count: int, listed: bool, ending: bool) -> Stock:
    masked = " ".join([masked_word(word) for word in text.split()])
    return Stock(masked, "listed" if listed else "stock ending" if ending else "frequent", count)


class Exam:
    """The benchmarks' side of a form: where each n-gram stands, and how much n-grams cover."""

    def __init__(self, form: Form, datasets: Sequence[str], minimum: int) -> None:
        self.form, self.datasets, self.minimum = form, datasets, minimum
        self.places: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._coverage: dict[int, Coverage] = {}
        ids, starts = form.exam.ids.tolist(), form.exam.starts.tolist()
        for position in np.flatnonzero(form.exam_valid).tolist():
            question = bisect_right(starts, position) - 1
            gram = " ".join([form.words[i] for i in ids[position : position + form.n]])
            self.places[gram].append((question, position - starts[question]))

    def matches(self, row: int, shared: Iterable[str], stock: dict[str, Stock]) -> list[Match]:
        """The strongest match of a row in each benchmark, with all stock phrases shared with it."""
        places: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for text in shared:
            for question, place in self.places[text]:
                places[question].append((place, text))
        best: dict[str, tuple[tuple[bool, float, int, int], int, set[str]]] = {}
        common: dict[str, dict[str, None]] = defaultdict(dict)
        for question, found in places.items():
            found.sort()
            name = self.datasets[question]
            evidence = self._evidence(question, found, stock)
            share = self.coverage(question).share([place for place, _ in found])
            telling = len(evidence)
            strength = (telling > 0 or share >= COPY_SHARE, share, telling, -question)
            if name not in best or strength > best[name][0]:
                best[name] = strength, question, evidence
            common[name].update((text, None) for _, text in found if text not in evidence)
        return [
            self._match(row, question, places[question], evidence, tuple(common[name]))
            for name, (_, question, evidence) in best.items()
        ]

    def _evidence(
        self, question: int, found: list[tuple[int, str]], stock: dict[str, Stock]
    ) -> set[str]:
        """The shared n-grams that tell where the text is from.

        Those that are no stock phrase, and those that are one only because many rows of the pool
        have them, where they make up a passage: rows made from one question share its beginning,
        and would hide each other. What many benchmark questions share is an instruction.
        """
        evidence = {text for _, text in found if text not in stock}
        likely = [
            (place, text) for place, text in found if text in evidence or self._hides(text, stock)
        ]
        for start, stop in self.coverage(question).runs([place for place, _ in likely]):
            if stop - start >= PASSAGE_WORDS:
                evidence |= {text for place, text in likely if start <= place < stop}
        return evidence

    def _hides(self, text: str, stock: dict[str, Stock]) -> bool:
        holders = {question for question, _ in self.places[text]}
        return stock[text].rule == "frequent" and len(holders) < self.minimum

    def coverage(self, question: int) -> Coverage:
        """Coverage of a question, made once."""
        if question not in self._coverage:
            self._coverage[question] = Coverage(self.form, self.form.exam.words_of(question))
        return self._coverage[question]

    def _match(
        self,
        row: int,
        question: int,
        found: list[tuple[int, str]],
        evidence: set[str],
        common: tuple[str, ...],
    ) -> Match:
        coverage = self.coverage(question)
        starts = [place for place, _ in found]
        telling = [place for place, text in found if text in evidence]
        start, stop = max(coverage.runs(telling or starts), key=lambda run: run[1] - run[0])
        words = [self.form.words[i] for i in self.form.exam.words_of(question)[start:stop]]
        grams = tuple(dict.fromkeys(text for _, text in found if text in evidence))
        share = coverage.share(starts)
        if share >= COPY_SHARE:
            kind = "copy"
        elif not grams:
            kind = "boilerplate"
        else:
            kind = "passage" if len(words) >= PASSAGE_WORDS else "phrase"
        return Match(row, question, self.form.name, grams, common, " ".join(words), share, kind)


def exact_matches(pool_keys: Sequence[bytes], exam_keys: Sequence[bytes]) -> list[Match]:
    """Rows whose content key is that of a benchmark question: respellings, short ones included."""
    first: dict[bytes, int] = {}
    for question, key in enumerate(exam_keys):
        first.setdefault(key, question)
    return [
        Match(row, first[key], "exact", (), (), "", 1.0, "exact")
        for row, key in enumerate(pool_keys)
        if key and key in first
    ]


def match_evidence(match: Match, question: Question, text: str) -> dict[str, Any]:
    """Evidence of one match: the benchmark item, the n-grams, both texts."""
    facts = asdict(match)
    del facts["row"], facts["question"]
    return {
        "dataset": question.dataset,
        "question_id": question.question_id,
        **facts,
        "row_text": text,
        "benchmark_text": question.question,
    }
