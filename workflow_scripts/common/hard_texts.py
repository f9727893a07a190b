"""Texts on which a fast tokenizer has to agree with the reference before it is trusted."""

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
