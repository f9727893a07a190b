"""Answers in words: names, yes and no, days, sets described in words."""

import re

SYMBOLIC = {
    "all real numbers": r"(-\infty,\infty)",
    "all reals": r"(-\infty,\infty)",
    r"\mathbb r": r"(-\infty,\infty)",
    "mathbb r": r"(-\infty,\infty)",
    "the set of all real numbers": r"(-\infty,\infty)",
    "real numbers": r"(-\infty,\infty)",
}
_SAME = {
    "no solution": "empty set", "no solutions": "empty set", "no real solutions": "empty set",
    "no real solution": "empty set", "emptyset": "empty set", "the empty set": "empty set",
    "dne": "does not exist", "doesn't exist": "does not exist", "true": "yes", "false": "no",
    "grey": "gray", "infinitely many": "infinitely many", "infinite": "infinitely many",
}  # fmt: skip
_COUNTED = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
NUMBERS = {word: value for value, word in enumerate(_COUNTED)}
NUMBERS |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "none": 0}
_HEDGES = {"or", "not", "neither", "nor", "either", "isn't", "aren't", "cannot", "except", "maybe"}
MAX_SENTENCE = 20


def words_of(text: str) -> str:
    """Case-folded words with single spaces; LaTeX wrappers and punctuation at the ends dropped."""
    text = re.sub(r"\\text\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"[\\{}$*_`\"]", " ", text).casefold()
    text = re.sub(r"\s+", " ", text).strip(" .,;:!?()[]'-")
    return _SAME.get(text, text)


def same_words(gold: str, candidate: str) -> tuple[bool, bool]:
    """(equal, sentence): whether two texts say the same, and whether a sentence was needed.

    A name inside a sentence of at most 20 words counts, unless the sentence also says another
    thing: it hedges ("or", "neither") or negates.
    """
    if _key(gold) == _key(candidate):
        return True, False
    ours, theirs = re.findall(r"[\w'%-]+", gold), re.findall(r"[\w'%-]+", candidate)
    if not ours or len(theirs) > MAX_SENTENCE or len(theirs) <= len(ours):
        return False, False
    if (set(theirs) - set(ours)) & _HEDGES or len(gold) == 1:
        return False, False
    if ours in (["yes"], ["no"]):
        return theirs[0] == ours[0], True
    places = range(len(theirs) - len(ours) + 1)
    return any(theirs[at : at + len(ours)] == ours for at in places), True


def _key(text: str) -> str:
    text = re.sub(r"^(?:the|an|a) ", "", text)
    return re.sub(r"[\s\-]", "", text)
