"""Rows of a benchmark's source as rows of the BENCHMARK table."""

import hashlib
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.common.tables.benchmark import Question
from workflow_scripts.curation.columns import (
    BENCHMARK_ALIASES,
    CHOICE_ALIASES,
    is_null,
    resolve_columns,
)
from workflow_scripts.curation.source_reader import Row

FORMATS = {"math": "math", "integer": "integer", "choice": "choice"}  # config format -> kind
LETTERS = "ABCD"
WRONG = ("incorrect_1", "incorrect_2", "incorrect_3")


def benchmark_rows(raw: list[Row], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """All questions of a benchmark in file order, as BENCHMARK rows.

    `settings`: name, format, columns, seed. Raises InputError for an empty source, a missing
    column, a row without question or gold, or a question id that occurs twice.
    """
    name = settings["name"]
    if settings["format"] not in FORMATS:
        raise ConfigError(
            f"benchmark {name}: format {settings['format']!r}; use one of {', '.join(FORMATS)}"
        )
    if not raw:
        raise InputError(f"benchmark {name} has no questions: correct its `source`")
    choice = settings["format"] == "choice"
    aliases = CHOICE_ALIASES if choice else BENCHMARK_ALIASES
    required = ("question", "correct", *WRONG) if choice else ("question", "gold")
    mapping = resolve_columns(
        list(dict.fromkeys(key for row in raw for key in row)),
        aliases,
        required,
        settings.get("columns") or {},
        f"benchmark {name}",
    )
    make = _choice if choice else _open
    questions = [make(row, i, mapping, settings) for i, row in enumerate(raw)]
    _require_unique(name, questions)
    return [asdict(question) for question in questions]


def _open(raw: Row, position: int, mapping: dict[str, str], settings: dict[str, Any]) -> Question:
    where = f"benchmark {settings['name']} row {position}"
    question = _required(raw, mapping, "question", where)
    gold = _required(raw, mapping, "gold", where)
    kind = FORMATS[settings["format"]]
    if kind == "integer":
        gold = _integer(gold, where)
    return Question(
        dataset=settings["name"],
        question_id=_question_id(raw, mapping, question),
        position=position,
        question=question,
        prompt=question,
        gold=gold,
        kind=kind,
        category=_optional(raw, mapping, "category"),
    )


def _choice(raw: Row, position: int, mapping: dict[str, str], settings: dict[str, Any]) -> Question:
    where = f"benchmark {settings['name']} row {position}"
    question = _required(raw, mapping, "question", where)
    options = [_required(raw, mapping, name, where) for name in ("correct", *WRONG)]
    if len(set(options)) < len(options):
        raise InputError(f"{where}: two of its four options are the same text")
    order = option_order(question, options, settings.get("seed", 42))
    shuffled = [options[i] for i in order]
    listed = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, shuffled, strict=True))
    return Question(
        dataset=settings["name"],
        question_id=_question_id(raw, mapping, question),
        position=position,
        question=question,
        prompt=f"{question}\n\n{listed}",
        gold=LETTERS[order.index(0)],
        kind="choice",
        options=shuffled,
        category=_optional(raw, mapping, "category"),
    )


def option_order(question: str, options: list[str], seed: int) -> list[int]:
    """Shuffled positions of the options: a hash of seed and question, whatever else is loaded."""

    def key(i: int) -> bytes:
        return hashlib.sha256(f"{seed}\0{question}\0{options[i]}".encode()).digest()

    return sorted(range(len(options)), key=key)


def _question_id(raw: Row, mapping: dict[str, str], question: str) -> str:
    given = _optional(raw, mapping, "question_id")
    return given or hashlib.sha256(question.encode()).hexdigest()[:16]


def _optional(raw: Row, mapping: dict[str, str], name: str) -> str | None:
    value = raw.get(mapping[name]) if name in mapping else None
    return None if is_null(value) else str(value).strip()


def _required(raw: Row, mapping: dict[str, str], name: str, where: str) -> str:
    value = raw.get(mapping[name])
    if is_null(value) or isinstance(value, dict | list | tuple):
        raise InputError(f"{where}: column '{mapping[name]}' ({name}) is {value!r}; expected text")
    text = str(value).strip()
    if "\ufffd" in text:
        raise InputError(f"{where}: column '{mapping[name]}' ({name}) is not valid UTF-8")
    return text


def _integer(gold: str, where: str) -> str:
    # AIME answers come as 25, "025", 25.0 and even "336^\circ": the number alone is the gold.
    digits = gold.replace("^\\circ", "").replace("^{\\circ}", "").removesuffix(".0").strip("$ ")
    if not digits.lstrip("-").isdigit():
        raise InputError(f"{where}: answer {gold!r} is not a whole number; use format: math")
    return str(int(digits))


def _require_unique(name: str, questions: list[Question]) -> None:
    positions: dict[str, list[int]] = defaultdict(list)
    for question in questions:
        positions[question.question_id].append(question.position)
    twice = {key: rows for key, rows in positions.items() if len(rows) > 1}
    if twice:
        listed = "; ".join(f"{key!r} in rows {rows}" for key, rows in list(twice.items())[:5])
        raise InputError(
            f"benchmark {name}: question ids must be unique: {listed}. Remove the repeats or map "
            "another column with `columns: {question_id: ...}`"
        )
