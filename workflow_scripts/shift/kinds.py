"""Of what kind a token is: second thought, number, symbol, word or space.

A kind is found in the text and carried to the tokens that overlap it, because a word may be spelled
in several of them.
"""

import re
from collections.abc import Sequence

import numpy as np

from workflow_scripts.shift.tables import KINDS, MARKER, NUMBER, SPACE, SYMBOL, WORD

COMMAND = re.compile(r"\\[A-Za-z]+")


def marker_pattern(markers: Sequence[str]) -> re.Pattern:
    """Whole words of the list in any case, also with -s, -ed, -ing, "verifies" and "verified"."""
    stems = []
    for word in sorted(markers, key=len, reverse=True):
        stem = re.escape(word).replace(r"\ ", r"\s+")
        endings = "(?:y|ies|ied|ying)" if word.endswith("y") else "(?:s|ed|ing)?"
        stems.append((stem[:-1] if word.endswith("y") else stem) + endings)
    return re.compile(rf"\b(?:{'|'.join(stems)})\b", re.IGNORECASE)


def kinds_of(pieces: Sequence[bytes], markers: re.Pattern) -> np.ndarray:
    """Kind of each token, int8 [R]: second thought, else by the characters that it writes."""
    text, starts, stops = laid_out(pieces)
    kinds = np.array([KINDS.index(_kind(text[a:b])) for a, b in zip(starts, stops, strict=True)])
    for found in markers.finditer(text):
        hit = (starts < found.end()) & (stops > found.start())
        kinds[hit] = KINDS.index(MARKER)
    for found in COMMAND.finditer(text):
        hit = (starts < found.end()) & (stops > found.start())
        kinds[hit] = KINDS.index(SYMBOL)
    return kinds.astype(np.int8)


def laid_out(pieces: Sequence[bytes]) -> tuple[str, np.ndarray, np.ndarray]:
    """Text of some tokens, and where each begins and ends in it, in characters."""
    whole = b"".join(pieces)
    text = whole.decode(errors="replace")
    ends = np.cumsum([0, *map(len, pieces)])
    if len(text) != len(whole):  # characters of several bytes
        begins = [0, *np.cumsum(np.frombuffer(whole, np.uint8) & 0xC0 != 0x80).tolist()]
        ends = np.minimum(np.array(begins)[ends], len(text))
    return text, ends[:-1], ends[1:]


def _kind(text: str) -> str:
    if not text.strip():
        return SPACE
    if any(letter.isdigit() for letter in text):
        return NUMBER
    return WORD if any(letter.isalpha() for letter in text) else SYMBOL
