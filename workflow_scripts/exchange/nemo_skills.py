"""NeMo-Skills: `output.jsonl` (greedy) or `output-rsSEED.jsonl`, a file for each draw.

Learned from the source of NVIDIA/NeMo-Skills at 0b012df8 (inference/generate.py, evaluation/).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.settings.imported import Imported
from workflow_scripts.exchange.harness import (
    ACCEPT,
    Answered,
    Log,
    Note,
    Row,
    json_lines,
    number,
    taken,
    whole,
)

NAME = "NeMo-Skills"
FILE = re.compile(r"output(-rs(?P<seed>\d+))?(_chunk_\d+)?\.jsonl(?P<rest>-async)?$")
VERDICTS = ("symbolic_correct", "is_correct", "judgement")
POSITION = "_async_position"


@dataclass(frozen=True)
class Output:
    """A line: the data set's own row with what was generated and how it was judged.

    generation         the response; without its thinking where `parse_reasoning` took that out
    full_generation    then the whole of it
    reasoning_content  thinking that the server kept apart
    expected_answer    the right answer
    predicted_answer   the answer that was read; null where none was
    """

    generation: str
    problem: str | None = None
    question: str | None = None
    expected_answer: Any = None
    predicted_answer: Any = None
    full_generation: str | None = None
    reasoning_content: str | None = None
    num_generated_tokens: Any = None
    num_reasoning_tokens: Any = None
    num_input_tokens: Any = None
    finish_reason: str | None = None
    id: Any = None


SPELLED = {"full_generation": "_full_generation"}


def read(paths: Sequence[Path], asked: Imported) -> Log:
    """The responses of one benchmark: every file is a draw, by its seed."""
    files = [(path, match) for path in paths if (match := FILE.search(path.name))]
    if not files:
        raise InputError(
            f"{', '.join(map(str, paths[:3]))}: no file called output.jsonl or output-rsSEED.jsonl"
        )
    files = sorted(files, key=lambda pair: (pair[0].parent, int(pair[1]["seed"] or -1), pair[0]))
    seeds = list(dict.fromkeys((path.parent, match["seed"]) for path, match in files))
    rows: list[Answered] = []
    notes: list[Note] = []
    for path, match in files:
        lines, more = json_lines(path, asked.unfinished)
        notes += [*more, *_stopped(path, match["rest"], lines, asked.unfinished)]
        draw = seeds.index((path.parent, match["seed"]))
        rows += [_row(where, row, asked, draw) for where, row in lines]
    told = {"seeds": [seed for _, seed in seeds if seed is not None]}
    return Log(NAME, "", "", "", tuple(rows), told if told["seeds"] else {}, tuple(notes))


def _stopped(
    path: Path, rest: str | None, lines: list[tuple[str, Row]], unfinished: str
) -> list[Note]:
    """InputError for a file of a job that is not done, unless that is accepted."""
    if not rest and not any(POSITION in row for _, row in lines):
        return []
    said = f"{path} is what a job that has not finished has written so far"
    if unfinished != ACCEPT:
        raise InputError(f"{said}: let it finish, or set `unfinished: accept`, which counts it")
    return [Note("unfinished", len(lines), f"{said}: what it holds is counted")]


def _row(where: str, row: Row, asked: Imported, draw: int) -> Answered:
    found = taken(Output, row, where, SPELLED)
    metric = asked.metric or next((name for name in VERDICTS if name in row), "")
    whole_text = found.full_generation or found.generation
    prompt = next((text for text in (found.problem, found.question) if text), None)
    apart = found.reasoning_content if found.reasoning_content else None
    return Answered(
        place=where,
        own_id="" if found.id is None else str(found.id),
        questions=tuple(text for text in (found.problem, found.question) if text),
        prompt=prompt,
        response=found.generation if apart else whole_text,
        reasoning=apart,
        sample=draw,
        gold=None if found.expected_answer is None else str(found.expected_answer),
        metric=metric,
        score=_verdict(row.get(metric)),
        extracted=None if found.predicted_answer is None else str(found.predicted_answer),
        tokens=whole(found.num_generated_tokens),
        reasoning_tokens=whole(found.num_reasoning_tokens),
        prompt_tokens=whole(found.num_input_tokens),
        cut=found.finish_reason == "length",
    )


def _verdict(value: Any) -> float | None:
    """A verdict, also in a judge's words ("Judgement: Yes")."""
    if isinstance(value, str):
        said = re.findall(r"judgement:\s*(yes|no)\b", value, re.IGNORECASE)
        return float(said[-1].lower() == "yes") if said else None
    return number(value)
