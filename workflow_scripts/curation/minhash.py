"""Near-duplicates for a human to look at: MinHash over word 5-grams, then exact similarity.

Signatures are split into bands; rows that agree in a band are candidates (Broder 1997; Leskovec et
al., Mining of Massive Datasets, chapter 3). Every candidate's similarity is computed exactly, and
a bucket links its rows to its first row only, so the work stays linear in the number of rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.curation.ngrams import (
    Corpus,
    Hashes,
    Vocabulary,
    encode,
    gram_hashes,
    gram_positions,
)
from workflow_scripts.curation.text_forms import latex_words

SHINGLE = 5  # words
BANDS, ROWS = 16, 4  # finds 65 % of pairs at similarity 0.5, 99.9 % at 0.8


@dataclass(frozen=True)
class Pair:
    """Two rows (numbers, first < second) and the Jaccard similarity of their shingles."""

    first: int
    second: int
    similarity: float


def near_duplicates(texts: Sequence[str], threshold: float, seed: int) -> list[Pair]:
    """Pairs of texts whose shingles overlap by at least `threshold`, most similar first.

    Texts under SHINGLE words have no shingles and no pairs.
    """
    vocabulary = Vocabulary()
    corpus = encode(texts, latex_words, vocabulary)
    hashes = gram_hashes(corpus, SHINGLE, len(vocabulary))
    valid = gram_positions(corpus, SHINGLE)
    rows, starts, kept = _ragged(corpus, hashes, valid)
    if not len(rows):
        return []
    pairs = sorted(set(_candidates(rows, starts, kept, seed)))
    ends = [*starts[1:].tolist(), len(kept)]
    spans = dict(zip(rows.tolist(), zip(starts.tolist(), ends, strict=True), strict=True))
    found = []
    for first, second in pairs:
        one, two = (np.unique(kept[slice(*spans[row])]) for row in (first, second))
        shared = len(np.intersect1d(one, two, assume_unique=True))
        similarity = shared / (len(one) + len(two) - shared)
        if similarity >= threshold:
            found.append(Pair(first, second, round(similarity, 4)))
    return sorted(found, key=lambda pair: (-pair.similarity, pair.first, pair.second))


def _ragged(
    corpus: Corpus, hashes: Hashes, valid: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Hashes]:
    """Rows that have shingles, where each one's shingles start, and all shingles in row order."""
    counts = np.diff(np.concatenate([[0], np.cumsum(valid)])[corpus.starts])
    rows = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[rows])[:-1]]).astype(np.int64)
    return rows, starts, hashes[valid]


def _candidates(
    rows: NDArray[np.int64], starts: NDArray[np.int64], shingles: Hashes, seed: int
) -> Iterator[tuple[int, int]]:
    numbers = np.random.default_rng(seed).integers(1, 2**63, size=(BANDS, ROWS), dtype=np.uint64)
    for band in numbers:
        key = np.zeros(len(rows), np.uint64)
        for number in band:
            # Multiplying by an odd number permutes the hashes; xor makes the orders independent.
            mixed = (shingles ^ number) * (number | np.uint64(1))
            mixed ^= mixed >> np.uint64(29)
            key = key * np.uint64(0x9E3779B97F4A7C15) + np.minimum.reduceat(mixed, starts)
        order = np.lexsort([rows, key])
        same = key[order][1:] == key[order][:-1]
        group = np.concatenate([[0], np.cumsum(~same)])
        firsts = rows[order][np.concatenate([[True], ~same])]
        for place in np.flatnonzero(same) + 1:
            yield int(firsts[group[place]]), int(rows[order[place]])
