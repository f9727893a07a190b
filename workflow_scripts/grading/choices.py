"""Multiple choice: which letter a text chooses, or that it chooses none."""

import re
from collections.abc import Sequence
from dataclasses import replace

from workflow_scripts.grading.answer_part import answer_part
from workflow_scripts.grading.boxes import Box, boxes_of, unboxed
from workflow_scripts.grading.compare import same_answer
from workflow_scripts.grading.extract import MAX_TAIL, Extraction
from workflow_scripts.grading.letters import (
    ANCHORS,
    AT_END,
    AT_START,
    CORRECT,
    HEAD,
    LEADS,
    STATED,
    WHOLE,
    hedged,
    is_article,
    negated,
    plain,
)
from workflow_scripts.grading.normalise import FORBIDDEN
from workflow_scripts.grading.outcome import Outcome, refused
from workflow_scripts.grading.runs import squeezed

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Span = tuple[int, int]


class _Reader:
    """Reads letters under one question's options."""

    def __init__(self, options: Sequence[str] | None, letters: str) -> None:
        self.options, self.letters = list(options or ()), letters

    def within(self, letter: str, rule: str, span: Span) -> Extraction:
        """The letter, or no answer if it is out of range."""
        if letter.upper() in self.letters:
            return Extraction(letter.upper(), rule, span)
        return Extraction(None, "out-of-range", span)

    def read(self, content: str, span: Span, rule: str) -> Extraction | None:
        """The letter in a captured text; an Extraction without text for a hedge; None for
        neither."""
        text = plain(content)
        whole = WHOLE.match(text.split("\n")[0])
        if whole:
            return self.within(whole["letter"], rule, span)
        head = HEAD.match(text)
        if head and not hedged(head["letter"], text[head.end() :]):
            return self.within(head["letter"], rule, span)
        by_text = self.option(content)
        if by_text:
            return Extraction(by_text, "option-text", span)
        return self._leading(text, span, rule, head)

    def _leading(
        self, text: str, span: Span, rule: str, head: re.Match[str] | None
    ) -> Extraction | None:
        match = head or LEADS.match(text)
        if match is None:
            return None
        letter, rest = match["letter"], text[match.end() :]
        if hedged(letter, rest):
            return Extraction(None, "hedge", span)
        if rest.startswith("?"):
            return None  # a question, not a choice
        if is_article(letter, rest) or (rule == "boxed" and re.match(r"\s*[\w^=+]", rest)):
            return None
        return self.within(letter, rule, span)

    def option(self, content: str) -> str | None:
        """The letter of the one option whose text, or whose value, the content is."""
        wanted = _key(content)
        if not self.options or not wanted or len(content) > 600:
            return None
        hits = [i for i, option in enumerate(self.options) if _key(option) == wanted]
        if len(hits) > 1:  # options that differ in case alone; equal ones share their first letter
            alike = [i for i in hits if self.options[i].strip() == content.strip()]
            same = {self.options[i] for i in hits}
            hits = alike[:1] if alike else hits[:1] if len(same) == 1 else hits
        if not hits and re.search(r"\d", content) and len(content) < 120:
            hits = [i for i, o in enumerate(self.options) if same_answer(o, content).equal]
        return self.letters[hits[0]] if len(hits) == 1 and hits[0] < len(self.letters) else None


def extract_letter(text: str, options: Sequence[str] | None, letters: str = "ABCD") -> Extraction:
    """The chosen letter. `text` None in the result means that no single letter was chosen.

    A hedge ("A or B") and a letter out of range choose none. The full text (or the value) of
    exactly one option chooses its letter, by the rule "option-text".
    """
    short = squeezed(text)
    part = answer_part(short.text)
    if part is None:
        return Extraction(None, "thinking-only")
    start = max(part[0], part[1] - MAX_TAIL)
    found = _letter_in(short.text[start : part[1]], _Reader(options, letters))
    return replace(found, span=short.span((found.span[0] + start, found.span[1] + start)))


def _letter_in(text: str, reader: _Reader) -> Extraction:
    boxes, _ = boxes_of(text)
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return Extraction(None, "none")
    found = _from_boxes(boxes, reader) if boxes else None
    last = WHOLE.match(plain(lines[-1]))
    if found is None and last:
        found = reader.within(last["letter"], "line", (len(text) - len(lines[-1]), len(text)))
    for rule, captured in (("answer", _anchored(text)), ("stated", _stated(text))):
        for content, span in captured:
            found = found or reader.read(content, span, rule)
    return found or _by_lines(text, lines, reader)


def _from_boxes(boxes: list[Box], reader: _Reader) -> Extraction | None:
    last = boxes[-1]
    span = (last.start, last.stop)
    near = [unboxed(box.content) for box in boxes[-3:] if last.start - box.stop < 40]
    wholes = [WHOLE.match(plain(content)) for content in near]
    if len({whole["letter"].upper() for whole in wholes if whole}) > 1:
        return Extraction(None, "hedge", span)
    return reader.read(unboxed(last.content), span, "boxed")


def _anchored(text: str) -> list[tuple[str, Span]]:
    """Texts after "answer is", "Answer:", "correct option:", last one first."""
    found = []
    for match in ANCHORS.finditer(text):
        tail = text[match.end() : match.end() + 300].lstrip(" \t\n*_:>#")
        if tail and not re.match(r"not\b", tail):
            found.append((tail, (match.end(), match.end() + len(tail.split("\n")[0]))))
    return found[::-1]


def _stated(text: str) -> list[tuple[str, Span]]:
    """Sentences such as "I would choose B", "option B is correct", last one first."""
    matches = [m for pattern in (*STATED, CORRECT) for m in pattern.finditer(text)]
    matches.sort(key=lambda m: m.end("letter"), reverse=True)
    return [
        (f"({m['letter']}){text[m.end('letter') : m.end('letter') + 60]}", m.span("letter"))
        for m in matches
        if not negated(text, m.start(), m.end("letter"))
        and not is_article(m["letter"], text[m.end("letter") : m.end("letter") + 40])
    ]


def _by_lines(text: str, lines: list[str], reader: _Reader) -> Extraction:
    """A line that is a letter, or begins with the only letter that begins a line."""
    span = (0, len(text))
    by_text = reader.option(text) or reader.option(lines[-1])
    if by_text:
        return Extraction(by_text, "option-text", span)
    heads = {m["letter"] for line in lines if (m := HEAD.match(plain(line)))}
    for line in (lines[-1], lines[0]):
        content = plain(line)
        whole, head = WHOLE.match(content), HEAD.match(content)
        if whole:
            return reader.within(whole["letter"], "line", span)
        if head and len(heads) == 1 and not hedged(head["letter"], content[head.end() :]):
            return reader.within(head["letter"], "line", span)
    return _at_ends(lines, reader, span)


def _at_ends(lines: list[str], reader: _Reader, span: Span) -> Extraction:
    """A bold letter that begins the text, or the one bracketed letter that ends it."""
    start = AT_START.match(lines[0])
    if start:
        return reader.within(start["letter"] or start["reasoned"], "line", span)
    end = AT_END.search(lines[-1])
    alone = end and len(re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z'’])", lines[-1])) == 1
    return reader.within(end["letter"], "line", span) if alone else Extraction(None, "none")


def _key(text: str) -> str:
    text = re.sub(r"^[\s(]*[A-Z][).:]\s+", "", plain(text.strip()))
    text = re.sub(r"\\(?:times|cdot)", "*", text).replace("×", "*").replace("−", "-")
    return re.sub(r"[\s\\.,;:]+", "", text).casefold()


def letters_of(options: Sequence[str] | None, gold: str) -> str:
    """The letters in range: those of the options, else A to D (or to the gold's letter)."""
    if options:
        return ALPHABET[: len(options)]
    wanted = gold_letter(gold) or "D"
    return ALPHABET[: max(4, ALPHABET.index(wanted) + 1)]


def gold_letter(gold: str) -> str | None:
    """The letter that a gold answer states, or None."""
    whole = WHOLE.match(plain(gold))
    return whole["letter"].upper() if whole else None


def same_letter(gold: str, found: Extraction, options: Sequence[str] | None = None) -> Outcome:
    """Compare a gold letter with an extraction of `extract_letter`.

    Another letter is right too if its option is the very text of the gold's (flag "equal-option").
    """
    wanted = gold_letter(gold)
    if wanted is None:
        return refused("gold-unparsed")
    if found.text is None:
        return refused(found.rule)
    if FORBIDDEN.search(found.text):
        return refused("forbidden-character")
    outcome = Outcome(found.text == wanted, "letter")
    if not outcome.equal and _same_option(wanted, found.text, options):
        outcome = Outcome(True, "letter", frozenset({"equal-option"}))
    return outcome.flagged("option-text") if found.rule == "option-text" else outcome


def _same_option(gold: str, letter: str, options: Sequence[str] | None) -> bool:
    """Whether both letters stand before the same text, as options of published sets may."""
    texts = dict(zip(ALPHABET, options or (), strict=False))
    return letter in texts and texts.get(gold) == texts[letter]
