"""A response of another harness as thinking and answer, and how many tokens each has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workflow_scripts.common.delimiters import Delimiters
from workflow_scripts.common.forms import FORMS
from workflow_scripts.exchange.harness import Answered

HARNESS, TOKENIZER, NOBODY = "harness", "tokenizer", ""
MORE_TAGS = (("<thinking>", "</thinking>"), ("<|begin_of_thought|>", "<|end_of_thought|>"))

Counter = Callable[[str], int]


@dataclass(frozen=True)
class Parts:
    """Thinking and answer of a response.

    ended  thinking came to its end, or there was none
    """

    thinking: str
    answer: str
    ended: bool = True


@dataclass(frozen=True)
class Marks:
    """Texts around thinking: where it starts, where it ends, where the answer starts."""

    start: str
    ends: tuple[str, ...]
    answer: str

    @classmethod
    def of(cls, delimiters: Delimiters) -> "Marks":
        """Those of a form, without the white space around them."""
        ends = tuple(end.strip() for end in delimiters.think_end if end.strip())
        return cls(delimiters.think_start.strip(), ends, delimiters.answer_start.strip())


# What `form: auto` knows: the first of these whose start or end stands in a response.
KNOWN = (
    *(Marks.of(form.delimiters) for form in FORMS.values() if form.delimiters.think_start),
    *(Marks(start, (end,), end) for start, end in MORE_TAGS),
)


def split(row: Answered, marks: Sequence[Marks] = KNOWN) -> Parts:
    """Thinking and answer of a response.

    What a harness keeps apart is thinking; else what stands before the form's end of thinking. A
    response without any mark is all answer; one that opens thinking and does not close it has none.
    """
    if row.reasoning is not None:
        return Parts(row.reasoning, row.response, bool(row.response.strip()) or not row.cut)
    for mark in marks:
        if (parts := _by(mark, row.response)) is not None:
            return parts
    return Parts("", row.response)


def _by(mark: Marks, text: str) -> Parts | None:
    bare = text.lstrip()
    opened = bool(mark.start) and bare.startswith(mark.start)
    inner = bare[len(mark.start) :] if opened else bare
    # s1 ends thinking with what opens any turn: only behind its own start does that mean an end.
    telling = mark.ends if opened else tuple(end for end in mark.ends if _tells(mark, end))
    places = [(inner.find(end), end) for end in telling if end in inner]
    if not places:
        return Parts(inner.strip("\n"), "", ended=False) if opened else None
    at, end = min(places)
    rest = inner[at:]
    behind = mark.answer if mark.answer and rest.startswith(mark.answer) else end
    return Parts(inner[:at].strip("\n"), rest[len(behind) :].lstrip("\n"))


def _tells(mark: Marks, end: str) -> bool:
    """Whether an end says by itself that what stands before it was thinking."""
    return not mark.start.startswith(end) and end not in ("<|im_end|>", "<|end|>")


@dataclass(frozen=True)
class Tokens:
    """Tokens of thinking and of the answer; None where nobody counted them."""

    thinking: int | None
    answer: int | None


def tokens(row: Answered, parts: Parts, count: Counter | None) -> tuple[Tokens, str]:
    """Numbers of tokens and where they come from: HARNESS, TOKENIZER or NOBODY.

    count  of a text, by the tokenizer of the config
    A harness that counts the whole response alone says nothing on its parts, unless it has one.
    """
    if row.tokens is not None and row.reasoning_tokens is not None:
        inside = min(row.reasoning_tokens, row.tokens)
        return Tokens(inside, row.tokens - inside), HARNESS
    if row.tokens is not None and not parts.thinking:
        return Tokens(0, row.tokens), HARNESS
    if count is not None:
        return Tokens(count(parts.thinking), count(parts.answer)), TOKENIZER
    return Tokens(None, None), NOBODY
