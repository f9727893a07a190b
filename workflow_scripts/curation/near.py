"""What nearly repeats, for a list to review: nothing is dropped for it.

Rows near a benchmark question (`near_questions`): how much of the question stands in a row, in
3-grams of letters weighted by rarity. Word n-grams see a copy word by word, this sees one whose
words were changed all over. Weights are inverse document frequencies over rows and questions, so
that what many questions share counts little.

Benchmark questions that a training set touches (`touched_questions`), stock phrases included:
decontamination sets those apart and keeps their rows, and what that leaves to doubt is told by
accuracy without these questions.

Rows near each other (`near_duplicates`): compared by word 5-grams, and by windows of letters and
digits, where a word put in or misspelt every few words costs little. MinHash signatures are split
into bands; rows that agree in a band are candidates (Broder 1997; Leskovec et al., Mining of
Massive Datasets, chapter 3). Every candidate's similarity is computed exactly, and a bucket links
its rows to its first row only, so the work stays linear in the number of rows.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.curation.contamination import Exam, letter_hashes
from workflow_scripts.curation.ngrams import (
    Corpus,
    Hashes,
    WordNumbers,
    encode,
    exam_positions,
    gram_hashes,
    gram_positions,
    plain_form,
)
from workflow_scripts.curation.text import latex_words, readable

Grams = NDArray[np.uint64]
Places = NDArray[np.int64]

SIZE = 3  # letters of 21 bits each make one number
BLOCK = 1 << 20  # letters at a time
CELLS = 1 << 20  # of a table of rows by questions
LEAST_LETTERS = 24  # shorter questions are in too many rows by chance
COMMON = 0.6  # of the least share: weight that a question's most common 3-grams may leave out

_OTHER = re.compile(r"[\W_]+")
_OTHER_ASCII = {i: None for i in range(128) if not chr(i).isalnum()}


@dataclass(frozen=True)
class Near:
    """A row, a question (numbers), and the share of the question's weight in the row, 0 to 1."""

    row: int
    question: int
    share: float


def near_questions(rows: Sequence[str], questions: Sequence[str], least: float) -> list[Near]:
    """All pairs with at least this share, the largest first."""
    asked = [np.unique(_grams([text])[0]) for text in map(letters_of, questions)]
    known = np.unique(np.concatenate([*asked, np.empty(0, np.uint64)]))
    if not len(known) or not rows:
        return []
    holding = _Holding(known, rows)
    own = [np.searchsorted(known, grams) for grams in asked]
    held = np.bincount(np.concatenate([*own, holding.places]), minlength=len(known))
    # 1 + keeps what two of a few texts share from being worth nothing.
    rarity = np.log(1 + (len(own) + len(rows)) / np.maximum(held, 1))
    long = [len(letters_of(text)) >= LEAST_LETTERS for text in questions]
    index = _Index(own, held, rarity, least, long)
    found = []
    for row, question in index.candidates(holding):
        share = index.share(question, holding.of(row))
        if share >= least:
            found.append(Near(row, question, round(share, 4)))
    return sorted(found, key=lambda near: (-near.share, near.row, near.question))


def letters_of(text: str) -> str:
    """Letters and digits alone, lower case, as a reader sees them."""
    if text.isascii():
        return text.translate(_OTHER_ASCII).lower()
    return _OTHER.sub("", readable(text).lower())


def _grams(texts: Sequence[str]) -> tuple[Grams, NDArray[np.int64]]:
    """Every 3-gram of the texts as one number, and the text that each is of."""
    bare = "".join(texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(bare, dtype=np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    count = max(0, len(codes) - SIZE + 1)
    grams = np.zeros(count, dtype=np.uint64)
    for i in range(SIZE):
        grams |= codes[i : i + count] << np.uint64(21 * i)
    inside = owners[:count] == owners[SIZE - 1 :]
    return grams[inside], owners[:count][inside]


class _Holding:
    """Which of the known 3-grams each row has: row i has `places[starts[i] : starts[i + 1]]`."""

    def __init__(self, known: Grams, rows: Sequence[str]) -> None:
        parts, counts = [], []
        block: list[str] = []
        size = 0
        for number, text in enumerate(rows):
            block.append(letters_of(text))
            size += len(block[-1])
            if size >= BLOCK or number + 1 == len(rows):
                places, held = _known_places(known, block)
                parts.append(places)
                counts.append(held)
                block, size = [], 0
        self.places = np.concatenate(parts)
        self.starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])

    def of(self, row: int) -> NDArray[np.int32]:
        """The row's distinct known 3-grams, ascending."""
        return self.places[self.starts[row] : self.starts[row + 1]]


def _known_places(
    known: Grams, texts: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The texts' distinct known 3-grams, text by text and ascending, and how many each has."""
    grams, owners = _grams(texts)
    places = np.searchsorted(known, grams)
    places[places == len(known)] = 0
    found = known[places] == grams
    pairs = np.sort(owners[found] * len(known) + places[found])
    pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])[: len(pairs)]]
    counts = np.bincount(pairs // len(known), minlength=len(texts))
    return (pairs % len(known)).astype(np.int32), counts


class _Index:
    """The questions by their rarer 3-grams: a row near a question holds enough of these.

    What is left out of a question's index is at most COMMON of the least share, so a row with that
    share has the rest of it in the index: no near row is missed, and few others are tried.
    """

    def __init__(
        self,
        own: Sequence[Places],
        held: Places,
        rarity: NDArray[np.float64],
        least: float,
        long: Sequence[bool],
    ) -> None:
        self.own, self.rarity = own, rarity
        self.totals = np.array([rarity[grams].sum() for grams in own])
        self.needed = np.full(len(own), np.inf)
        grams, asked = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for question, places in enumerate(own):
            if not long[question] or not self.totals[question]:
                continue
            ordered = places[np.argsort(-held[places], kind="stable")]
            left_out = np.cumsum(rarity[ordered])
            first = np.searchsorted(left_out, COMMON * least * self.totals[question], "right")
            spare = left_out[first - 1] if first else 0.0
            # A little less, for sums that are rounded in another order.
            self.needed[question] = least * self.totals[question] * (1 - 1e-9) - spare
            grams.append(ordered[first:])
            asked.append(np.full(len(ordered) - first, question))
        by_gram = np.argsort(np.concatenate(grams), kind="stable")
        self.asked = np.concatenate(asked)[by_gram]
        counts = np.bincount(np.concatenate(grams), minlength=len(rarity))
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def candidates(self, holding: _Holding) -> list[tuple[int, int]]:
        """(row, question) of every pair that may reach the least share."""
        found = []
        step, rows = max(1, CELLS // len(self.own)), len(holding.starts) - 1
        for start in range(0, rows, step):
            ends = holding.starts[start : min(rows, start + step) + 1]
            places = holding.places[ends[0] : ends[-1]]
            owners = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
            counts = self.starts[places + 1] - self.starts[places]
            before = np.cumsum(counts) - counts
            at = np.arange(counts.sum()) + np.repeat(self.starts[places] - before, counts)
            cells = np.repeat(owners, counts) * len(self.own) + self.asked[at]
            weights = np.repeat(self.rarity[places], counts)
            table = np.bincount(cells, weights, (len(ends) - 1) * len(self.own))
            enough = np.argwhere(table.reshape(-1, len(self.own)) >= self.needed)
            found += [(start + int(row), int(question)) for row, question in enough]
        return found

    def share(self, question: int, places: NDArray[np.int32]) -> float:
        """The share of the question's weight in these 3-grams."""
        own = self.own[question]
        inside = np.isin(own, places, assume_unique=True)
        return float(self.rarity[own[inside]].sum() / self.totals[question])


NEAR = 0.6
TOUCHED = {
    "set": pl.String,
    "dataset": pl.String,
    "question_id": pl.String,
    "how": pl.String,  # "n-gram", "letters" or both
    "rows": pl.Int64,  # rows of the set that share something with it
}


def touched_questions(
    sets: Mapping[str, Sequence[str]], questions: Sequence[Question], n: int
) -> pl.DataFrame:
    """One row (TOUCHED) per set and question that share a word n-gram or most of their letters.

    sets  the questions of each set's rows
    """
    lines = []
    for name, texts in sets.items():
        for number, ways in sorted(_touched(texts, questions, n).items()):
            rows = set().union(*ways.values())
            question = questions[number]
            how = ", ".join(sorted(ways, reverse=True))
            lines.append((name, question.dataset, question.question_id, how, len(rows)))
    return pl.DataFrame(lines, schema=TOUCHED, orient="row")


def _touched(
    texts: Sequence[str], questions: Sequence[Question], n: int
) -> dict[int, dict[str, set[int]]]:
    """Question -> the ways in which it is touched -> the rows."""
    asked = [question.question for question in questions]
    found: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    form = plain_form(texts, asked, n)
    places = Exam(form, [question.dataset for question in questions], 1).places
    positions = exam_positions(form)
    for position, row in zip(
        positions.tolist(), form.pool.text_of(positions).tolist(), strict=True
    ):
        for question, _ in places.get(form.gram(position), ()):
            found[question]["n-gram"].add(row)
    for near in near_questions(texts, asked, NEAR):
        found[near.question]["letters"].add(near.row)
    return found


SHINGLE = 5  # words
WORD_BANDS = (16, 4)  # bands, rows: finds 65 % of pairs at similarity 0.5, 99.9 % at 0.8
LETTER_BANDS = (12, 3)  # 80 % at 0.5, 97 % at 0.64: a typo every seven words
TEXTS = 4096  # whose letters are hashed at a time
SHINGLES = 1 << 16  # shingles at a time: they stay in the processor's cache


@dataclass(frozen=True)
class Pair:
    """Two rows (numbers, first < second) and the Jaccard similarities of their shingles."""

    first: int
    second: int
    similarity: float  # of word 5-grams
    letters: float  # of windows of letters

    @property
    def most(self) -> float:
        """The larger one."""
        return max(self.similarity, self.letters)


@dataclass(frozen=True)
class _Shingles:
    """Rows that have shingles, where each one's start, and all shingles in row order."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    hashes: Hashes


def near_duplicates(texts: Sequence[str], threshold: float, seed: int) -> list[Pair]:
    """Pairs of texts that are similar by at least `threshold` in words or in letters.

    The most similar first. A text under SHINGLE words and a window of letters has no pairs.
    """
    vocabulary = WordNumbers()
    corpus = encode(texts, latex_words, vocabulary)
    hashes = gram_hashes(corpus, SHINGLE, len(vocabulary))
    shingles = _ragged(corpus.starts, hashes, gram_positions(corpus, SHINGLE), 0)
    pairs = {*_candidates([shingles], WORD_BANDS, seed)}
    pairs |= {*_candidates(_letter_shingles(texts), LETTER_BANDS, seed)}
    words = _sets(lambda row: _word_shingles(corpus, hashes, row))
    letters = _sets(lambda row: _letter_shingles_of(texts[row]))
    found = [
        Pair(one, other, _jaccard(words(one), words(other)), _jaccard(letters(one), letters(other)))
        for one, other in sorted(pairs)
    ]
    near = [pair for pair in found if pair.most >= threshold]
    return sorted(near, key=lambda pair: (-pair.most, pair.first, pair.second))


def near_by_hashing(
    rows: Sequence[str], questions: Sequence[str], threshold: float, seed: int
) -> list[Pair]:
    """Rows (`first`) and questions (`second`) that are similar by at least `threshold`.

    As `near_duplicates`, of rows against questions alone: the most similar first. Beside the rule
    of word n-grams it finds copies whose words were changed or misspelt here and there.
    """
    texts = [*questions, *rows]
    vocabulary = WordNumbers()
    corpus = encode(texts, latex_words, vocabulary)
    hashes = gram_hashes(corpus, SHINGLE, len(vocabulary))
    shingles = _ragged(corpus.starts, hashes, gram_positions(corpus, SHINGLE), 0)
    pairs = {*_across([shingles], WORD_BANDS, seed, len(questions))}
    pairs |= {*_across(_letter_shingles(texts), LETTER_BANDS, seed, len(questions))}
    words = _sets(lambda row: _word_shingles(corpus, hashes, row))
    letters = _sets(lambda row: _letter_shingles_of(texts[row]))
    found = [
        Pair(
            row - len(questions),
            question,
            _jaccard(words(row), words(question)),
            _jaccard(letters(row), letters(question)),
        )
        for row, question in sorted(pairs)
    ]
    near = [pair for pair in found if pair.most >= threshold]
    return sorted(near, key=lambda pair: (-pair.most, pair.first, pair.second))


def _across(
    parts: Iterable[_Shingles], bands: tuple[int, int], seed: int, questions: int
) -> Iterator[tuple[int, int]]:
    """Rows (numbers from `questions` on) and questions (those below) that agree in a band."""
    numbers = np.random.default_rng(seed).integers(1, 2**63, size=bands, dtype=np.uint64)
    blocks = [(block.rows, _keys(block, numbers)) for part in parts for block in _blocks(part)]
    if not blocks:
        return
    every = np.concatenate([own for own, _ in blocks])
    asked = every < questions
    for band in range(bands[0]):
        key = np.concatenate([keys[band] for _, keys in blocks])
        order = np.argsort(key[asked], kind="stable")
        sought, known = every[asked][order], key[asked][order]
        left = np.searchsorted(known, key[~asked], "left")
        right = np.searchsorted(known, key[~asked], "right")
        for row, first, last in zip(every[~asked].tolist(), left, right, strict=True):
            for question in sought[first:last].tolist():
                yield row, question


def _word_shingles(corpus: Corpus, hashes: Hashes, row: int) -> Hashes:
    start, stop = corpus.starts[row : row + 2].tolist()
    return hashes[start : max(start, stop - SHINGLE + 1)]


def _letter_shingles_of(text: str) -> Hashes:
    hashes, valid, _ = letter_hashes([letters_of(text)])
    return hashes[valid]


def _letter_shingles(texts: Sequence[str]) -> Iterator[_Shingles]:
    for start in range(0, len(texts), TEXTS):
        bare = [letters_of(text) for text in texts[start : start + TEXTS]]
        hashes, valid, starts = letter_hashes(bare)
        yield _ragged(starts, hashes, valid, start)


def _sets(shingles: Callable[[int], Hashes]) -> Callable[[int], Hashes]:
    """The distinct shingles of a row, kept for the rows that were asked for last."""
    return lru_cache(maxsize=1024)(lambda row: np.unique(shingles(row)))


def _jaccard(one: Hashes, other: Hashes) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return round(shared / max(1, len(one) + len(other) - shared), 4)


def _ragged(
    text_starts: NDArray[np.int64], hashes: Hashes, valid: NDArray[np.bool_], first_row: int
) -> _Shingles:
    counts = np.diff(np.concatenate([[0], np.cumsum(valid)])[text_starts])
    rows = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[rows])[:-1]]).astype(np.int64)
    return _Shingles(rows + first_row, starts[: len(rows)], hashes[valid])


def _candidates(
    parts: Iterable[_Shingles], bands: tuple[int, int], seed: int
) -> Iterator[tuple[int, int]]:
    numbers = np.random.default_rng(seed).integers(1, 2**63, size=bands, dtype=np.uint64)
    blocks = [(block.rows, _keys(block, numbers)) for part in parts for block in _blocks(part)]
    if not blocks:
        return
    rows = np.concatenate([own for own, _ in blocks])
    for band in range(bands[0]):
        key = np.concatenate([keys[band] for _, keys in blocks])
        order = np.lexsort([rows, key])
        same = key[order][1:] == key[order][:-1]
        group = np.concatenate([[0], np.cumsum(~same)])
        firsts = rows[order][np.concatenate([[True], ~same])]
        for place in np.flatnonzero(same) + 1:
            yield int(firsts[group[place]]), int(rows[order[place]])


def _blocks(shingles: _Shingles) -> Iterator[_Shingles]:
    """The same rows, some at a time: about SHINGLES shingles."""
    cuts = np.searchsorted(shingles.starts, np.arange(0, len(shingles.hashes), SHINGLES))
    edges = np.unique([*cuts.tolist(), len(shingles.rows)]).tolist()
    for first, last in zip(edges, edges[1:], strict=False):
        start = int(shingles.starts[first])
        stop = shingles.starts[last] if last < len(shingles.rows) else len(shingles.hashes)
        rows, starts = shingles.rows[first:last], shingles.starts[first:last]
        yield _Shingles(rows, starts - start, shingles.hashes[start:stop])


def _keys(shingles: _Shingles, numbers: Hashes) -> Hashes:
    """One key per band and row: rows with equal ones are candidates."""
    keys = np.zeros((len(numbers), len(shingles.rows)), np.uint64)
    for band, own in enumerate(numbers):
        for number in own:
            # Multiplying by an odd number permutes the hashes; xor makes the orders independent.
            mixed = (shingles.hashes ^ number) * (number | np.uint64(1))
            mixed ^= mixed >> np.uint64(29)
            least = np.minimum.reduceat(mixed, shingles.starts)
            keys[band] = keys[band] * np.uint64(0x9E3779B97F4A7C15) + least
    return keys
