"""Token ids of many texts by the tokenizer's own backend, without what only a reader would need.

`encode_batch_fast` skips the place of every token in its text; the ids are those of the tokenizer
itself, which is checked on the first texts and on hard ones of every set.
"""

from collections.abc import Sequence
from typing import Any

SAMPLE = 16  # texts on which the ids must be those of the tokenizer
# Special tokens, combining characters, odd white space.
HARD = (
    " ",
    "\n\n  \t\n",
    "<|im_start|>think\n1 + 1<|im_end|>",
    "e\u0301 \u00e9 \u212b \ufb01 \u2260 =\u0338",
    "\u4e00\u4e8c \U0001f600\u200d\U0001f4a9 \ufffd",
    "x\r\ny\u00a0\u2003z   ...!!!1234567890",
)


def encode_texts(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Ids of every text, no special tokens added: what `tokenizer(texts)` gives, in less time."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not hasattr(backend, "encode_batch_fast"):
        return _reference(tokenizer, texts)
    sample = [*HARD, *texts[:SAMPLE]]
    if _fast(backend, sample) != _reference(tokenizer, sample):
        return _reference(tokenizer, texts)
    return _fast(backend, texts)


def _reference(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    return tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []


def _fast(backend: Any, texts: Sequence[str]) -> list[list[int]]:
    return [e.ids for e in backend.encode_batch_fast(list(texts), add_special_tokens=False)]
