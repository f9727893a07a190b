"""Tables of what changed, from the positions of all written tokens: each with its null line.

The unit of every interval is the text (one question and draw), not the token: tokens of one text
are far from independent. Means are means over texts, so that long ones do not speak for short ones.
"""

from collections.abc import Iterator
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from workflow_scripts.shift.tables import (
    EVERY,
    KINDS,
    KL,
    NEAR,
    PARTS,
    RANKS,
    WORDS,
    ShiftManifest,
)

TEXT = ["dataset", "question_id", "sample", "author"]
FEWEST = 5  # times that a token must be written to be listed
OTHER, OWN, NULL = "other", "own", "null"


def scopes(positions: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """All benchmarks together, and each by itself where there are several."""
    yield EVERY, positions
    names = positions["dataset"].unique(maintain_order=True).to_list()
    for name in names if len(names) > 1 else ():
        yield name, positions.filter(pl.col("dataset") == name)


# ------------------------------------------------------------------------------------------- KL


def kl_rows(positions: pl.DataFrame, pair: ShiftManifest, confidence: float) -> pl.DataFrame:
    """Rows of KL: along the text, by kind and by part; none where KL was refused."""
    rows: list[dict[str, Any]] = []
    for dataset, frame in scopes(positions.drop_nulls("kl")):
        for (author,), own in frame.group_by("author", maintain_order=True):
            total = float(own["kl"].sum())
            for by, grouped in _groupings(own):
                for facts, group in grouped:
                    where = {"dataset": dataset, "author": author, "by": by}
                    own_kl = _kl_of(group, total, confidence)
                    rows.append({**_names(pair), **where, **facts, **own_kl})
    return pl.DataFrame(rows, schema=KL, orient="row")


def _groupings(
    frame: pl.DataFrame,
) -> Iterator[tuple[str, list[tuple[dict[str, Any], pl.DataFrame]]]]:
    """Tokens by position (1, 2-3, 4-7, ...), by kind and by part."""
    octave = (pl.col("place") + 1).log(2).floor().cast(pl.Int64).alias("octave")
    places = [
        ({"group": _span(number), "first": 2**number, "last": 2 ** (number + 1) - 1}, group)
        for (number,), group in _each(frame.with_columns(octave), "octave")
    ]
    yield "position", sorted(places, key=lambda item: item[0]["first"])
    for by, names in (("kind", KINDS), ("part", PARTS)):
        found = {str(name): group for (name,), group in _each(frame, by)}
        yield by, [({"group": name}, found[name]) for name in names if name in found]


def _each(frame: pl.DataFrame, column: str) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    return [(tuple(key), group) for key, group in frame.group_by(column, maintain_order=True)]


def _span(number: int) -> str:
    first, last = 2**number, 2 ** (number + 1) - 1
    return str(first) if first == last else f"{first}-{last}"


def _kl_of(group: pl.DataFrame, total: float, confidence: float) -> dict[str, Any]:
    means = group.group_by(TEXT, maintain_order=True).agg(
        pl.col("kl", "reverse_kl", "null_kl").mean()
    )
    mean, low, high = interval(means["kl"].to_numpy(), confidence)
    again = group["null_kl"].drop_nulls()
    return {
        "texts": means.height,
        "tokens": group.height,
        "kl": mean,
        "low": low,
        "high": high,
        "reverse_kl": means["reverse_kl"].mean(),
        "share": float(group["kl"].sum()) / total if total else None,
        "null_kl": means["null_kl"].drop_nulls().mean() if len(again) else None,
        "null_tokens": len(again),
    }


def interval(values: np.ndarray, confidence: float) -> tuple[float, float | None, float | None]:
    """Mean over texts with its t interval; no interval of one text."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, None, None
    error = values.std(ddof=1) / sqrt(len(values))
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * error)
    return mean, mean - half, mean + half


# ---------------------------------------------------------------------------------------- ranks


def rank_rows(positions: pl.DataFrame, pair: ShiftManifest, confidence: float) -> pl.DataFrame:
    """Rows of RANKS: who would have written whose tokens.

    other  the other model reads an author's tokens
    own    the author reads its own: below 100 % by sampling and by the engine's rounding alone
    null   the base reads the base's tokens a second time, in other chunks
    """
    columns = {pair.model: ("rank", "top"), pair.base: ("base_rank", "base_top")}
    rows = []
    for dataset, frame in scopes(positions):
        for author in (pair.model, pair.base):
            own = frame.filter(pl.col("author") == author)
            for reader, (rank, _) in columns.items():
                line = OWN if reader == author else OTHER
                facts = {**_names(pair), "dataset": dataset, "author": author, "reader": reader}
                same = pl.col("top") == pl.col("base_top") if line == OTHER else None
                same = None if pair.refused else same
                rows.append(facts | {"line": line} | _ranks_of(own, rank, same, confidence))
        base = frame.filter(pl.col("author") == pair.base)
        facts = {**_names(pair), "dataset": dataset, "author": pair.base, "reader": pair.base}
        same = pl.col("null_top") == pl.col("base_top")
        rows.append(facts | {"line": NULL} | _ranks_of(base, "null_rank", same, confidence))
    return pl.DataFrame([row for row in rows if row["tokens"]], schema=RANKS, orient="row")


def _ranks_of(
    frame: pl.DataFrame, rank: str, same: pl.Expr | None, confidence: float
) -> dict[str, Any]:
    known = frame.drop_nulls(rank)
    if known.is_empty():
        return {"tokens": 0}
    place = pl.col(rank)
    means = known.group_by(TEXT, maintain_order=True).agg(
        unshifted=(place == 1).mean(),
        marginal=((place > 1) & (place <= NEAR)).mean(),
        shifted=(place > NEAR).mean(),
        same_top=pl.lit(None, pl.Float64) if same is None else same.mean(),
    )
    mean, low, high = interval(means["unshifted"].to_numpy(), confidence)
    return {
        "texts": means.height,
        "tokens": known.height,
        "unshifted": mean,
        "low": low if low is None else max(0.0, low),
        "high": high if high is None else min(1.0, high),
        "marginal": means["marginal"].mean(),
        "shifted": means["shifted"].mean(),
        "same_top": means["same_top"].mean(),
    }


# --------------------------------------------------------------------------------- shifted words


def word_rows(positions: pl.DataFrame, pair: ShiftManifest, confidence: float) -> pl.DataFrame:
    """Rows of WORDS: tokens that the model writes and its base would not, most shifted first.

    In order of the lower end of the share's interval, so that three of three do not come before
    ninety of a hundred.
    """
    own = positions.filter(pl.col("author") == pair.model).drop_nulls("base_rank")
    told = {} if pair.refused else _null_shares(positions, pair)
    counted = (
        own.group_by("id")
        .agg(
            kind=pl.col("kind").cast(pl.String).mode().sort().first(),
            times=pl.len().cast(pl.Int64),
            shifted=(pl.col("base_rank") > NEAR).sum().cast(pl.Int64),
            median_rank=pl.col("base_rank").median(),
            rank_shift=(pl.col("base_rank") - pl.col("rank")).mean(),
            gain=(pl.col("logprob") - pl.col("base_logprob")).cast(pl.Float64).mean(),
        )
        .filter((pl.col("times") >= FEWEST) & (pl.col("shifted") > 0))
    )
    rows = [
        {
            **_names(pair),
            "author": pair.model,
            "token": pair.tokens.get(str(row["id"]), ""),
            **row,
            "share": row["shifted"] / row["times"],
            "low": wilson_low(row["shifted"], row["times"], confidence),
            **dict(zip(("null_times", "null_share"), told.get(row["id"], (0, None)), strict=True)),
        }
        for row in counted.to_dicts()
    ]
    found = pl.DataFrame(rows, schema=WORDS, orient="row")
    return found.sort("low", "times", "id", descending=[True, True, False])


def _null_shares(positions: pl.DataFrame, pair: ShiftManifest) -> dict[int, tuple[int, float]]:
    """How often the base wrote a token itself, and in what share it would not write it again."""
    own = positions.filter(pl.col("author") == pair.base)
    found = own.group_by("id").agg(pl.len(), (pl.col("base_rank") > NEAR).mean().alias("share"))
    return {number: (times, share) for number, times, share in found.iter_rows()}


def wilson_low(hits: int, count: int, confidence: float) -> float:
    """Lower end of Wilson's interval of a share."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / count
    centre = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, (centre - half) / (1 + z * z / count))


def _names(pair: ShiftManifest) -> dict[str, str]:
    return {"model": pair.model, "base": pair.base}
