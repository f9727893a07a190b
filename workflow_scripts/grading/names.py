"""What may stand to the left of an equals sign as the mere name of the answer."""

import re

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho"
    "|sigma|tau|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega|ell"
)
_LETTER = (
    rf"(?:[A-Za-z]|\\(?:{_GREEK})(?![A-Za-z])"
    r"|\\(?:hat|bar|vec|tilde|overline)\{[A-Za-z]{1,2}\}|\\mathbb\{[A-Z]\})"
)
_INDEX = r"(?:_\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})?"
_MARKS = r"'*(?:\^\{(?:'|\\prime|-1|\\circ|\*)\})?'*"
_ATOM = rf"{_LETTER}{_INDEX}{_MARKS}{_INDEX}"
_CALL = r"(?:\([^()=]*(?:\([^()]*\)[^()=]*)*\))"
_SHAPE = r"(?:\\(?:angle|triangle|overline|widehat|overrightarrow|measuredangle|square|odot)\s*)"
_NAME = re.compile(
    rf"(?:m\s*)?(?:{_SHAPE}\{{?\s*[A-Z]+(?:_\{{?\d+\}}?)?\s*\}}?|{_SHAPE}{_ATOM}|{_ATOM}{_CALL}?|\|\s*[A-Z]{{1,3}}\s*\|"
    r"|\[[A-Z]{3,}\]|[A-Z]{2,6}'*|\|[a-z]\|"
    r"|\\text\{[^{}]*\}(?:_\{[^{}]*\})?(?:\([^()]*\))?|[A-Z][a-z]{2,}|[a-z]{4,})\s*\Z"
)
_SYMBOL = re.compile(rf"{_ATOM}\Z")
_TUPLE = re.compile(rf"\(?\s*{_ATOM}(?:\s*,\s*{_ATOM})+\s*\)?\Z")


def is_name(text: str) -> bool:
    """A letter, a segment, an angle, a function value, a word: something that is being named."""
    text = re.sub(r"\s+", " ", text.strip())
    return len(text) < 80 and _NAME.match(text) is not None and text not in ("e", "i")


def is_symbol(text: str) -> bool:
    """A single variable."""
    return _SYMBOL.match(text.strip()) is not None


def is_tuple_of_names(text: str) -> bool:
    """`(x, y)` or `a, b, c` on the left of an equals sign."""
    return len(text) < 80 and _TUPLE.match(text.strip()) is not None
