"""Where the answer begins: the text after the end of thinking, without special tokens."""

import re

# The last of these ends the thinking; what follows is the answer part.
_ANSWER_STARTS = re.compile(
    r"<\|im_start\|>\s*answer\b|</think(?:ing)?>|</thoughts?>|</reasoning>|◁/think▷|\[/THINK\]"
    r"|<\|end_of_thought\|>|<\|begin_of_solution\|>|<\|channel\|>\s*final\s*<\|message\|>"
    r"|<\|im_start\|>assistant\b(?!.*<\|im_start\|>think)",
    re.IGNORECASE | re.DOTALL,
)
_THINKING_STARTS = re.compile(
    r"<\|im_start\|>\s*think\b|<think(?:ing)?>|<reasoning>|◁think▷|\[THINK\]"
    r"|<\|begin_of_thought\|>|<\|channel\|>\s*analysis",
    re.IGNORECASE,
)
_BARE_THINK = re.compile(r"\A\s*think\n")
_BARE_ANSWER = re.compile(r"\n[ \t]*answer[ \t\r]*\n")
_TOKENS = re.compile(
    r"<\|(?:im_end|im_start|endoftext|eot_id|end_of_text|end|end_of_solution|return)\|>"
    r"|</s>|<eos>|<｜end▁of▁sentence｜>|<end_of_turn>",
)
_TAGGED = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.IGNORECASE | re.DOTALL)


def answer_part(text: str) -> tuple[int, int] | None:
    """Span of the answer part of a whole response.

    None when thinking was opened and never closed: an answer that stands only inside the thinking
    does not count. Text without any thinking marks is an answer part as a whole.
    """
    starts = (
        list(_ANSWER_STARTS.finditer(text)) if "<" in text or "[/" in text or "◁" in text else []
    )
    begin = starts[-1].end() if starts else 0
    opened = [match.end() for match in _THINKING_STARTS.finditer(text)]
    if opened and opened[-1] > begin:
        return None
    if not starts and _BARE_THINK.match(text):
        lines = list(_BARE_ANSWER.finditer(text))
        if not lines:
            return None
        begin = lines[-1].end()
    end = _first_token(text, begin)
    tagged = list(_TAGGED.finditer(text, begin, end))
    if tagged and tagged[-1].group(1).strip():
        return tagged[-1].span(1)
    return begin, end


def _first_token(text: str, begin: int) -> int:
    for match in _TOKENS.finditer(text, begin):
        if text[begin : match.start()].strip():
            return match.start()
    return len(text)
