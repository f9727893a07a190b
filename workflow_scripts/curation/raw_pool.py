"""Raw rows of any release of the 59K pool, in any of their forms, as POOL rows.

Every repair is counted, and an audit says what was found: columns, nulls, sources, examples.
"""

import ast
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.common.job import log
from workflow_scripts.common.provenance import canonical_json
from workflow_scripts.common.settings.curation import S1_LABELS, Reading
from workflow_scripts.common.tables.pool import POOL
from workflow_scripts.curation.pool import source_name
from workflow_scripts.curation.sources import (
    POOL_ALIASES,
    Batches,
    FileColumns,
    Origin,
    Row,
    is_null,
)

# Forms of published training sets that are not one text per column, made flat row by row:
# chat      `messages` (role, content) or `conversations` (from, value), as OpenAI, ShareGPT,
#           OpenThoughts and AM-DeepSeek write them: the first user turn is the question, the
#           assistant's turn after it holds trace and attempt
# openr1    `problem` with a list of `generations` and lists of labels: the first complete
#           generation that is labelled right, else the first one
# limo      `solution` is the trace and `answer` both attempt and ground truth
# response  one column holds trace and attempt, with tags around the trace
# columns   what the others are made into: a column for each
# A trace stands between tags (`<think>`, `<|begin_of_thought|>`), or in a field of its own.
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
    own = "labels" in found and "row_id" in found
    return Form("columns", {}, _unfolded if own else lambda row, where: row)


def _unfolded(row: Row, where: str) -> Row:
    """A row of a pool that this project wrote: its solvers' labels stand in one column, as JSON."""
    try:
        labels = json.loads(row["labels"])
        return {**labels, **row}
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: column 'labels' is no JSON object of labels") from None


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


TEXTS = ("question", "trace", "attempt", "solution", "domain")
# Parsing a Python literal costs some 50 times its size in memory; coding sources hold test cases
# of many megabytes there, which nothing downstream reads.
METADATA_LIMIT = 1 << 20
TRUE = ("true", "yes", "1", "1.0", "correct", "right")
FALSE = ("false", "no", "0", "0.0", "incorrect", "wrong")
NULL_WORDS = ("nan", "null", "none", "na", "n/a")


class PoolRows:
    """Converts rows one by one; `repairs` counts by column and kind, `ids` guards the row key.

    labels  name of a solver's label -> column; None: s1's. ConfigError for the name of a column
    """

    def __init__(
        self, mapping: dict[str, str], where: str, labels: Mapping[str, str] | None = None
    ) -> None:
        self.mapping, self.where, self.labels = mapping, where, labels
        self.label_names = tuple(S1_LABELS if labels is None else labels)
        taken = sorted(set(self.label_names) & set(POOL.schema))
        if taken:
            raise ConfigError(
                f"pool.labels: {', '.join(taken)} is the name of a column of the pool; give the "
                "label another"
            )
        self.repairs: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.rows = 0

    def convert(self, raw: Row) -> dict[str, Any]:
        """One POOL row. Raises InputError naming row and column for a label that is no label."""
        values = {name: raw.get(column) for name, column in self.mapping.items()}
        row: dict[str, Any] = {name: self._text(name, values.get(name)) for name in TEXTS}
        row["source"] = self._text("source", values.get("source")) or "unknown"
        row["source_name"] = source_name(row["source"])
        labels = {name: self._label(name, values.get(name)) for name in self.label_names}
        row["teacher_correct"] = self._label("teacher_correct", values.get("teacher_correct"))
        row["trace_tokens"] = self._number("trace_tokens", values.get("trace_tokens"))
        row["metadata"] = self._metadata(values.get("metadata"))
        row["row_id"] = self._row_id({**row, **labels})
        row["labels"] = canonical_json(labels)
        self.rows += 1
        return row

    def _row_id(self, row: dict[str, Any]) -> str:
        # Content alone names a row, so that the order of the file does not matter. Exact repeats
        # are interchangeable: numbering them cannot make the outcome depend on the order.
        content = canonical_json(row).encode("utf-8", errors="surrogatepass")
        base = hashlib.sha256(content).hexdigest()[:16]
        self.ids[base] += 1
        return base if self.ids[base] == 1 else f"{base}-{self.ids[base]}"

    def _text(self, name: str, value: Any) -> str | None:
        if isinstance(value, list | tuple):
            if len(value) > 1:
                self.repairs[f"{name}: several texts in a list, first one used"] += 1
            value = value[0] if value else None
        if is_null(value):
            return None
        if isinstance(value, int | float):
            return str(value)
        if not isinstance(value, str):
            self.repairs[f"{name}: {type(value).__name__} instead of text, taken as null"] += 1
            return None
        return self._encodable(name, value)

    def _encodable(self, name: str, text: str) -> str:
        if not text.isascii():
            # Lone surrogates (from broken JSON escapes) become U+FFFD, as broken bytes did.
            text = text.encode("utf-8", errors="surrogatepass").decode(errors="replace")
            if "\ufffd" in text:
                self.repairs[f"{name}: invalid UTF-8, marked U+FFFD"] += 1
        return text

    def _label(self, name: str, value: Any) -> bool | None:
        if isinstance(value, list) and all(entry == value[0] for entry in value):
            value = value[0] if value else None
        if is_null(value) or isinstance(value, bool):
            return value if isinstance(value, bool) else None
        word = str(value).strip().lower()
        if word in NULL_WORDS:
            return None
        if word not in TRUE + FALSE:
            raise InputError(
                f"{self.where} row {self.rows}: column '{self.mapping[name]}' ({name}) is "
                f"{value!r}; expected true, false or null (or yes, no, correct, incorrect, 1, "
                "0; a list of equal ones). A rate, or a list with both, is no label: write a "
                "column of labels, or name the column otherwise"
            )
        return word in TRUE

    def _number(self, name: str, value: Any) -> int | None:
        if is_null(value):
            return None
        try:
            return int(float(value))
        except (TypeError, ValueError, OverflowError):
            self.repairs[f"{name}: not a number, taken as null"] += 1
            return None

    def _metadata(self, value: Any) -> str | None:
        if is_null(value):
            return None
        if not isinstance(value, str):
            return _json(value)
        if len(value) > METADATA_LIMIT:
            self.repairs["metadata: over 1 MB, only its length kept"] += 1
            return _json({"characters": len(value)})
        parsed, known = parse_literal(value)
        if not known:
            self.repairs["metadata: neither JSON nor a Python literal, kept as text"] += 1
        return _json(parsed)


def parse_literal(text: str) -> tuple[Any, bool]:
    """A JSON or Python literal, and whether it was one; nothing is ever evaluated."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text), True
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text, False


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text.encode("utf-8", errors="replace").decode()


EXAMPLES = 3
EXAMPLE_CHARACTERS = 400


class Audit:
    """Collects facts while rows stream by; memory does not grow with the pool."""

    def __init__(self, origin: Origin, rows: PoolRows) -> None:
        self.origin, self.rows = origin, rows
        self.types: dict[str, Counter[str]] = defaultdict(Counter)
        self.used: dict[str, set[str]] = defaultdict(set)
        self.nulls: Counter[str] = Counter()
        self.sources: Counter[tuple[str, str]] = Counter()
        self.labels: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()
        self.examples: list[dict[str, Any]] = []

    def see(self, raw: Row, row: dict[str, Any]) -> None:
        """Count one raw row and the POOL row made of it."""
        for name, value in raw.items():
            self.types[name][type(value).__name__] += 1
        for name, column in self.rows.mapping.items():
            self.used[column].add(name)
        texts = {name: value for name, value in row.items() if name != "labels"}
        for name, value in {**texts, **json.loads(row["labels"])}.items():
            if value is None:
                self.nulls[name] += 1
            elif isinstance(value, bool) and value:
                self.labels[name] += 1
        self.sources[row["source"], row["source_name"]] += 1
        self.domains[row["domain"] or ""] += 1
        self.examples = sorted([*self.examples, _example(row)], key=lambda e: e["row_id"])[
            :EXAMPLES
        ]

    def _types(self, name: str) -> Counter[str]:
        """Types of a column over all rows; a row without it counts as null."""
        absent = self.rows.rows - self.types[name].total()
        return self.types[name] + Counter({"NoneType": absent})

    def facts(self) -> dict[str, Any]:
        """The audit as JSON: independent of the order of the rows."""
        named: Counter[str] = Counter()
        for (_, name), count in self.sources.items():
            named[name] += count
        repeats = sum(count - 1 for count in self.rows.ids.values())
        return {
            "origin": self.origin.name,
            "commit": self.origin.commit,
            "rows": self.rows.rows,
            "exact_repeats": repeats,
            "columns": {
                name: {
                    "used_as": sorted(self.used.get(name, ())),
                    "types": dict(sorted(self._types(name).items())),
                }
                for name in sorted(self.types)
            },
            "nulls": {name: self.nulls[name] for name in sorted(self.nulls)},
            "true_labels": dict(sorted(self.labels.items())),
            "repairs": dict(sorted(self.rows.repairs.items())),
            "source_names": dict(sorted(named.items())),
            "sources": [
                {"source": source, "source_name": name, "rows": count}
                for (source, name), count in sorted(self.sources.items())
            ],
            "domains": {name or "(none)": n for name, n in sorted(self.domains.items())},
            "examples": self.examples,
        }


def _example(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value[:EXAMPLE_CHARACTERS] if isinstance(value, str) else value
        for name, value in row.items()
    }


def converted(
    batches: Batches, settings: Reading, rows: PoolRows, audit: Audit, what: str = "pool"
) -> Iterator[list[dict[str, Any]]]:
    """POOL rows; every file has its own form and columns, which may turn up in any of its rows."""
    asked, overrides = settings.form, settings.columns
    file = None
    for name, raw_batch in batches:
        if name != file:
            file, number, where = name, 0, f"{what} {audit.origin.name}, file {name}"
            form = find_form(asked, raw_batch, overrides, where, rows.repairs)
            columns = FileColumns({**form.columns, **overrides}, where, rows.labels)
            log.info("%s: form %s", where, form.name)
        batch = form.rows(raw_batch, where, number)
        number += len(batch)
        if columns.see(batch) != rows.mapping:
            rows.mapping = dict(columns.mapping)
            log.info("%s: %s", columns.where, rows.mapping)
        made = [rows.convert(raw) for raw in batch]
        for raw, row in zip(batch, made, strict=True):
            audit.see(raw, row)
        yield made
