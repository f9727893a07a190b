"""Which question of a benchmark a harness's row is about: found by its text, never by place or id.

Two texts are the same question when nothing but case, white space, invisible characters and
Unicode's compatibility forms tells them apart.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.curation.text import readable
from workflow_scripts.exchange.harness import Answered

How = Literal["question", "prompt"]
SHORTEST = 10  # characters of a question that is looked for inside a prompt

_OPTION = re.compile(
    r"^[ \t]*(?:[-*][ \t]*)?\(?\**([A-Z])\**[).:\]][ \t]*\**[ \t]*(.*?)[ \t]*$", re.MULTILINE
)


def normal(text: str) -> str:
    """A text in the form in which questions are compared.

    >>> normal("What  is\\u200b\\n7 ^ 2 ?")
    'what is 7 ^ 2 ?'
    """
    return " ".join(readable(text).casefold().split())


def text_hash(text: str) -> str:
    """By which texts are compared: 16 hex digits of the normal form."""
    return hashlib.sha256(normal(text).encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(frozen=True)
class Match:
    """The questions with a row's text; several where a benchmark asks the same twice.

    how  "question": the same text; "prompt": the question stands inside what the model was shown
    """

    questions: tuple[Question, ...]
    how: How


class Matcher:
    """Finds rows among the questions of one benchmark."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.by_hash: dict[str, list[Question]] = defaultdict(list)
        self.inside: dict[str, list[Question]] = defaultdict(list)
        self._seen: dict[str, Match | None] = {}
        for question in questions:
            for text in dict.fromkeys(map(text_hash, (question.question, question.prompt))):
                self.by_hash[text].append(question)
            bare = normal(question.question)
            if len(bare) >= SHORTEST:
                self.inside[bare].append(question)

    def find(self, row: Answered) -> Match | None:
        """The match of a row; None where no question has its text, or where several could be it."""
        for text in (*row.questions, *([row.prompt] if row.prompt else [])):
            if found := self.by_hash.get(text_hash(text)):
                return Match(tuple(found), "question")
        for text in (row.prompt, *row.questions):
            if text and (match := self._within(text)):
                return match
        return None

    def _within(self, text: str) -> Match | None:
        """The one question that a prompt holds; None where it holds several, as examples do."""
        if text not in self._seen:
            prompt = normal(text)
            held = [bare for bare in self.inside if bare in prompt]
            outer = [a for a in held if not any(a != b and a in b for b in held)]
            one = tuple(self.inside[outer[0]]) if len(outer) == 1 else None
            self._seen[text] = Match(one, "prompt") if one else None
        return self._seen[text]


def shown_options(row: Answered, options: Iterable[str]) -> tuple[str, ...] | None:
    """A question's options in the order in which the model was shown them.

    options  of the benchmark
    None where neither the prompt nor the harness's row says it. What the prompt shows comes first:
    harnesses shuffle options, and their rows may keep the order of before.
    """
    wanted = sorted(map(normal, options))
    for found in (_listed(row.prompt or "", len(wanted)), row.options or ()):
        if sorted(map(normal, found)) == wanted:
            return tuple(found)
    return None


def _listed(prompt: str, count: int) -> tuple[str, ...]:
    """The last `count` options of a prompt that are lettered from A on; () where there are none."""
    found = _OPTION.findall(prompt)
    starts = [place for place, (letter, _) in enumerate(found) if letter == "A"]
    last = found[starts[-1] :][:count] if starts else []
    in_order = [letter for letter, _ in last] == [chr(65 + place) for place in range(len(last))]
    return tuple(text for _, text in last) if in_order else ()


def listed_options(row: Answered) -> tuple[str, ...]:
    """The options that a row itself says it was shown; () where it says none."""
    return _listed(row.prompt or "", 26) or row.options or ()


def has_options(row: Answered) -> bool:
    """Whether a row says which options the model was shown."""
    return bool(row.options) or len(_OPTION.findall(row.prompt or "")) > 1
