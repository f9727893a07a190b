"""Tables of this room: one row per written token, one per layer, and the summaries as CSV."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.artifacts import Table
from workflow_scripts.common.records import read_record

THINKING, END, ANSWER = PARTS = ("thinking", "end", "answer")
MARKER, NUMBER, SYMBOL, WORD, SPACE, DELIMITER = KINDS = (
    "second thought", "number", "symbol", "word", "space", "end of thinking",
)  # fmt: skip
NEAR = 3  # largest rank of a token that is "marginal"; rank 1 is "unshifted", more is "shifted"
EVERY = "all"  # in place of a benchmark: all of them

POSITIONS = Table(
    name="positions",
    schema={
        "dataset": pl.String,
        "question_id": pl.String,
        "sample": pl.Int64,
        "author": pl.String,  # model that wrote the text
        "place": pl.Int32,  # number of the token among those that its author wrote, from 0
        "part": pl.Enum(PARTS),
        "kind": pl.Enum(KINDS),
        "id": pl.Int32,  # in the author's vocabulary
        "kl": pl.Float32,  # KL(model || base), nats; null with different vocabularies
        "reverse_kl": pl.Float32,  # KL(base || model)
        "logprob": pl.Float32,  # of the written token under the model
        "rank": pl.Int32,  # the same token's rank there, from 1
        "entropy": pl.Float32,  # of the model's whole prediction, nats
        "top": pl.Int32,  # the model's likeliest id
        "base_logprob": pl.Float32,  # the same four of the base; null where a text is compared by
        "base_rank": pl.Int32,  # its characters and the other vocabulary has no such token there
        "base_entropy": pl.Float32,
        "base_top": pl.Int32,
        "null_kl": pl.Float32,  # KL(base read again || base); null where it was not read again
        "null_rank": pl.Int32,  # rank under the base read again
        "null_top": pl.Int32,
    },
    key=("dataset", "question_id", "sample", "author", "place"),
)

STATES = Table(
    name="states",
    schema={
        "layer": pl.Int64,  # from 1
        "explained": pl.Float64,  # share of the variance of both models in the plane
        "distance": pl.Float64,  # between the models' centroids in the plane
        "spread": pl.Float64,  # root mean square distance of the base's points from their centroid
        "null_distance": pl.Float64,  # between the base's centroid and its second reading's
        "halves_distance": pl.Float64,  # between halves of the base's prompts, mean over draws
        "base_points": pl.List(pl.List(pl.Float32)),  # in the plane, one per prompt
        "points": pl.List(pl.List(pl.Float32)),
    },
    key=("layer",),
)

KL = {
    "model": pl.String, "base": pl.String, "dataset": pl.String, "author": pl.String,
    "by": pl.String,  # position | kind | part
    "group": pl.String,  # first and last token number "8-15"; a kind; a part
    "first": pl.Int64, "last": pl.Int64,  # token numbers of a position, from 1; else null
    "texts": pl.Int64, "tokens": pl.Int64,
    "kl": pl.Float64, "low": pl.Float64, "high": pl.Float64, "reverse_kl": pl.Float64,
    "share": pl.Float64,  # of all KL of these texts
    "null_kl": pl.Float64, "null_tokens": pl.Int64,
}  # fmt: skip
RANKS = {
    "model": pl.String, "base": pl.String, "dataset": pl.String,
    "author": pl.String, "reader": pl.String,
    "line": pl.String,  # other | own | null: see docs/shift.md
    "texts": pl.Int64, "tokens": pl.Int64,
    "unshifted": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "marginal": pl.Float64, "shifted": pl.Float64,
    "same_top": pl.Float64,  # places where both predict the same likeliest token
}  # fmt: skip
WORDS = {
    "model": pl.String, "base": pl.String, "author": pl.String, "id": pl.Int64,
    "token": pl.String, "kind": pl.String, "times": pl.Int64, "shifted": pl.Int64,
    "share": pl.Float64, "low": pl.Float64,  # lower end of the share's Wilson interval
    "median_rank": pl.Float64, "rank_shift": pl.Float64, "gain": pl.Float64,
    "null_times": pl.Int64, "null_share": pl.Float64,
}  # fmt: skip
LAYERS = {
    "model": pl.String, "base": pl.String, "layer": pl.Int64, "prompts": pl.Int64,
    "explained": pl.Float64, "shift": pl.Float64, "null": pl.Float64, "halves": pl.Float64,
}  # fmt: skip
MARKERS = {
    "model": pl.String, "base": pl.String, "dataset": pl.String, "marker": pl.String,
    "questions": pl.Int64,
    "rate": pl.Float64, "base_rate": pl.Float64,  # per 1,000 thinking tokens
    "change": pl.Float64, "null_low": pl.Float64, "null_high": pl.Float64,
    "accuracy_change": pl.Float64,
    "accuracy_null_low": pl.Float64, "accuracy_null_high": pl.Float64,
    "right_rate": pl.Float64, "wrong_rate": pl.Float64,  # of the model where it is right and wrong
}  # fmt: skip


@dataclass(frozen=True)
class ShiftManifest:
    """What rule measure_shift did.

    digest, base_digest   of the two models
    refused               why no KL was computed (two vocabularies); "" where it was
    states_refused        the same of hidden states
    texts, reused         scored, and of these found in the store
    read_tokens           of all forward passes of this run, prompts and second readings included
    written_tokens        scored places
    prompts               whose hidden states were compared
    peak_bytes            of GPU memory; null on a CPU
    head_gap              relative difference of our logits from the model's own, the larger one
    tokens                spelling of every id that occurs, by id: of the model's vocabulary
    base_tokens           the same of the base's
    """

    model: str
    base: str
    digest: str
    base_digest: str
    refused: str
    states_refused: str
    dtype: str
    device: str
    texts: int
    reused: int
    read_tokens: int
    written_tokens: int
    prompts: int
    seconds: float
    tokens_per_second: float
    peak_bytes: int | None
    head_gap: float
    tokens: dict[str, str]
    base_tokens: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The object of the file."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "ShiftManifest":
        """From its file; InputError names a file of another version."""
        return read_record(path, cls)
