"""Patterns of sentences that choose a letter, and of those that only seem to."""

import re

from workflow_scripts.grading.phrases import ANCHOR

_OPEN = r"(?:[\s*_$({\[\"'`]|\\(?:text|textbf|mathrm|mathbf|boxed|mathit)\s*\{|\\\()*"
_LABEL = r"(?:(?:options?|choices?|letter|answer|alternative)\b[\s*_:]*)?"
_LETTER = rf"{_OPEN}(?P<letter>[A-Z])(?![A-Za-z'’])"
_FILLER = (
    r"(?:(?:therefore|so|thus|hence|is|are|be|the|most|likely|probably|clearly|definitely|correct"
    r"|final|best|answer|option|choice|indeed|then)\b[\s,:*_]*)*"
)
WHOLE = re.compile(
    rf"\A{_OPEN}{_LABEL}{_OPEN}(?P<letter>[A-Za-z])[\s*_$)}}\]\"'.,;:`\\]*\Z", re.IGNORECASE
)
HEAD = re.compile(
    rf"\A{_OPEN}(?i:{_LABEL}){_OPEN}(?P<letter>[A-Z])[*_$}}]*\s*(?:[).:\]}}]|-\s|–|—)"
)
LEADS = re.compile(rf"\A{_OPEN}(?i:{_FILLER}){_LETTER}")
ANCHORS = re.compile(
    rf"{ANCHOR.pattern.replace('(?P<weak>solutions?|results?|value|total)', '(?!)')}"
    r"|\b(?:correct|best|right)\s+(?:option|choice|statement|letter|response|one)[*_\s]*(?:is\b|:)",
    re.IGNORECASE,
)
_CHOICE_VERB = (
    r"(?:choose|select|pick|chose|selecting|choosing|picking|go(?:ing)? with|opt for|choice is"
    r"|option is|corresponds? to|matche?s?|would be|points? to|leads? to|it's|it is|must be"
    r"|conclude(?: that it is)?|so|hence|thus|therefore),?"
)
STATED = (
    re.compile(
        rf"\b(?i:{_CHOICE_VERB})[\s:*_]*"
        rf"(?i:(?:the|answer|option|choice|letter|correct|only|one|is)\b[\s:*_]*)*{_LETTER}"
        r"(?=[\s*_$)}\].,:;!]|\Z)"
    ),
    re.compile(
        rf"(?i:\b(?:options?|choices?|answer|statement|alternative)\b)[\s*_]*{_LETTER}"
        r"[\s*_$)}\].]*(?=\s*(?:is|as|would|must|seems|appears|best|correctly|because|\.|,|\Z|\n))"
    ),
)
CORRECT = re.compile(
    rf"{_LETTER}[\s*_$)}}\].:]*\s*(?:is|as|seems|appears|fits|the)\s+(?:the\s+|therefore\s+|clearly\s+|indeed\s+)*"
    r"(?:most\s+)?(?:best|correct|right|answer|accurate|true|final|appropriate|only|likely)"
)
AT_END = re.compile(r"\((?P<letter>[A-Z])\)[\s.*_$]*\Z")
AT_START = re.compile(
    r"\A(?:\*\*\(?(?P<letter>[A-Z])\)?\*\*\s|(?P<reasoned>[A-Z]),?\s+(?:because|since)\b)"
)
_HEDGE = re.compile(
    r"\A[\s*_$)}\].\"',]*(?:or|and|/|&|,|\\text\{\s*(?:or|and)\s*\}|\|)[\s*_$({\[\"']*"
    r"(?:\\text\{|option\s+|choice\s+)*\(?(?P<other>[A-Z])(?![A-Za-z'’])"
)
_REJECTED = re.compile(
    r"[\s*_$)}\].:]*\s*(?:is|are|was|can be|cannot be|seems|would be|must be)\s+(?:clearly\s+)?"
    r"(?:not\b|incorrect|wrong|false|ruled|eliminated|impossible|invalid|unlikely|out\b)"
)


def plain(content: str) -> str:
    """Text without LaTeX fonts, dollars, braces and stars."""
    content = re.sub(
        r"\\(?:textbf|textit|textrm|text|mathrm|mathbf|mathit|mathsf|mbox|rm|bf)(?![A-Za-z])\s*",
        "",
        content,
    )
    content = re.sub(r"\\[,;:! ()\[\]]|\\left(?![a-z])|\\right(?![a-z])|~", " ", content)
    return re.sub(r"[{}$*_`]|</?answer>", "", content).strip()


def hedged(letter: str, rest: str) -> bool:
    """Whether a second letter follows at once: "A or B", "A, C", "A/C"."""
    hedge = _HEDGE.match(rest)
    if hedge is None or hedge["other"] == letter:
        return False
    return not (hedge["other"] in "AI" and re.match(r"\s+[a-z]", rest[hedge.end() :]))


def is_article(letter: str, rest: str) -> bool:
    """`A` (or `I`) before a word is no choice, unless the word goes on about the option."""
    if letter not in "AI" or not re.match(r"\s+[A-Za-z]", rest):
        return False
    return not re.match(
        r"\s+(?:is|because|since|as|which|with|for|seems|due|would|and|but)\b", rest
    )


def negated(text: str, start: int, stop: int) -> bool:
    """Whether a statement about a letter says that it is not the answer."""
    before = text[max(0, start - 16) : start]
    inside = text[start:stop]
    if re.search(r"\b(?:not|n't|cannot|never|isn't)\s*\S*\s*\Z", before) or " not " in inside:
        return True
    return _REJECTED.match(text, stop) is not None
