"""The 16 sources of the 59K pool by name, matched by suffix whatever the organisation prefix."""

import re
from functools import cache

# Order matters: the first pattern that is found in the source's spelling names it.
# Patterns follow the spellings of the released datasets (both organisation prefixes occur).
NAMED_SOURCES: dict[str, str] = {
    "NuminaMATH": r"numinamath",
    "MATH": r"openaimath|hendrycks.?math|competition_math",
    "OlympicArena": r"olympicarena",
    "OmniMath": r"omni-?math",
    "AGIEval": r"agieval",
    "xword": r"xword|crossword",
    "OlympiadBench": r"olympiadbench",
    "AIME": r"aime",
    "TheoremQA": r"theoremqa",
    "USACO": r"usaco",
    "JEEBench": r"jeebench",
    "GPQA": r"gpqa",
    "SciEval": r"scieval",
    "s1-prob": r"s1-prob|stats_qual",
    "LiveCodeBench": r"livecodebench",
    "s1-teasers": r"s1-teasers|/quant$",
}
UNKNOWN = "unknown"
_COMPILED = {name: re.compile(pattern, re.I) for name, pattern in NAMED_SOURCES.items()}
_EXACT = {name.lower(): name for name in NAMED_SOURCES}


@cache
def source_name(source: str) -> str:
    """Name of a source as spelt in the file; "unknown" when it is none of the 16.

    >>> source_name("qfq/openaimath/Algebra"), source_name("qq8933/AIME_1983_2024")
    ('MATH', 'AIME')
    """
    if source.lower() in _EXACT:
        return _EXACT[source.lower()]
    return next((name for name, seen in _COMPILED.items() if seen.search(source)), UNKNOWN)
