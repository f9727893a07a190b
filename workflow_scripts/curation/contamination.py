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
    rule: str  # "frequent" or "stock ending"
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
    exam = Exam(form, datasets)
    endings = form.stock_endings(positions).tolist()
    known: dict[tuple[str, ...], list[Match]] = {}
    stock: dict[str, Stock] = {}
    matches: list[Match] = []
    for row, group in groupby(range(len(texts)), key=owners.__getitem__):
        shared = []
        for i in group:
            # Comparing texts makes the hash exact: a collision finds nothing here.
            if texts[i] in exam.places:
                if texts[i] not in stock and (counts[i] or endings[i]):
                    stock[texts[i]] = _stock(texts[i], counts[i])
                shared.append(texts[i])
        # Rows that share the same n-grams (a stock phrase, mostly) have the same matches.
        grams = tuple(dict.fromkeys(shared))
        if grams not in known:
            known[grams] = exam.matches(row, grams, stock)
        matches += [replace(match, row=row) for match in known[grams]]
    return matches, stock


def _stock(text: str, count: int) -> Stock:
    masked = " ".join([masked_word(word) for word in text.split()])
    return Stock(masked, "frequent" if count else "stock ending", count)


class Exam:
    """The benchmarks' side of a form: where each n-gram stands, and how much n-grams cover."""

    def __init__(self, form: Form, datasets: Sequence[str]) -> None:
        self.form, self.datasets = form, datasets
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
        best: dict[str, tuple[tuple[bool, float, int, int], int]] = {}
        common: dict[str, dict[str, None]] = defaultdict(dict)
        for question, found in places.items():
            found.sort()
            name = self.datasets[question]
            telling = len({text for _, text in found if text not in stock})
            share = self.coverage(question).share([place for place, _ in found])
            strength = (telling > 0 or share >= COPY_SHARE, share, telling, -question)
            if name not in best or strength > best[name][0]:
                best[name] = strength, question
            common[name].update((text, None) for _, text in found if text in stock)
        return [
            self._match(row, question, places[question], stock, tuple(common[name]))
            for name, (_, question) in best.items()
        ]

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
        stock: dict[str, Stock],
        common: tuple[str, ...],
    ) -> Match:
        coverage = self.coverage(question)
        starts = [place for place, _ in found]
        telling = [place for place, text in found if text not in stock]
        start, stop = max(coverage.runs(telling or starts), key=lambda run: run[1] - run[0])
        words = [self.form.words[i] for i in self.form.exam.words_of(question)[start:stop]]
        grams = tuple(dict.fromkeys(text for _, text in found if text not in stock))
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
