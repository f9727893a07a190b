"""Finding the answer in a model's text: which rule fired, on which span.

The order is fixed: the last box of the answer part, then "Final Answer:", "answer is" and
"Answer:", then a formula or a value that ends the last sentence. Nothing else is guessed.
"""

import re
from dataclasses import dataclass, replace

from workflow_scripts.grading.answer_part import answer_part
from workflow_scripts.grading.boxes import Box, boxes_of, last_sentence, one_list, unboxed
from workflow_scripts.grading.phrases import (
    ANCHOR,
    COMPLETE,
    FORMULA,
    INTENT,
    IS_ANSWER,
    LAST_NUMBER,
    NOT_BEFORE,
    PLAN,
    STATES,
    TAKEN_BACK,
    capture,
    ending,
    in_formula,
    inside,
    is_sentence,
    joined_formulas,
    single_value,
    undecorated,
)
from workflow_scripts.grading.runs import squeezed

MAX_TAIL = 60_000  # characters of the answer part that are searched, from its end
MAX_BARE = 400
MAX_WEAK = 160  # "the value is" counts only this near the end


@dataclass(frozen=True)
class Extraction:
    """An answer found in a text.

    text   what is compared; None when nothing was found
    rule   "boxed", "boxes", "final-answer", "answer-is", "answer", "bare", "last-math",
           "mentioned", "last-value", "last-line", "last-number", "thinking-only" or "none"; for
           letters also "line", "stated", "option-text", "hedge" and "out-of-range"
    span   start and stop in the text
    last   the last of several boxes, for a gold with one value; None otherwise
    """

    text: str | None
    rule: str
    span: tuple[int, int] = (0, 0)
    last: str | None = None


def extract(text: str, last_number: bool = False) -> Extraction:
    """The answer of a whole response or of a bare answer (kinds "math" and "integer")."""
    short = squeezed(text)
    part = answer_part(short.text)
    if part is None:
        return Extraction(None, "thinking-only")
    start = max(part[0], part[1] - MAX_TAIL)
    found = extract_part(short.text[start : part[1]], last_number)
    place = (found.span[0] + start, found.span[1] + start)
    span = short.span(place)
    if found.text is not None and short.changed(place):  # 401 minus signs are not 48
        return Extraction(text[slice(*span)], found.rule, span)
    return replace(found, span=span)


def extract_part(text: str, last_number: bool = False) -> Extraction:
    """The answer in the text of an answer part."""
    boxes, open_box = boxes_of(text)
    if boxes:
        return _boxed(text, boxes)
    cut_off = open_box is not None
    found = _anchored(text[:open_box] if cut_off else text)
    if found is None and not cut_off:
        found = _unanchored(text)
    if found is not None:
        return found
    numbers = list(LAST_NUMBER.finditer(text)) if last_number else []
    if numbers:
        return Extraction(numbers[-1].group(), "last-number", numbers[-1].span())
    return Extraction(None, "none")


def _boxed(text: str, boxes: list[Box]) -> Extraction:
    """The last box; with the others of its sentence, if they differ, as a list."""
    last = boxes[-1]
    if NOT_BEFORE.search(text[max(0, last.start - 20) : last.start]):
        return Extraction(None, "none", (last.start, last.stop))
    content = unboxed(last.content)
    together = last_sentence(text, boxes)
    contents = list(dict.fromkeys(unboxed(box.content) for box in together))
    if len(contents) < 2:
        return Extraction(content, "boxed", (last.start, last.stop))
    alone = None if one_list(text, together) else content
    return Extraction(", ".join(contents), "boxes", (together[0].start, last.stop), alone)


def _anchored(text: str) -> Extraction | None:
    """What follows the last anchor phrase; "answer" phrases go before "result" phrases."""
    matches = list(ANCHOR.finditer(text))
    strong = [match for match in matches if not match["weak"]]
    matches = [match for match in matches if match.end() > len(text) - MAX_WEAK]
    for match in reversed(strong or matches):
        found = capture(text, match.end())
        if found is not None:
            return Extraction(found[0], _anchor_rule(match), found[1])
    stated = list(IS_ANSWER.finditer(text))
    if stated:
        return Extraction(stated[-1]["value"], "answer-is", stated[-1].span("value"))
    return None


def _anchor_rule(match: re.Match[str]) -> str:
    lead = match.group().casefold()
    if "final" in lead:
        return "final-answer"
    return "answer-is" if re.search(r"\b(?:is|are|be)\b", lead) else "answer"


def _unanchored(text: str) -> Extraction | None:
    """A bare answer as it is; else what the last sentence ends in."""
    bare = undecorated(text)
    if not bare:
        return None
    start = text.index(bare) if bare in text else 0
    whole = (start, start + len(bare))
    if not is_sentence(bare) and len(bare) <= MAX_BARE:
        return Extraction(bare, "bare", whole)
    if in_formula(bare):
        return None  # cut off in the middle of a formula
    last = re.split(r"(?<=[.!?。])\s+(?=[A-Z\\$*(\"])|\n", bare)[-1]
    span = (start + len(bare) - len(last), start + len(bare))
    if TAKEN_BACK.search(re.split(r"[,;]\s+|\b(?:so|thus|hence|therefore)\b", last)[-1]):
        short = len(bare) < 160 and not re.search(r"[\d\n]", bare)  # "No, it is not."
        return Extraction(bare, "bare", whole) if short else None
    value = ending(last)
    if value is not None and not INTENT.match(last):
        return Extraction(value, "last-value", span)
    found = _last_formula(bare, len(bare) - len(last), span)
    if found is not None:
        return found
    if last != bare and not is_sentence(undecorated(last)):
        return Extraction(undecorated(last), "last-line", span)
    value = single_value(bare)
    if value is not None:
        return Extraction(value, "last-value", whole)
    short = len(bare) < 160 and "\n" not in bare
    return Extraction(bare, "bare", whole) if short else None


def _last_formula(text: str, sentence: int, span: tuple[int, int]) -> Extraction | None:
    """The last formula of the last sentence, else of the last lines, that is more than a name.

    A text that ends in the middle of a sentence has none, and a sentence that says what is to be
    done ("we want to simplify ...") states none. A formula that is only mentioned has the rule
    "mentioned". `last` is what stands after its last equals sign.
    """
    if not COMPLETE.search(text):
        return None
    tail = text[-2000:]
    formulas = list(FORMULA.finditer(tail))
    offset = len(text) - len(tail)
    for begin in (sentence, len(text) - 600):
        near = [f for f in formulas if f.end() + offset > begin]
        telling = [f for f in near if not re.fullmatch(r"\s*\\?[A-Za-z]+[.,]?\s*", inside(f))]
        if telling:
            near = near[: near.index(telling[-1]) + 1]
        while near and _intended(_sentence_before(tail, near[-1].start())):
            near.pop()
        if near:
            before = _sentence_before(tail, near[-1].start())
            joined = joined_formulas(tail, near)
            sides = re.split(r"=|\\equiv(?![A-Za-z])", joined)
            value = sides[-1].strip(" &") if len(sides) > 1 else None
            ends = re.fullmatch(r"[\s.!*)_]*", tail[near[-1].end() :]) is not None
            opens = ends and re.search(r"(?:\A|,)[\s*_(]*\Z", before) is not None
            stated = value is not None or STATES.search(before) or opens or len(near) > 1
            return Extraction(joined, "last-math" if stated else "mentioned", span, value)
    return None


def _intended(before: str) -> bool:
    """Whether the clause that leads to a formula says what is to be done, or what is given."""
    clause = re.split(r",\s+(?![^$]*\$[^$]*\Z)|\bthen\b", before)[-1]
    return INTENT.search(clause) is not None or PLAN.search(before) is not None


def _sentence_before(text: str, at: int) -> str:
    """What stands before a place in its sentence."""
    pieces = re.split(r"(?<=[.!?。])\s+(?=[A-Z\\$*(\"])|\n", text[max(0, at - 400) : at])
    return pieces[-1]
