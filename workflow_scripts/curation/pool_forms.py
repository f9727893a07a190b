"""Forms of published training sets that are not one text per column, made flat row by row.

chat      `messages` (role, content) or `conversations` (from, value), as OpenAI, ShareGPT,
          OpenThoughts and AM-DeepSeek write them: the first user turn is the question, the
          assistant's turn after it holds trace and attempt
openr1    `problem` with a list of `generations` and lists of labels: the first complete generation
          that is labelled right, else the first one
limo      `solution` is the trace and `answer` both attempt and ground truth
response  one column holds trace and attempt, with tags around the trace
columns   what the others are made into: a column for each

A trace stands between tags (`<think>`, `<|begin_of_thought|>`), or in a field of its own.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.curation.columns import POOL_ALIASES, is_null

Row = dict[str, Any]
Flat = Callable[[Row, str], Row]

FORMS = ("auto", "columns", "chat", "openr1", "limo", "response")
TURNS = ("messages", "conversations", "conversation")
ROLES = {"user": "user", "human": "user", "prompter": "user",
         "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant",
         "model": "assistant", "system": "system", "developer": "system"}  # fmt: skip
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "think_content")
RESPONSES = ("response", "generation", "completion", "output", "model_output", "generated_text")
# Where a form's own texts hold trace and attempt, a plain `answer` is the ground truth.
GOLDS = (*POOL_ALIASES["solution"], "reference_answer", "expected_answer", "final_answer", "answer")
CORRECT = ("correctness_math_verify", "correctness_llama", "correctness", "is_correct")

_CLOSE = re.compile(r"</think(?:ing)?>|<\|end_of_thought\|>", re.I)
_OPEN = re.compile(r"\s*(?:<think(?:ing)?>|<\|begin_of_thought\|>)", re.I)
_WRAPS = re.compile(
    r"<answer>(.*)</answer>|<\|begin_of_solution\|>(.*?)(?:<\|end_of_solution\|>|\Z)", re.S | re.I
)


def split_response(text: str | None) -> tuple[str | None, str | None]:
    """Trace and attempt of a response: what stands inside and behind the thinking tags.

    Without tags the whole text is the attempt; a thought that is not closed has no attempt.

    >>> split_response("<think>One and one.</think><answer>2</answer>")
    ('One and one.', '2')
    """
    if text is None:
        return None, None
    opened, close = _OPEN.match(text), _CLOSE.search(text)
    if close is None:
        return (text[opened.end() :].strip(), None) if opened else (None, text)
    trace, rest = text[opened.end() if opened else 0 : close.start()], text[close.end() :].strip()
    wrapped = _WRAPS.fullmatch(rest)
    answer = next((part for part in wrapped.groups() if part is not None), "") if wrapped else rest
    return trace.strip() or None, answer.strip() or None


@dataclass(frozen=True)
class Form:
    """How the rows of one file are made flat.

    columns   our name -> column, where the form says so; the config's `columns` go first
    """

    name: str
    columns: Mapping[str, str]
    flat: Flat

    def rows(self, batch: Sequence[Row], where: str, first: int) -> list[Row]:
        """The batch in the form "columns"; `first` is the number of its first row."""
        return [self.flat(row, f"{where} row {first + i}") for i, row in enumerate(batch)]


def find_form(
    name: str, batch: Sequence[Row], overrides: Mapping[str, str], where: str, notes: Counter[str]
) -> Form:
    """The form that is asked for, or the one that a file's first rows have under "auto".

    `notes` counts what a form leaves out. ConfigError when the rows do not have the form.
    """
    found = list(dict.fromkeys(column for row in batch for column in row))
    if name == "auto":
        name = _guess(batch, found, overrides)
    made = _MAKERS[name](batch, found, overrides, notes)
    if made is None:
        raise ConfigError(
            f"{where}: pool.form is {name}, which reads {_NEEDS[name]}; the source has: "
            f"{', '.join(found)}"
        )
    return made


def _guess(batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str]) -> str:
    """The form; "columns" where a trace has a column of its own. LIMO's is never guessed."""
    if "trace" in overrides or any(name in found for name in POOL_ALIASES["trace"]):
        return "columns"
    if "generations" in found:
        return "openr1"
    if _turns_column(batch, found):
        return "chat"
    return "response" if _response_column(batch, found, overrides) else "columns"


def _as_is(batch: Sequence[Row], found: Sequence[str], o: Mapping[str, str], n: Any) -> Form:
    return Form("columns", {}, lambda row, where: row)


def _chat(
    batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str], notes: Counter[str]
) -> Form | None:
    column = _turns_column(batch, found)
    if column is None:
        return None

    def flat(row: Row, where: str) -> Row:
        return {**row, **_exchange(row.get(column), f"{where}: column '{column}'", notes)}

    inside = any(_info(turn) for row in batch for turn in _as_list(row.get(column)))
    columns = dict.fromkeys(("question", "trace", "attempt"), "") | _gold(found)
    return Form("chat", {k: v or k for k, v in columns.items()} | _own(inside), flat)


def _own(inside: bool) -> dict[str, str]:
    return {"solution": "solution", "source": "source"} if inside else {}


def _gold(found: Sequence[str]) -> dict[str, str]:
    return next(({"solution": name} for name in GOLDS if name in found), {})


def _turns_column(batch: Sequence[Row], found: Sequence[str]) -> str | None:
    for name in TURNS:
        if name in found and any(_as_list(row.get(name)) for row in batch):
            return name
    return None


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    turns = value if isinstance(value, list) else []
    return turns if all(isinstance(turn, dict) for turn in turns) else []


def _info(turn: Any) -> dict[str, Any]:
    info = turn.get("info") if isinstance(turn, dict) else None
    return info if isinstance(info, dict) else {}


def _exchange(value: Any, where: str, notes: Counter[str]) -> Row:
    """Question, trace and attempt of a conversation's first exchange; nulls where it has none."""
    if not is_null(value) and not _as_list(value):
        raise InputError(f"{where} is no list of turns (role and content, or from and value)")
    turns = [_turn(turn, where) for turn in _as_list(value)]
    if any(role == "system" and text for role, text, _ in turns):
        notes["chat: a system turn, left out"] += 1
    turns = [turn for turn in turns if turn[0] != "system"]
    start = next((i for i, turn in enumerate(turns) if turn[0] == "user"), len(turns))
    asked = turns[start : start + 1]
    told = [turn for turn in turns[start + 1 : start + 2] if turn[0] == "assistant"]
    if len(turns) > start + 2:
        notes["chat: more than one exchange, the first one used"] += 1
    if not asked or not told:
        notes["chat: no answer to a first question, taken as null"] += 1
    question = asked[0][1] if asked else None
    text, turn = (told[0][1], told[0][2]) if told else (None, {})
    trace, attempt = split_response(text)
    info = {**(_info(asked[0][2]) if asked else {}), **_info(turn)}
    info = {key: value for key, value in info.items() if not is_null(value)}
    own = next((turn[name] for name in THOUGHTS if not is_null(turn.get(name))), None)
    made = {"question": question, "trace": own or trace or info.get("think_content")}
    made["attempt"] = attempt or info.get("answer_content")
    more = {"solution": info.get("reference_answer"), "source": info.get("source")}
    return made | {name: value for name, value in more.items() if value is not None}


def _turn(turn: dict[str, Any], where: str) -> tuple[str, str | None, dict[str, Any]]:
    spelt = turn.get("role", turn.get("from"))
    role = ROLES.get(str(spelt).lower())
    if role is None:
        raise InputError(
            f"{where} has a turn of {spelt!r}; known: {', '.join(ROLES)}. Leave such rows out of "
            "the file, or map the texts with `pool.form: columns`"
        )
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        content = "\n".join([part for part in parts if isinstance(part, str)])
    return role, content if isinstance(content, str) and content.strip() else None, turn


def _openr1(
    batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str], notes: Counter[str]
) -> Form | None:
    if "generations" not in found:
        return None

    def flat(row: Row, where: str) -> Row:
        texts = row.get("generations") or []
        if not isinstance(texts, list):
            raise InputError(f"{where}: column 'generations' is no list of texts")
        labels = _labels(row, len(texts), where)
        done = _aligned(row.get("is_reasoning_complete"), len(texts))
        order = sorted(range(len(texts)), key=lambda i: (labels[i] is not True, done[i] is False))
        if len(texts) > 1:
            notes["openr1: several generations, the first right one used"] += 1
        trace, attempt = split_response(texts[order[0]]) if texts else (None, None)
        label = labels[order[0]] if texts else None
        return {**row, "trace": trace, "attempt": attempt, "teacher_correct": label}

    columns = dict.fromkeys(("trace", "attempt", "teacher_correct"), "") | _gold(found)
    return Form("openr1", {k: v or k for k, v in columns.items()}, flat)


def _labels(row: Row, count: int, where: str) -> list[bool | None]:
    """For each generation the first label that says something."""
    columns = [_aligned(row.get(name), count) for name in CORRECT if not is_null(row.get(name))]
    said = [next((v for v in values if v is not None), None) for values in zip(*columns)]  # noqa: B905
    for label in said:
        if label is not None and not isinstance(label, bool):
            raise InputError(f"{where}: a label of a generation is {label!r}, not true or false")
    return said or [None] * count


def _aligned(values: Any, count: int) -> list[Any]:
    values = values if isinstance(values, list) else []
    return values if len(values) == count else [None] * count


def _limo(
    batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str], notes: Counter[str]
) -> Form | None:
    if "solution" not in found or "answer" not in found:
        return None

    def flat(row: Row, where: str) -> Row:
        text = row.get("solution")
        trace, attempt = split_response(text) if isinstance(text, str) else (None, None)
        made = {"trace": trace or text, "attempt": attempt if trace else row.get("answer")}
        return {**row, **made, "solution": row.get("answer")}

    return Form("limo", {name: name for name in ("trace", "attempt", "solution")}, flat)


def _response(
    batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str], notes: Counter[str]
) -> Form | None:
    column = _response_column(batch, found, overrides)
    if column is None:
        return None

    def flat(row: Row, where: str) -> Row:
        text = row.get(column)
        trace, attempt = split_response(text) if isinstance(text, str) else (None, None)
        return {**row, "trace": trace, "attempt": attempt}

    golds = _gold([name for name in found if name != column])
    return Form("response", {"trace": "trace", "attempt": "attempt", **golds}, flat)


def _response_column(
    batch: Sequence[Row], found: Sequence[str], overrides: Mapping[str, str]
) -> str | None:
    """The column whose texts close a thought, of those that may be a response."""
    named = [overrides["attempt"]] if "attempt" in overrides else []
    for name in dict.fromkeys(named or [*POOL_ALIASES["attempt"], *RESPONSES]):
        texts = (row.get(name) for row in batch) if name in found else ()
        if any(isinstance(text, str) and _CLOSE.search(text) for text in texts):
            return name
    return None


_MAKERS: dict[str, Callable[..., Form | None]] = {
    "columns": _as_is,
    "chat": _chat,
    "openr1": _openr1,
    "limo": _limo,
    "response": _response,
}
_NEEDS = {
    "chat": f"a list of turns in one of {', '.join(TURNS)}",
    "openr1": "a list of texts in `generations`",
    "limo": "`solution` (the reasoning) and `answer`",
    "response": "a response with </think> or <|end_of_thought|>",
}
