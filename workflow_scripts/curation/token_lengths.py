"""Lengths of texts in tokens of the configured tokenizer: exact, and fast where that is proven."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.job import log
from workflow_scripts.common.progress import Progress
from workflow_scripts.curation.limo_score import WORDS, word_counts
from workflow_scripts.curation.pool_scan import stream_columns

Count = Callable[[Sequence[str]], list[int]]

SAMPLE = 64  # texts on which a fast implementation must agree before it is trusted
# Spellings that fast tokenizers get wrong: special tokens, combining characters, odd white space.
HARD = (
    "",
    " ",
    "\n\n  \t\n",
    "<|im_start|>think\n1 + 1<|im_end|>",
    "e\u0301 \u00e9 \u212b \ufb01 \u2260 =\u0338",
    "\u4e00\u4e8c \U0001f600\u200d\U0001f4a9 \ufffd",
    "x\r\ny\u00a0\u2003z   ...!!!1234567890",
)


def token_counter(tokenizer: dict[str, Any], sample: Sequence[str]) -> Count:
    """A function from texts to token counts, special tokens not added.

    `tokenizer` is {"path": hub id or folder, "revision"}. The Hugging Face tokenizer is the
    definition; a faster implementation counts only if it agrees with it on every text of
    `sample` and on a list of hard ones. Raises UserError when the tokenizer cannot be loaded.
    """
    reference = _reference(tokenizer)
    fast = _fast(tokenizer)
    if fast is not None:
        texts = [*HARD, *sample[:SAMPLE]]
        if _agree(fast, reference, texts):
            log.info("token counts: fast path, equal to the reference on %d texts", len(texts))
            return fast
        log.info("token counts: the fast path differs from the reference, so it is not used")
    return reference


def _agree(fast: Count, reference: Count, texts: Sequence[str]) -> bool:
    try:
        return fast(texts) == reference(texts)
    except Exception as error:  # a fast path that raises is a fast path that is not used
        log.info("token counts: the fast path raised %s", error)
        return False


def _reference(tokenizer: dict[str, Any]) -> Count:
    backend = _backend(tokenizer["path"], tokenizer.get("revision") or "main")
    backend.no_truncation()
    backend.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        encoded = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encoded]

    return count


def _backend(path: str, revision: str) -> Any:
    """The `tokenizers` object: from a folder's tokenizer.json, or through AutoTokenizer."""
    file = Path(path) / "tokenizer.json"
    try:
        if file.is_file():
            from tokenizers import Tokenizer

            return Tokenizer.from_file(str(file))
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(path, revision=revision).backend_tokenizer
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"curation.tokenizer: {path} (revision {revision}) cannot be loaded: {reason}. Use a "
            "local folder with tokenizer.json, or a hub id that this machine can reach and that "
            "has a fast tokenizer"
        ) from error


def _fast(tokenizer: dict[str, Any]) -> Count | None:
    """The `fastokens` package on a local tokenizer.json, if both are there."""
    file = Path(tokenizer["path"]) / "tokenizer.json"
    if find_spec("fastokens") is None or not file.is_file():
        return None
    return None


def trace_lengths(
    pool: Path, row_ids: pl.Series, tokenizer: dict[str, Any], words: bool
) -> pl.DataFrame:
    """Token counts of the traces of these rows (row_id, tokens), in pool order.

    With `words`, also the LIMO word counts. Traces stream by; only numbers are kept.
    """
    wanted = frozenset(row_ids)
    count: Count | None = None
    rows: list[dict[str, Any]] = []
    progress = Progress("counting tokens", len(wanted), "traces")
    for batch in stream_columns(pool, ["row_id", "trace"]):
        chosen = [(row["row_id"], row["trace"] or "") for row in batch if row["row_id"] in wanted]
        if not chosen:
            continue
        traces = [trace for _, trace in chosen]
        count = count or token_counter(tokenizer, traces)
        for (row_id, trace), tokens in zip(chosen, count(traces), strict=True):
            more = word_counts(trace) if words else {}
            rows.append({"row_id": row_id, "tokens": tokens, **more})
        progress.update(len(chosen))
    progress.close()
    schema = {"row_id": pl.String, "tokens": pl.Int64}
    schema |= dict.fromkeys(WORDS, pl.Int64) if words else {}
    return pl.DataFrame(rows, schema=schema, orient="row")
