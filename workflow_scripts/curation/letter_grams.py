"""How much of a benchmark question stands in a row, in 3-grams of letters weighted by rarity.

For a list to review, beside the rule of decontamination: word n-grams see a copy word by word, this
sees one whose words were changed all over. Weights are inverse document frequencies over rows and
questions, so that what many questions share counts little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workflow_scripts.curation.text_forms import readable

Grams = NDArray[np.uint64]

SIZE = 3  # letters of 21 bits each make one number
BLOCK = 1024  # rows at a time: a dense matrix of rows by the questions' 3-grams
LEAST_LETTERS = 24  # shorter questions are in too many rows by chance


@dataclass(frozen=True)
class Near:
    """A row, a question (numbers), and the share of the question's weight in the row, 0 to 1."""

    row: int
    question: int
    share: float


def near_questions(rows: Sequence[str], questions: Sequence[str], least: float) -> list[Near]:
    """All pairs with at least this share, the largest first."""
    grams, asked = [_grams(text) for text in rows], [_grams(text) for text in questions]
    known = np.unique(np.concatenate([*asked, np.empty(0, np.uint64)]))
    if not len(known) or not rows:
        return []
    places = [_places(known, own) for own in grams]
    weights = _weights(known, asked, places)
    totals = weights.sum(axis=1)
    long = np.array([len(_letters(text)) >= LEAST_LETTERS for text in questions]) & (totals > 0)
    found: list[Near] = []
    for start in range(0, len(rows), BLOCK):
        block = places[start : start + BLOCK]
        held = np.zeros((len(block), len(known)), dtype=np.float32)
        for i, own in enumerate(block):
            held[i, own] = 1
        shares = held @ weights.T / np.where(totals > 0, totals, 1)
        for i, question in np.argwhere((shares >= least) & long):
            share = round(float(shares[i, question]), 4)
            found.append(Near(start + int(i), int(question), share))
    return sorted(found, key=lambda near: (-near.share, near.row, near.question))


def _letters(text: str) -> str:
    return "".join([c for c in readable(text).lower() if c.isalnum()])


def _grams(text: str) -> Grams:
    """The text's distinct 3-grams of letters and digits, each as one number."""
    bare = _letters(text).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(bare, dtype=np.uint32).astype(np.uint64)
    shifted = [codes[i : len(codes) + i - SIZE + 1] << np.uint64(21 * i) for i in range(SIZE)]
    return np.unique(shifted[0] | shifted[1] | shifted[2]) if len(codes) >= SIZE else codes[:0]


def _places(known: Grams, own: Grams) -> NDArray[np.int64]:
    places = np.searchsorted(known, own)
    places[places == len(known)] = 0
    return places[known[places] == own]


def _weights(
    known: Grams, asked: Sequence[Grams], places: Sequence[NDArray[np.int64]]
) -> NDArray[np.float32]:
    """Questions by 3-grams: the gram's weight where the question has it."""
    own = [np.searchsorted(known, grams) for grams in asked]
    held = np.bincount(np.concatenate([*own, *places]), minlength=len(known))
    # 1 + keeps what two of a few texts share from being worth nothing.
    rarity = np.log(1 + (len(own) + len(places)) / np.maximum(held, 1)).astype(np.float32)
    weights = np.zeros((len(asked), len(known)), dtype=np.float32)
    for i, found in enumerate(own):
        weights[i, found] = rarity[found]
    return weights
