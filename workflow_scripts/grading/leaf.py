"""The simplest forms: a text answer, or one value with its unit."""

import re

from workflow_scripts.grading.braces import enclosed
from workflow_scripts.grading.forms import Form, Group, Scalar, Words
from workflow_scripts.grading.normalise import canonical
from workflow_scripts.grading.units import quantity
from workflow_scripts.grading.words import counted, words_of

_SHORT_WORDS = {
    "yes", "no", "odd", "even", "all", "any", "none", "one", "two", "six", "ten", "red", "may",
    "mon", "tue", "wed", "thu", "fri", "sat", "sun",
}  # fmt: skip


def leaf(text: str) -> Form:
    """Words, or a scalar with its unit and percent sign taken off."""
    words = _plain_words(text)
    if words is not None:
        return words
    taken = quantity(text)
    wrapped = enclosed(taken.body)
    body = taken.body
    if wrapped and wrapped[0] in "([" and "," not in wrapped[1]:
        inner = quantity(wrapped[1])
        unit, percent = taken.unit or inner.unit, taken.percent or inner.percent
        odd = taken.odd or inner.odd
        return Scalar(canonical(inner.body).removeprefix("+"), unit, percent, odd)
    if re.search(r"\\text\{|(?<![\\A-Za-z{])[A-Za-z]{5,}", body):
        return Words(words_of(text))
    return Scalar(canonical(body).removeprefix("+"), taken.unit, taken.percent, taken.odd)


def _worded_list(text: str) -> Form:
    """`\\text{A, B and C}` lists short names; anything longer is one text."""
    if counted(text) is not None:
        return Words(text)
    parts = [part.strip() for part in re.split(r",| and |;", text) if part.strip()]
    if len(parts) < 2 or any(len(part.split()) > 2 for part in parts) or parts[0] in ("yes", "no"):
        return Words(text)
    return Group("", tuple(Words(part) for part in parts), "")


def _plain_words(text: str) -> Form | None:
    """The text as words, if it is nothing but words."""
    if re.fullmatch(r"(?:\\text\{[^{}]*\}\s*)+", text):
        return _worded_list(words_of(text))
    plain = re.fullmatch(r"[A-Za-z][A-Za-z', \-]*[A-Za-z.]", text)
    if plain and re.search(r"[A-Za-z]{4,}|[A-Za-z]{2,} [A-Za-z]{2,}", text):
        return Words(words_of(text))
    return Words(words_of(text)) if words_of(text) in _SHORT_WORDS else None
