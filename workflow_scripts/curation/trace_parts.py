"""What a trace is made of, as counts: does it restate the question, plan, verify, answer?

Found by words that stand for a part (below), so a count is of traces in which they occur, no claim
about what the sentences are worth. A trace that repeats eight words of its question in a row
restates it, too.

LIMO's levels cut the rows that a set is chosen from into five equal parts by LIMO's score: 1 is the
lowest fifth, 5 the highest.
"""

import re
from collections.abc import Iterable, Sequence

import polars as pl

from workflow_scripts.curation.lengths import limo_scores
from workflow_scripts.curation.text import latex_words

LEVELS = 5
QUOTED = 8  # words of the question in a row
PARTS: dict[str, str] = {
    "restate": r"\b(?:the (?:problem|question) (?:is|asks|says|states|wants|gives)|we (?:are|'re) "
    r"(?:given|asked|told)|(?:we|i) (?:need|have|want) to (?:find|show|determine|compute|prove)|"
    r"let me (?:restate|rephrase|reread)|in other words, (?:we|the))\b",
    "plan": r"\b(?:(?:my|the) (?:plan|strategy|approach|idea) (?:is|will be)|let me (?:try|start|"
    r"begin|think about how)|(?:first|to start|to begin),? (?:i|we|let)|step by step|one (?:way|"
    r"approach)|(?:i|we)(?:'ll| will| could| can) (?:try|start|begin|use|break))\b",
    "verify": r"\b(?:wait|hmm|(?:double-|re-?)?check(?:s|ed|ing)?|verif(?:y|ies|ied|ication)|"
    r"make sure|let me (?:confirm|test)|plug(?:ging)? (?:it |this |that )?back|again)\b",
    "answer": r"(?:\b(?:final answer|the answer (?:is|should be|must be)|"
    r"(?:so|thus|hence|therefore),? (?:the answer|it is|we (?:get|have)|\$?-?\d))|\\boxed)",
}
_FOUND = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PARTS.items()}
PARTS_SCHEMA = {
    "set": pl.String,
    "rows": pl.Int64,
    **{f"{name}_rows": pl.Int64 for name in PARTS},  # traces that have the part
    **{f"{name}_times": pl.Int64 for name in PARTS},  # how often, in all traces together
    "all_parts": pl.Int64,  # traces that have every part
    "none": pl.Int64,  # traces that have no part
    **{f"level_{level}": pl.Int64 for level in range(1, LEVELS + 1)},
}


def part_counts(questions: Sequence[str], traces: Sequence[str]) -> pl.DataFrame:
    """How often each part (a column each) occurs in every trace."""
    rows = [
        {name: len(found.findall(trace)) for name, found in _FOUND.items()}
        for trace in traces
    ]  # fmt: skip
    for row, question, trace in zip(rows, questions, traces, strict=True):
        row["restate"] += _quotes(question, trace)
    return pl.DataFrame(rows, schema=dict.fromkeys(PARTS, pl.Int64), orient="row")


def _quotes(question: str, trace: str) -> int:
    """1 where QUOTED words of the question stand in the trace in a row, else 0."""
    asked, said = latex_words(question), latex_words(trace)
    grams = set(_runs(asked))
    return int(any(gram in grams for gram in _runs(said))) if grams else 0


def _runs(words: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(words[i : i + QUOTED]) for i in range(len(words) - QUOTED + 1))


def limo_levels(rows: pl.DataFrame) -> pl.DataFrame:
    """row_id and level, 1 to 5, of rows with tokens and LIMO's word counts; ties go by row id."""
    scored = limo_scores(rows).sort("score", "row_id")
    level = 1 + LEVELS * pl.int_range(pl.len()) // max(1, scored.height)
    return scored.select("row_id", level=level.cast(pl.Int64))


def audit_line(name: str, frame: pl.DataFrame, levels: pl.DataFrame) -> dict[str, object]:
    """The row of one set (PARTS_SCHEMA).

    frame   a SELECTED table
    levels  of the rows that could be chosen
    """
    counts = part_counts(frame["question"].to_list(), frame["trace"].to_list())
    has = counts.select(pl.all() > 0)
    own = frame.join(levels, on="row_id", how="inner")["level"]
    return {
        "set": name,
        "rows": frame.height,
        **{f"{part}_rows": int(has[part].sum()) for part in PARTS},
        **{f"{part}_times": int(counts[part].sum()) for part in PARTS},
        "all_parts": int(has.select(pl.all_horizontal(pl.all())).to_series().sum()),
        "none": int(has.select(~pl.any_horizontal(pl.all())).to_series().sum()),
        **{f"level_{level}": int((own == level).sum()) for level in range(1, LEVELS + 1)},
    }
