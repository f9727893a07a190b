"""lm-evaluation-harness: `samples_TASK_DATE.jsonl`, and `results_DATE.json` beside it.

Learned from lm_eval 0.4.13 and from files of 0.4.2, which had no `filter`, no `metrics` and a list
for `arguments`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.settings.imported import Imported
from workflow_scripts.exchange.harness import (
    Answered,
    Log,
    Note,
    Row,
    json_file,
    json_lines,
    known_facts,
    number,
    one_of,
    taken,
    texts,
)

NAME = "lm-evaluation-harness"
SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl$")
NOT_METRICS = ("doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter")
UNREAD = "[invalid]"  # what a filter says that found no answer
QUESTIONS = ("problem", "question", "Question", "Problem", "query", "prompt", "input", "text")


@dataclass(frozen=True)
class Sample:
    """A line of samples_*.jsonl: one document under one filter.

    doc             the task's own row
    target          right answer as text
    arguments       of each request: {"gen_args_0": {"arg_0": PROMPT, "arg_1": SETTINGS}}
    resps           of each request: one text for each repeat
    filtered_resps  of each request: what the filter made of them
    metrics         names of the verdicts, which stand beside these keys
    """

    doc_id: int
    doc: dict[str, Any]
    target: Any
    arguments: Any
    resps: list[Any]
    filtered_resps: list[Any]
    filter: str = "none"
    metrics: list[str] = field(default_factory=list)
    doc_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""


@dataclass(frozen=True)
class Results:
    """What results_*.json says of a run."""

    results: dict[str, Any]
    configs: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    lm_eval_version: str = ""
    model_name: str = ""
    date: Any = ""
    chat_template_sha: str | None = None
    system_instruction: str | None = None


def read(paths: Sequence[Path], asked: Imported) -> Log:
    """The responses of one task; of several filters the verdicts of one."""
    files = [(path, SAMPLES.search(path.name)) for path in paths]
    samples = [(path, match) for path, match in files if match]
    if not samples:
        raise InputError(
            f"{', '.join(map(str, paths[:3]))}: no file called samples_TASK_DATE.jsonl; run "
            "lm_eval with --log_samples, and name these files or their folder"
        )
    where = str(samples[0][0].parent)
    task = one_of([match["task"] for _, match in samples], asked.task, "task", "task", where)
    rows: list[Answered] = []
    notes: list[Note] = []
    known = Results({})
    for draw, path in enumerate(path for path, match in samples if match["task"] == task):
        match = SAMPLES.search(path.name)
        assert match is not None
        beside = path.with_name(f"results_{match['date']}.json")
        if beside.is_file():
            known = taken(Results, json_file(beside), str(beside))
        found, more = _file(path, asked, draw)
        rows += found
        notes += more
    return Log(
        NAME,
        known.lm_eval_version,
        known.model_name,
        SAMPLES.search(samples[0][0].name)["date"],  # pyright: ignore[reportOptionalSubscript]
        tuple(rows),
        _settings(known, task),
        tuple(notes),
    )


def _settings(known: Results, task: str) -> dict[str, Any]:
    config = known.configs.get(task, {})
    told = {
        "task": task,
        "task version": known.versions.get(task),
        "few-shot examples": config.get("num_fewshot"),
        "drawn with": config.get("generation_kwargs"),
        "overridden by": known.config.get("gen_kwargs"),
        "model arguments": known.config.get("model_args"),
        "system prompt": known.system_instruction,
        "chat template": known.chat_template_sha,
    }
    return known_facts(told)


def _file(path: Path, asked: Imported, run: int) -> tuple[list[Answered], list[Note]]:
    lines, notes = json_lines(path, asked.unfinished)
    samples = [(where, row, taken(Sample, row, where)) for where, row in lines]
    filters = list(dict.fromkeys(sample.filter for _, _, sample in samples))
    wanted = asked.filter or filters[0]
    if wanted not in filters:
        raise InputError(f"{path}: no filter is called '{wanted}' (there are: {filters})")
    if len(filters) > 1:
        said = f"{path.name} has the filters {', '.join(filters)}: verdicts are those of '{wanted}'"
        notes.append(Note("several-filters", len(lines), said))
    kept = [(where, row, sample) for where, row, sample in samples if sample.filter == wanted]
    rows: list[Answered] = []
    for where, row, sample in kept:
        rows += _responses(where, row, sample, asked, run)
    several = sum(len(_texts(where, sample)) > 1 for where, _, sample in kept)
    if several:
        said = "one verdict of the harness on several responses: it is of none of them alone"
        notes.append(Note("verdict-of-several", several, said))
    return rows, notes


def _texts(where: str, sample: Sample) -> list[str]:
    found = [text for request in sample.resps for text in _flat(request)]
    if not all(isinstance(text, str) for text in found):
        raise InputError(
            f"{where} holds likelihoods of options, and no text that a model wrote: nothing can "
            "be graded. Use the task's generating form"
        )
    return found


def _flat(request: Any) -> list[Any]:
    return request if isinstance(request, list) else [request]


def _responses(where: str, row: Row, sample: Sample, asked: Imported, run: int) -> list[Answered]:
    found = _texts(where, sample)
    metric, score = _verdict(row, sample, asked)
    fields = [sample.doc[key] for key in QUESTIONS if isinstance(sample.doc.get(key), str)]
    read_as = next(iter(texts(sample.filtered_resps)), None)
    return [
        Answered(
            place=where,
            own_id=_own_id(sample),
            questions=tuple(dict.fromkeys([*fields, *texts(sample.doc)])),
            prompt=next(texts(sample.arguments), None),
            response=text,
            sample=run * len(found) + draw,
            gold=None if sample.target is None else str(sample.target),
            metric=metric,
            score=score if len(found) == 1 else None,
            extracted=read_as if len(found) == 1 and read_as != UNREAD else None,
        )
        for draw, text in enumerate(found)
    ]


def _own_id(sample: Sample) -> str:
    own = next(
        (sample.doc[key] for key in ("id", "unique_id", "question_id") if key in sample.doc), None
    )
    return str(sample.doc_id if own is None else own)


def _verdict(row: Row, sample: Sample, asked: Imported) -> tuple[str, float | None]:
    names = sample.metrics or [
        key for key in row if key not in NOT_METRICS and not key.endswith("_hash")
    ]
    scored = [name for name in names if number(row.get(name)) is not None]
    name = asked.metric or (scored[0] if scored else "")
    if asked.metric and asked.metric not in row:
        raise InputError(f"no metric is called '{asked.metric}' (there are: {', '.join(names)})")
    return name, number(row.get(name))
