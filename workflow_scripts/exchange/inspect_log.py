"""inspect_ai: `.eval` logs (a zip of JSON, deflated or zstd), and the same as one `.json`.

The form is documented (inspect.aisi.org.uk/eval-logs.html) and has a version, 2 since 2024. It is
read here with the records below and not with inspect_ai, which would bring some 90 packages into
every environment (docs/decisions.md); a test reads files that inspect_ai itself wrote.
"""

import json
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.settings.imported import Imported
from workflow_scripts.exchange.harness import (
    ACCEPT,
    Answered,
    Log,
    Note,
    json_file,
    known_facts,
    number,
    one_of,
    taken,
    texts,
    whole,
)

NAME = "inspect_ai"
VERSIONS = (1, 2)
HEADER, START, SAMPLES = "header.json", "_journal/start.json", "samples/"
ZSTD = 93  # method of a zip's member
LOCAL_HEADER = struct.Struct("<26xHH")  # lengths of name and extra field, behind 26 bytes
LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
LIMITS = ("max_tokens", "model_length")


@dataclass(frozen=True)
class Header:
    """header.json: the log without its samples.

    version  of the form
    status   "success", "started", "cancelled" or "error"
    eval     what was run: task, model, packages, created, model_generate_config, ...
    """

    version: int
    status: str
    eval: dict[str, Any]
    plan: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] | None = None
    stats: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Sample:
    """samples/ID_epoch_N.json: one question in one epoch.

    input     text, or the chat in front of the response
    messages  the whole chat, with the prompt as the model was shown it
    output    the model's last output: choices with message and stop_reason, completion, usage
    scores    scorer -> {"value": "C" or a number, "answer": ..., "explanation": ...}
    """

    id: Any
    epoch: int
    input: Any
    target: Any
    choices: list[str] | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    output: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] | None = None
    score: dict[str, Any] | None = None  # of version 1
    metadata: dict[str, Any] = field(default_factory=dict)
    attachments: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    limit: Any = None


def read(paths: Sequence[Path], asked: Imported) -> Log:
    """The samples of one task; several logs of it are further draws."""
    logs = [(path, *_opened(path, asked.unfinished)) for path in paths]
    where = str(paths[0].parent)
    tasks = [str(header.eval.get("task", "")) for _, header, _, _ in logs]
    task = one_of(tasks, asked.task, "task", "task", where)
    models = [str(header.eval.get("model", "")) for _, header, _, _ in logs]
    model = one_of(models, asked.model, "model", "model", where)
    rows: list[Answered] = []
    notes: list[Note] = []
    first: Header | None = None
    before = 0  # draws of earlier logs
    for path, header, samples, said in logs:
        if (header.eval.get("task"), header.eval.get("model")) != (task, model):
            continue
        first = first or header
        found, more = _rows(path, samples, asked, before)
        rows += found
        notes += [*said, *more]
        before = 1 + max((row.sample or 0 for row in found), default=before - 1)
    assert first is not None
    return Log(
        NAME,
        str((first.eval.get("packages") or {}).get("inspect_ai", "")),
        model,
        str(first.eval.get("created", "")),
        tuple(rows),
        _settings(first, task),
        tuple(notes),
    )


def _settings(header: Header, task: str) -> dict[str, Any]:
    told = {
        "task": task,
        "task version": header.eval.get("task_version"),
        "drawn with": header.eval.get("model_generate_config") or header.plan.get("config"),
        "task arguments": header.eval.get("task_args"),
        "solvers": [step.get("solver") for step in header.plan.get("steps", [])],
    }
    return known_facts(told)


# ---------------------------------------------------------------------------------- the container


def _opened(path: Path, unfinished: str) -> tuple[Header, list[tuple[str, Sample]], list[Note]]:
    """A log's header and samples; InputError for another version and for a run that was stopped."""
    if path.suffix == ".json":
        value = json_file(path)
        header, found = _header(value, path), value.get("samples") or []
        pairs = [(f"{path} sample {place}", sample) for place, sample in enumerate(found)]
    else:
        header, pairs = _unzipped(path, unfinished)
    notes = []
    if header.status != "success":
        said = f"{path} is the log of a run that ended as '{header.status}'"
        if unfinished != ACCEPT:
            raise InputError(
                f"{said}: finish it (`inspect eval-retry {path.name}`), or set `unfinished: "
                "accept`, which counts what it holds"
            )
        notes.append(Note("unfinished", len(pairs), f"{said}: what it holds is counted"))
    if not pairs:
        raise InputError(f"{path} holds no samples (a log that was written with headers alone?)")
    return header, [(where, taken(Sample, value, where)) for where, value in pairs], notes


def _header(value: Any, path: Path) -> Header:
    header = taken(Header, value, str(path))
    if header.version not in VERSIONS:
        raise InputError(
            f"{path} is a log of version {header.version}; versions {VERSIONS} are read here. "
            "Convert it: `inspect log convert --to json` of an inspect_ai that writes version 2"
        )
    return header


def _unzipped(path: Path, unfinished: str) -> tuple[Header, list[tuple[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            if HEADER in names:
                header = _header(json.loads(_member(file, HEADER)), path)
            elif unfinished == ACCEPT and START in names:
                started = json.loads(_member(file, START))
                header = _header({**started, "status": "started"}, path)
            else:
                raise InputError(
                    f"{path} has no {HEADER}: its run did not finish (or it is no log of "
                    "inspect_ai). `unfinished: accept` counts what it holds"
                )
            samples = [name for name in names if name.startswith(SAMPLES)]
            pairs = [(f"{path}:{name}", json.loads(_member(file, name))) for name in samples]
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        raise InputError(f"{path} is half written, damaged or no .eval log: {error}") from None
    return header, pairs


def _member(file: zipfile.ZipFile, name: str) -> bytes:
    """A member's bytes; zstd, which newer logs have, is unknown to Python's zipfile."""
    info = file.getinfo(name)
    if info.compress_type != ZSTD:
        return file.read(info)
    import pyarrow

    raw = file.fp
    assert raw is not None
    raw.seek(info.header_offset)
    lengths = LOCAL_HEADER.unpack(raw.read(LOCAL_HEADER.size))
    raw.seek(info.header_offset + LOCAL_HEADER.size + sum(lengths))
    packed = pyarrow.BufferReader(raw.read(info.compress_size))
    with pyarrow.CompressedInputStream(packed, "zstd") as stream:
        found = stream.read()
    if len(found) != info.file_size:
        raise ValueError(f"{name} has {len(found)} bytes and should have {info.file_size}")
    return found


# ------------------------------------------------------------------------------------ the samples


def _rows(
    path: Path, samples: list[tuple[str, Sample]], asked: Imported, before: int
) -> tuple[list[Answered], list[Note]]:
    scorers = dict.fromkeys(name for _, sample in samples for name in _scores(sample))
    metric = asked.metric or next(iter(scorers), "")
    if asked.metric and asked.metric not in scorers:
        raise InputError(f"{path}: no scorer is called '{metric}' (there are: {list(scorers)})")
    notes = []
    if len(scorers) > 1 and not asked.metric:
        said = f"{path.name} has the scorers {', '.join(scorers)}: verdicts are those of '{metric}'"
        notes.append(Note("several-scorers", len(samples), said))
    failed = [
        where for where, sample in samples if sample.error or not sample.output.get("choices")
    ]
    if failed:
        said = f"samples that ended in an error, without an output ({failed[0]}): left out"
        notes.append(Note("failed-samples", len(failed), said))
    kept = [(where, sample) for where, sample in samples if where not in failed]
    return [_row(where, sample, metric, before) for where, sample in kept], notes


def _scores(sample: Sample) -> dict[str, Any]:
    return sample.scores or ({"score": sample.score} if sample.score else {})


def _row(where: str, sample: Sample, metric: str, before: int) -> Answered:
    choice = sample.output["choices"][0]
    reasoning, text = _content(choice["message"].get("content", ""), sample)
    usage = sample.output.get("usage") or {}
    score = _scores(sample).get(metric) or {}
    value = score.get("value")
    target = sample.target if isinstance(sample.target, str) else next(texts(sample.target), None)
    fields = [sample.input, *sample.metadata.values()] if isinstance(sample.input, str) else []
    return Answered(
        place=where,
        own_id=str(sample.id),
        questions=tuple(text for text in fields if isinstance(text, str)),
        prompt=_prompt(sample),
        response=text,
        reasoning=reasoning,
        sample=before + sample.epoch - 1,
        gold=target,
        options=tuple(sample.choices) if sample.choices else None,
        metric=metric,
        score=LETTERS.get(value) if isinstance(value, str) else number(value),
        extracted=score.get("answer"),
        tokens=whole(usage.get("output_tokens")),
        reasoning_tokens=whole(usage.get("reasoning_tokens")),
        prompt_tokens=whole(usage.get("input_tokens")),
        cut=choice.get("stop_reason") in LIMITS or sample.limit is not None,
    )


def _content(content: Any, sample: Sample) -> tuple[str | None, str]:
    """Reasoning and text of a message; None where it has no part that is reasoning."""
    if isinstance(content, str):
        return None, _resolved(content, sample)
    thoughts = [part.get("reasoning", "") for part in content if part.get("type") == "reasoning"]
    said = [part.get("text", "") for part in content if part.get("type") == "text"]
    reasoning = "\n".join(_resolved(text, sample) for text in thoughts) if thoughts else None
    return reasoning, "\n".join(_resolved(text, sample) for text in said)


def _resolved(text: str, sample: Sample) -> str:
    key = text.removeprefix("attachment://")
    return sample.attachments.get(key, text) if key != text else text


def _prompt(sample: Sample) -> str | None:
    """The user's last turn, as the model was shown it."""
    turns = sample.messages or (sample.input if isinstance(sample.input, list) else [])
    users = [turn for turn in turns if turn.get("role") == "user"]
    if not users:
        return sample.input if isinstance(sample.input, str) else None
    return _content(users[-1].get("content", ""), sample)[1]
