"""LIMO's rule score of a trace (arXiv 2502.03387, section 3.1.2), with its four terms.

Length 30 %, verification words 20 %, tentative words 25 %, connectives 25 %. Words are counted
per token, so that a long trace does not score twice for its length; each term is scaled to 0-1
over the eligible rows.
"""

from collections.abc import Sequence

import polars as pl

TERMS = {"length": 0.30, "verification": 0.20, "tentative": 0.25, "connective": 0.25}
WORDS: dict[str, str] = {
    "verification": r"\b(?:check(?:s|ed|ing)?|verif(?:y|ies|ied|ication)|confirm(?:s|ed)?|"
    r"double-check(?:s|ed|ing)?|recheck(?:s|ed)?)\b",
    "tentative": r"\b(?:perhaps|might|maybe|possibly|could be)\b",
    "connective": r"\b(?:therefore|since|thus|hence|because|so that)\b",
}


def word_counts(traces: Sequence[str]) -> pl.DataFrame:
    """Occurrences of each kind of word (a column each) in every trace, whatever the case."""
    frame = pl.DataFrame({"trace": traces}, schema={"trace": pl.String})
    counts = [
        pl.col("trace").str.count_matches(f"(?i){pattern}").cast(pl.Int64).alias(name)
        for name, pattern in WORDS.items()
    ]
    return frame.select(counts)


def limo_scores(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows (row_id, tokens, and a count per kind of word) with their terms and score in 0-1.

    A term that is the same for all rows is 0 for all.
    """
    rates = [pl.col("tokens").cast(pl.Float64).alias("length")]
    rates += [(pl.col(name) / pl.max_horizontal(pl.col("tokens"), 1)).alias(name) for name in WORDS]
    raw = rows.select("row_id", "tokens", *rates)
    low, span = pl.col(list(TERMS)).min(), pl.col(list(TERMS)).max() - pl.col(list(TERMS)).min()
    scaled = raw.with_columns(
        pl.when(span > 0).then((pl.col(list(TERMS)) - low) / span).otherwise(0.0).name.keep()
    )
    score = pl.sum_horizontal(*(pl.col(name) * weight for name, weight in TERMS.items()))
    # Rounding makes equal scores equal whatever the order of summation.
    return scaled.with_columns(score.round(12).alias("score"))
