"""Answers in words, in another base, as ratios and times: compared by rules of their own."""

import re

from workflow_scripts.grading.forms import Base, Form, Ratio, Scalar, Words
from workflow_scripts.grading.outcome import Outcome, joined, refused
from workflow_scripts.grading.scalars import same_scalars
from workflow_scripts.grading.units import quantity
from workflow_scripts.grading.words import counted, counted_things, same_words, words_of


def with_words(gold: Form, candidate: Form) -> Outcome:
    """Compare where at least one side is a text answer."""
    if isinstance(gold, Words) and isinstance(candidate, Words):
        equal, sentence = same_words(gold.text, candidate.text)
        outcome = Outcome(equal, "text")
        return outcome.flagged("text") if sentence else outcome
    words, other = (gold, candidate) if isinstance(gold, Words) else (candidate, gold)
    assert isinstance(words, Words)
    if isinstance(other, Scalar) and counted(words.text) is not None:
        value = Scalar(str(counted(words.text)))
        pair = (value, other) if words is gold else (other, value)
        return same_scalars(*pair).flagged("text")
    things = _things(words.text)
    if isinstance(other, Scalar) and things is not None:
        pair = (things, other) if words is gold else (other, things)
        return same_scalars(*pair).flagged("text")
    if isinstance(other, Scalar) and not other.unit:
        ours, theirs = _both_words(gold, candidate)
        if not isinstance(gold, Words) and re.search(r"\d", ours):
            return refused("unparsed")
        equal, sentence = same_words(ours, theirs)
        return Outcome(equal and not sentence, "text")
    return refused("text" if isinstance(gold, Words) else "unparsed")


def _things(text: str) -> Scalar | None:
    """`exactly three solutions` as the scalar that `3 solutions` is; None for other words."""
    found = counted_things(text)
    if found is None:
        return None
    taken = quantity(f"{found[0]} {found[1]}")
    plain = taken.body == str(found[0]) and not taken.odd
    return Scalar(taken.body, taken.unit, taken.percent) if plain else None


def _both_words(*answers: Form) -> tuple[str, str]:
    ours, theirs = (
        a.text if isinstance(a, Words) else words_of(a.latex) if isinstance(a, Scalar) else ""
        for a in answers
    )
    return ours, theirs


def with_base(gold: Form, candidate: Form) -> Outcome:
    """Compare where at least one side has a base subscript."""
    if isinstance(gold, Base) and isinstance(candidate, Base):
        return Outcome(gold == candidate, "base")
    based, other = gold, candidate
    if not isinstance(based, Base) or not isinstance(other, (Scalar, Words)):
        return _decimal_base(gold, candidate)
    typed = (other.latex if isinstance(other, Scalar) else other.text.upper()).replace(",", "")
    typed = typed.lstrip("0") or "0"
    return Outcome(typed == based.digits, "base").flagged("base")


def _decimal_base(gold: Form, candidate: Form) -> Outcome:
    """A gold without a base is a decimal number: only base ten says the same."""
    if isinstance(candidate, Base) and candidate.base == 10 and isinstance(gold, Scalar):
        return same_scalars(gold, Scalar(candidate.digits))
    return refused("base")


def with_ratio(gold: Form, candidate: Form) -> Outcome:
    """Compare where at least one side is a ratio or a time."""
    if isinstance(gold, Ratio) and isinstance(candidate, Ratio):
        if gold.meridiem and candidate.meridiem and gold.meridiem != candidate.meridiem:
            return refused("time")
        same = joined(map(_same_items, gold.items, candidate.items), "structure")
        same = same if len(gold.items) == len(candidate.items) else refused("structure")
        if same.equal and gold.meridiem != candidate.meridiem:
            return same.flagged("unit")
        if gold.time and not candidate.time or candidate.meridiem and not gold.time:
            return refused("time")
        if same.equal or gold.time or len(gold.items) != len(candidate.items):
            return same
        return _in_proportion(gold, candidate)
    ratio = gold if isinstance(gold, Ratio) else candidate
    other = candidate if isinstance(gold, Ratio) else gold
    assert isinstance(ratio, Ratio)
    if ratio.meridiem or len(ratio.items) != 2 or not isinstance(other, Scalar):
        return refused("structure")
    return _quotients(gold, candidate)


def _in_proportion(gold: Ratio, candidate: Ratio) -> Outcome:
    """`4:6:10` for `2:3:5`: every part over the first is the same."""
    ours, theirs = (
        [_quotient(Ratio((part, answer.items[0]))) for part in answer.items[1:]]
        for answer in (gold, candidate)
    )
    return joined(map(same_scalars, ours, theirs), "structure").flagged("form")


def _quotients(gold: Form, candidate: Form) -> Outcome:
    ours, theirs = _quotient(gold), _quotient(candidate)
    return same_scalars(ours, theirs).flagged("form")


def _quotient(answer: Form) -> Scalar:
    if isinstance(answer, Ratio):
        top, bottom = (item.latex for item in answer.items if isinstance(item, Scalar))
        return Scalar(rf"\frac{{{top}}}{{{bottom}}}")
    assert isinstance(answer, Scalar)
    return answer


def _same_items(gold: Form, candidate: Form) -> Outcome:
    assert isinstance(gold, Scalar) and isinstance(candidate, Scalar)
    return same_scalars(gold, candidate)
