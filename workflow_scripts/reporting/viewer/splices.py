"""Where spliced phrases lie in a text, found without a tokenizer.

Spans count token ids; a page shows characters. A sibling cell of the same chain that ends at a
span's first id ends, in characters, where the phrase starts: forcing once ends where the second
continuation is spliced in. Where no sibling ends there, the phrase is searched between the nearest
known places, at the point that token counts suggest, and the result is marked as estimated.
"""

from bisect import bisect_right
from dataclasses import dataclass

REPLACEMENT = "\ufffd"  # what a decoder writes for half a character at a cut


@dataclass(frozen=True)
class Splice:
    """Characters [start, stop) of a thinking text that the method wrote."""

    start: int
    stop: int
    exact: bool


def anchors(text: str, tokens: int, siblings: list[tuple[str, int]]) -> dict[int, int]:
    """Known places of one cell's text: token count -> character count.

    `siblings` are (thinking text, thinking tokens) of cells of the same question and sample; only
    those whose text begins this one count. A text that was cut inside a character gives no place.
    """
    found = {0: 0, tokens: len(text)}
    for other, count in siblings:
        if 0 < count < tokens and not other.endswith(REPLACEMENT) and text.startswith(other):
            found[count] = len(other)
    return found


def locate(
    text: str, spans: list[tuple[int, int]], phrase: str, known: dict[int, int]
) -> list[Splice]:
    """Character positions of the spliced id spans `[(start, stop), ...]`, in order.

    Spans that cannot be placed (an empty phrase without an anchor) are left out.
    """
    found: list[Splice] = []
    for start, stop in spans:
        after = found[-1].stop if found else 0
        place = _anchored(text, start, stop, phrase, known)
        place = place or _searched(text, start, phrase, known, after)
        if place is not None and place.start >= after:
            found.append(place)
    return found


def _anchored(
    text: str, start: int, stop: int, phrase: str, known: dict[int, int]
) -> Splice | None:
    if start in known and stop in known:
        return Splice(known[start], known[stop], True)
    if start in known and text.startswith(phrase, known[start]):
        return Splice(known[start], known[start] + len(phrase), True)
    if start in known and phrase.startswith(text[known[start] :]):
        return Splice(known[start], len(text), True)  # cut inside the phrase
    if stop in known and phrase and text.endswith(phrase, 0, known[stop]):
        return Splice(known[stop] - len(phrase), known[stop], True)
    return None


def _searched(
    text: str, start: int, phrase: str, known: dict[int, int], after: int
) -> Splice | None:
    """The occurrence of `phrase` nearest to where token counts put it."""
    if not phrase:
        return None
    counts = sorted(known)
    i = min(max(bisect_right(counts, start), 1), len(counts) - 1)
    left, right = counts[i - 1], counts[i]
    low, high = max(known[left], after), known[right]
    share = (start - left) / (right - left) if right > left else 0.0
    expected = known[left] + share * (known[right] - known[left])
    places = _occurrences(text, phrase, low, high)
    if not places:
        return None
    best = min(places, key=lambda place: abs(place - expected))
    return Splice(best, best + len(phrase), len(places) == 1)


def _occurrences(text: str, phrase: str, low: int, high: int) -> list[int]:
    places, place = [], text.find(phrase, low, high)
    while place >= 0:
        places.append(place)
        place = text.find(phrase, place + len(phrase), high)
    return places
