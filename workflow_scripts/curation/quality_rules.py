"""The rules of the quality filter: a row in, the reason to drop it (with evidence) or None out."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.tables.pool import PoolRow
from workflow_scripts.curation.english import foreign_text
from workflow_scripts.curation.trace_loops import find_loop

Evidence = dict[str, Any]
Check = Callable[[PoolRow], Evidence | None]


@dataclass(frozen=True)
class Rule:
    """A named check; it returns evidence when the row breaks the rule, else None."""

    name: str
    check: Check


def found(pattern: re.Pattern[str], text: str | None, field: str) -> Evidence | None:
    """Where a pattern stands in a text, with what surrounds it."""
    match = pattern.search(text or "")
    if match is None:
        return None
    around = (text or "")[max(0, match.start() - 30) : match.end() + 30]
    return {"field": field, "match": match.group()[:200], "around": around[:300]}


def _missing(field: str) -> Check:
    def check(row: PoolRow) -> Evidence | None:
        return {"field": field} if not (getattr(row, field) or "").strip() else None

    return check


# What inference APIs leave in place of an answer. Only short texts are searched: a long trace that
# discusses "error 429" is no API error.
API_ERROR = re.compile(
    r"error code: \d{3}"
    r"|\b(?:429|500|502|503|504)\b[: ]{1,2}(?:[a-z]+ ){0,3}(?:error|unavailable|timeout)\b"
    r"|RESOURCE_EXHAUSTED|rate limit(?: exceeded| reached)|quota exceeded"
    r"|exceeded your current quota|internal server error|service unavailable"
    r"|APIError|APIConnectionError|BlockedPromptException|request timed out"
    r"|finish_reason\W+(?:SAFETY|RECITATION|OTHER)",
    re.I,
)
API_ERROR_LENGTH = 2000


def api_error(row: PoolRow) -> Evidence | None:
    """An error message of the teacher's API in place of the trace or the attempt."""
    for field in ("trace", "attempt"):
        text = getattr(row, field) or ""
        if len(text) <= API_ERROR_LENGTH and (evidence := found(API_ERROR, text, field)):
            return evidence
    return None


def broken_text(row: PoolRow) -> Evidence | None:
    """U+FFFD: bytes that were not UTF-8."""
    for field in ("question", "trace", "attempt", "solution"):
        if evidence := found(re.compile("\ufffd"), getattr(row, field), field):
            return evidence
    return None


QUESTION_LIMIT = 20_000  # characters; the longest real question of the pool's sources is under it
TEXT_LIMIT = 1_000_000


def oversized(row: PoolRow) -> Evidence | None:
    """A field so long that it cannot be what its name says."""
    for field in ("question", "trace", "attempt", "solution"):
        length = len(getattr(row, field) or "")
        if length > (QUESTION_LIMIT if field == "question" else TEXT_LIMIT):
            return {"field": field, "characters": length}
    return None


ASYMPTOTE = re.compile(r"\[\s*/?asy\s*\]", re.I)
IMAGE = re.compile(
    r"!\[[^\]]*\]|<img\b|\\includegraphics|\[(?:image|figure|diagram)[^\]]{0,40}\]"
    r"|\b(?:figure|diagram|picture|image|graph|drawing|illustration|map|photo)s?\s+"
    r"(?:is |are |(?:is |are )?(?:shown|given|pictured) )?(?:below|above|to the (?:left|right))"
    r"|\b(?:shown|pictured|illustrated|depicted|as (?:seen|drawn))\s+(?:below|above|"
    r"in the (?:accompanying |following )?(?:figure|diagram|picture|image|drawing|illustration))"
    r"|\b(?:in|from|see|of|on) the (?:accompanying |adjacent |adjoining |attached |following |"
    r"given )?(?:figure|diagram|picture|image|drawing|illustration)\b"
    r"|\bas (?:shown|pictured|illustrated)(?=[\s.,;:)]*(?:$|\.|,))",
    re.I,
)
NUMBERED = re.compile(r"(?<![A-Za-z0-9\\$_^{])p[1-9]\d{0,2}\.(?!\d)")
BOLD_NUMBER = re.compile(r"(?m)^\s*\*\*(?:p|problem\s*|question\s*)?\d{1,3}[.):]?\*\*(?=\s)", re.I)


def asymptote(row: PoolRow) -> Evidence | None:
    """Asymptote drawing code."""
    return found(ASYMPTOTE, row.question, "question")


def image_reference(row: PoolRow) -> Evidence | None:
    """A figure that the text refers to and does not contain."""
    return found(IMAGE, row.question, "question")


def broken_numbering(row: PoolRow) -> Evidence | None:
    """Several numbered problems in one: "p3." at a word start, "**3.**" at a line start."""
    return found(NUMBERED, row.question, "question") or found(BOLD_NUMBER, row.question, "question")


DRAWING = frozenset("|/\\_-+=<>^v~*#.:'`()oO")
STROKES = frozenset("|/\\_-+=")
DRAWN_LINES = 3


def ascii_art(row: PoolRow) -> Evidence | None:
    """Three or more lines drawn with characters; tables and displayed formulas do not count."""
    lines = [line for line in (row.question or "").split("\n") if _drawn(line)]
    return (
        {"field": "question", "match": "\n".join(lines[:6])} if len(lines) >= DRAWN_LINES else None
    )


def _drawn(line: str) -> bool:
    marks = [c for c in line if not c.isspace()]
    if len(marks) < 3 or "$" in line or "\\\\" in line or "&" in line:
        return False
    if line.strip().startswith("|") and line.strip().endswith("|") and len(marks) > 4:
        inner = line.strip().strip("|")
        if "|" in inner or set(inner) <= set("-: |"):
            return False  # a row of a Markdown table
    strokes = sum(c in STROKES for c in marks)
    return strokes >= 2 and sum(c in DRAWING for c in marks) >= 0.7 * len(marks) and not _rule(line)


def _rule(line: str) -> bool:
    return len(set(line.strip())) == 1  # a horizontal rule: one character repeated


def non_english(row: PoolRow) -> Evidence | None:
    """A question in another language."""
    return foreign_text(row.question or "")


def looping_trace(row: PoolRow) -> Evidence | None:
    """A trace that ends in the same text over and over."""
    loop = find_loop(row.trace or "")
    return {"field": "trace", "unit": loop.unit[:200], "repeats": loop.repeats} if loop else None


STRICT = (
    Rule("missing-question", _missing("question")),
    Rule("api-error", api_error),
    Rule("missing-trace", _missing("trace")),
    Rule("missing-attempt", _missing("attempt")),
    Rule("no-solution", _missing("solution")),
    Rule("broken-text", broken_text),
    Rule("oversized", oversized),
    Rule("asymptote", asymptote),
    Rule("image-reference", image_reference),
    Rule("ascii-art", ascii_art),
    Rule("broken-numbering", broken_numbering),
    Rule("non-english", non_english),
    Rule("looping-trace", looping_trace),
)
