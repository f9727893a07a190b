"""Plain JSONL: an object a line, with a question and a response, columns named in the config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.settings.imported import Imported
from workflow_scripts.exchange.harness import Answered, Log, Note, Row, json_lines, number, whole

NAME = "plain JSONL"


@dataclass(frozen=True)
class Columns:
    """Our names, each with the spellings that are found without being named.

    question  as the benchmark has it; a prompt that holds it will do
    sample    number of the draw; without it rows of one question are draws in file order
    correct   the harness's own verdict: true, false or a number
    """

    question: tuple[str, ...] = ("question", "problem", "prompt", "input", "query")
    response: tuple[str, ...] = ("response", "generation", "completion", "output", "prediction")
    reasoning: tuple[str, ...] = ("reasoning", "reasoning_content", "thinking")
    gold: tuple[str, ...] = ("gold", "answer", "target", "expected_answer", "solution")
    correct: tuple[str, ...] = ("correct", "is_correct", "verdict", "score", "exact_match")
    extracted: tuple[str, ...] = ("extracted", "predicted_answer", "parsed")
    id: tuple[str, ...] = ("id", "question_id", "unique_id", "doc_id")
    sample: tuple[str, ...] = ("sample", "draw", "epoch", "seed", "repeat")
    options: tuple[str, ...] = ("options", "choices")
    prompt: tuple[str, ...] = ("prompt",)
    tokens: tuple[str, ...] = (
        "tokens",
        "output_tokens",
        "completion_tokens",
        "num_generated_tokens",
    )
    thinking_tokens: tuple[str, ...] = ("thinking_tokens", "reasoning_tokens")
    prompt_tokens: tuple[str, ...] = ("prompt_tokens", "input_tokens")
    finish_reason: tuple[str, ...] = ("finish_reason", "stop_reason")


NEEDED = ("question", "response")
LIMITS = ("length", "max_tokens", "model_length")


def read(paths: Sequence[Path], asked: Imported) -> Log:
    """The rows of all files."""
    rows: list[Answered] = []
    notes: list[Note] = []
    for path in paths:
        lines, more = json_lines(path, asked.unfinished)
        notes += more
        names = _columns(lines, asked.columns, path)
        rows += [_row(where, row, names) for where, row in lines]
    return Log(NAME, "", asked.model or "", "", tuple(rows), {}, tuple(notes))


def _columns(
    lines: Sequence[tuple[str, Row]], asked: Mapping[str, str], path: Path
) -> dict[str, str]:
    """Our name -> column; InputError for one that is needed and not there."""
    found = list(dict.fromkeys(key for _, row in lines for key in row))
    known = {item.name: item.default for item in fields(Columns)}
    odd = [name for name in asked if name not in known]
    if odd:
        raise InputError(f"`imported.columns`: {odd[0]!r} is none of {', '.join(known)}")
    names: dict[str, str] = {}
    for ours, spellings in known.items():
        if ours in asked:
            if asked[ours] not in found:
                raise InputError(
                    f"{path}: no column '{asked[ours]}' for `columns.{ours}` "
                    f"(found: {', '.join(found)})"
                )
            names[ours] = asked[ours]
        elif spelled := next((name for name in spellings if name in found), None):  # pyright: ignore[reportGeneralTypeIssues]
            names[ours] = spelled
    for ours in NEEDED:
        if ours not in names:
            raise InputError(
                f"{path}: no column for the {ours} (found: {', '.join(found)}). Name it: "
                f"`imported.columns: {{{ours}: COLUMN}}`; rows are matched by the text of their "
                "question, never by an id or their place"
            )
    return names


def _row(where: str, row: Row, names: Mapping[str, str]) -> Answered:
    value = {ours: row.get(column) for ours, column in names.items()}
    question, response = (_needed(value[ours], names[ours], where) for ours in NEEDED)
    options = value.get("options")
    draw = value.get("sample")
    return Answered(
        place=where,
        own_id="" if value.get("id") is None else str(value["id"]),
        questions=(question,),
        prompt=_text(value.get("prompt")) or question,
        response=response,
        reasoning=_text(value.get("reasoning")),
        sample=draw if isinstance(draw, int) and not isinstance(draw, bool) else None,
        gold=_text(value.get("gold")),
        options=tuple(map(str, options)) if isinstance(options, list) else None,
        metric=names.get("correct", ""),
        score=number(value.get("correct")),
        extracted=_text(value.get("extracted")),
        tokens=whole(value.get("tokens")),
        reasoning_tokens=whole(value.get("thinking_tokens")),
        prompt_tokens=whole(value.get("prompt_tokens")),
        cut=value.get("finish_reason") in LIMITS,
    )


def _needed(value: Any, column: str, where: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: '{column}' is {value!r:.60}, and no text")
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is None else str(value)
