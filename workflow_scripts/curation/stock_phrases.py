"""Stock phrases: sentences on how to write the answer, and what many questions have in common.

Neither says anything about where a question comes from. The endings are patterns; the others are
listed in `stock_phrases.txt`, one phrase a line as `masked_word` writes its words. The list is made
by a rule from questions under a free licence (`python -m benchmarks.curation_stock_phrases`), so
that what counts as a stock phrase does not depend on the size of a study's pool.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

_EDGES = "$.,;:?!()\"'"
_FORMULA = re.compile(r"\\(?:frac|dfrac|tfrac|sqrt|pi)|[{}()\[\]$+*/^-]")


@lru_cache(maxsize=1 << 18)
def masked_word(word: str) -> str:
    """A word without its outer punctuation, and anonymous if it is made of variables alone.

    >>> [masked_word(word) for word in ("$m$,", "m+n+p.", "\\\\frac{a}{b}", "AB.")]
    ['·', '·', '·', 'AB']
    """
    word = word.strip(_EDGES)
    if len(word) > 40:
        return word
    parts = _FORMULA.sub(" ", word).split()
    if word.startswith("\\frac") and len(parts) == 1:
        parts = list(parts[0])  # uniform LaTeX writes \frac{m}{n} as \fracmn
    if word and all(len(part) == 1 and part.isalpha() for part in parts):
        return "·" if parts else word
    return word


# Matched on the masked, punctuation-free text of an n-gram.
STOCK_ENDINGS: tuple[str, ...] = (
    r"(?:where )?(?:· )*and · are (?:relatively prime|distinct|positive|nonnegative|real|integers)"
    r"(?: positive)?(?: integers| numbers)?",
    r"(?:can |be |is |equals? |written |expressed |as |to |in |the |form )+· where(?: ·)*(?: and)?",
    r"· is not divisible by the(?: square)?(?: of)?",
    r"(?:are|be) relatively prime(?: positive)?(?: integers)?",
    r"relatively prime(?: positive)? integers",
    r"(?:is|are) not divisible by the square of (?:any|a)",
    r"divisible by the square of any prime",
    r"square of any prime(?: number)?",
    r"(?:express|enter|give|write|leave|state|provide|list|round) (?:all )?(?:your|the) "
    r"(?:final )?(?:answers?|response|result)",
    r"your (?:final )?answers? (?:as|in|to|should|must)",
    r"answers? (?:as|in|to) (?:a|an|the|simplest|terms|interval|exact)",
    r"as a common fraction",
    r"(?:simplest|simplified) radical form",
    r"to the nearest (?:whole|integer|tenth|hundredth|thousandth|cent|degree|number)",
    r"can be (?:written|expressed) (?:as|in the form)",
    r"find the remainder when · is divided by",
    r"the remainder when · is divided by",
    r"enter the letter of the correct",
    r"separated by commas",
)
_STOCK = tuple(re.compile(rf"(?<!\S){pattern}(?!\S)") for pattern in STOCK_ENDINGS)


CODE_DATA = ("stock_phrases.txt",)
LISTED = Path(__file__).with_name(CODE_DATA[0])


@cache
def listed_phrases() -> tuple[tuple[str, ...], ...]:
    """The listed phrases as masked words."""
    lines = LISTED.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split()) for line in lines if not line.startswith("#"))


# A word that no pattern can match is never inside a stock phrase: see `may_be_stock`.
_STOCK_WORDS = frozenset(re.findall(r"[a-z]+", " ".join(STOCK_ENDINGS))) | {"·"}


def may_be_stock(word: str) -> bool:
    """Whether a word can be part of a stock phrase at all; a cheap test before `stock_ending`."""
    bare = masked_word(word)
    return bare in _STOCK_WORDS or bare.removesuffix("s") in _STOCK_WORDS


@lru_cache(maxsize=1 << 16)
def stock_ending(gram: str) -> str | None:
    """The stock phrase that makes up at least half the words of an n-gram, or None.

    >>> stock_ending("where $u$ and $v$ are relatively prime positive integers.")
    'where · and · are relatively prime positive integers'
    """
    words = [masked_word(word) for word in gram.split()]
    text = " ".join(words)
    covered = [False] * len(text)
    longest = ""
    for pattern in _STOCK:
        for match in pattern.finditer(text):
            covered[match.start() : match.end()] = [True] * (match.end() - match.start())
            longest = max(longest, match.group(), key=len)
    start, inside = 0, 0
    for word in words:
        inside += all(covered[start : start + len(word)]) and bool(word)
        start += len(word) + 1
    return longest if longest and 2 * inside >= len(words) else None
