"""Writing inspect_ai's `.eval` logs, version 2: one log a cell, an epoch for every draw.

A log is a ZIP file with JSON members. Its header has the cell's accuracy as points.csv has it; a
sample has the thinking as reasoning, the answer as text, and our verdict as a score "C" or "I".
Records as in inspect_log.py; members are deflated, which every version of inspect reads.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import atomic
from workflow_scripts.common.home import version
from workflow_scripts.common.provenance import digest
from workflow_scripts.exchange import inspect_log
from workflow_scripts.exchange.results_folder import (
    Cell,
    ModelFacts,
    ResultsFolder,
    Sample,
    as_json,
    portable,
    stamp,
)

LOG_VERSION = 2
SCORER = "s1flow"
CORRECT, INCORRECT = "C", "I"
SHORT = 1000  # characters of a text in a summary, as inspect cuts them
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every member: equal content gives equal bytes


def write(results: ResultsFolder, out: Path, owner: str, at: datetime) -> list[Path]:
    """Write a log for every wanted cell: `out/MODEL/TIME_TASK_ID.eval`; returns the files."""
    made = []
    for model in results.models:
        when = results.when(model.name)
        created = datetime.fromisoformat(when) if when else at
        for cell in results.cells(model.name):
            made.append(_write_cell(_Task(results, model, cell, owner, created), out))
    return made


@dataclass(frozen=True)
class _Task:
    results: ResultsFolder
    model: ModelFacts
    cell: Cell
    owner: str
    created: datetime

    @property
    def name(self) -> str:
        return portable(f"{self.cell.dataset}_{self.cell.method}_{self.cell.budget}")

    @property
    def model_name(self) -> str:
        return self.results.model_id(self.model, self.owner)

    @property
    def id(self) -> str:
        """The same for the same cell of the same weights."""
        card = self.model.card
        weights = card.digest if card else self.model.name
        return digest([self.results.study, weights, self.model.name, self.cell.name])

    def file(self, out: Path) -> Path:
        task = self.name.replace("_", "-")  # inspect reads TIME_TASK_ID from the name
        name = f"{stamp(self.created)}_{task}_{self.id}.eval"
        return out / portable(self.model.name) / name


def _write_cell(task: _Task, out: Path) -> Path:
    samples = task.results.samples(task.cell)
    header = inspect_log.Header(
        version=LOG_VERSION,
        status="success",
        eval=_spec(task, samples),
        plan=_plan(task),
        results=_results(task, samples),
        # One moment: the cells of a model come out of one run, and none has a duration of its own.
        stats={
            "started_at": task.created.isoformat(),
            "completed_at": task.created.isoformat(),
            "model_usage": _total_usage(task, samples),
        },
    )
    start = {"version": header.version, "eval": header.eval, "plan": header.plan}
    path = task.file(out)
    with atomic(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, inspect_log.START, start)
        summaries = []
        for sample in samples:
            made = _sample(task, sample)
            usage = {task.model_name: made.output["usage"]} if made.output["usage"] else {}
            more = {"store": {}, "events": [], "model_usage": usage}
            name = f"{inspect_log.SAMPLES}{made.id}_epoch_{made.epoch}.json"
            _add(archive, name, as_json(made) | more)
            summaries.append(_summary(made, usage))
        _add(archive, "summaries.json", summaries)
        _add(archive, inspect_log.HEADER, header)
    return path


def _add(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, json.dumps(as_json(value), ensure_ascii=False))


def _spec(task: _Task, samples: Sequence[Sample]) -> dict[str, Any]:
    cell, model, results = task.cell, task.model, task.results
    asked = list(dict.fromkeys(sample.question.question_id for sample in samples))
    return {
        "eval_id": task.id,
        "run_id": digest([results.study, model.name]),
        "created": task.created.isoformat(),
        "task": task.name,
        "task_id": task.id,
        "task_display_name": f"{cell.point['dataset_title']}: {cell.point['title']}, {cell.budget}",
        "task_args": {"benchmark": cell.dataset, "method": cell.method, "budget": cell.budget},
        "dataset": {
            "name": cell.dataset,
            "location": results.benchmarks[cell.dataset].hub_id,
            "samples": len(asked),
            "sample_ids": asked,
        },
        "model": task.model_name,
        "model_args": {"weights_sha256": model.card.digest} if model.card else {},
        "config": {"epochs": _draws(samples), "epochs_reducer": ["mean"]},
        "packages": {"s1flow": version()},
        "metadata": _about(task),
        "scorers": [{"name": SCORER}],
    }


def _about(task: _Task) -> dict[str, Any]:
    engine = task.model.engine
    return {
        "study": task.results.study,
        "git_commit": task.results.git_commit,
        "model_title": task.model.title,
        "engine": engine.engine if engine else None,
        "prompt_frame": task.cell.frame,
        "part": task.results.benchmarks[task.cell.dataset].part,
    }


def _plan(task: _Task) -> dict[str, Any]:
    config = {"temperature": task.cell.temperature}
    params = {"method": task.cell.method, "budget": task.cell.budget}
    return {
        "name": "plan",
        "steps": [{"solver": SCORER, "params": params, "params_passed": params}],
        "config": config,
    }


def _results(task: _Task, samples: Sequence[Sample]) -> dict[str, Any]:
    point = task.cell.point
    interval = {
        "ci_low": point["ci_low"],
        "ci_high": point["ci_high"],
        "confidence": task.results.confidence,
        "questions": point["questions"],
        "counted": "votes" if task.cell.votes else "mean over draws",
    }
    accuracy = {"name": "accuracy", "value": point["accuracy"], "metadata": interval}
    score = {
        "name": SCORER,
        "scorer": SCORER,
        "reducer": "mean",
        "scored_samples": len(samples),
        "unscored_samples": 0,
        "metrics": {"accuracy": accuracy},
    }
    return {
        "total_samples": len(samples),
        "completed_samples": len(samples),
        "scores": [score],
    }


def _draws(samples: Sequence[Sample]) -> int:
    return max((sample.sample for sample in samples), default=0) + 1


def _sample(task: _Task, sample: Sample) -> inspect_log.Sample:
    question, model = sample.question, task.model_name
    asked = {
        "id": digest([task.cell.dataset, question.question_id]),
        "role": "user",
        "content": question.prompt,
    }
    response = {
        "id": digest([task.id, question.question_id, sample.sample]),
        "role": "assistant",
        "content": _contents(sample),
        "model": model,
    }
    reason = "max_tokens" if sample.answer_cut else "stop"
    return inspect_log.Sample(
        id=question.question_id,
        epoch=sample.sample + 1,
        input=question.prompt,
        target=question.gold or "",
        choices=question.options,
        messages=[asked, response],
        output={
            "model": model,
            "choices": [{"message": response, "stop_reason": reason}],
            "completion": sample.answer_text,
            "usage": _usage(sample),
        },
        scores={SCORER: _score(sample)},
        metadata={"question": question.question, **sample.facts()},
    )


def _contents(sample: Sample) -> list[dict[str, str]]:
    """Thinking, where there is some, and the answer."""
    answer = {"type": "text", "text": sample.answer_text}
    if not sample.thinking_text:
        return [answer]
    return [{"type": "reasoning", "reasoning": sample.thinking_text}, answer]


def _usage(sample: Sample) -> dict[str, int] | None:
    prompt, written = sample.prompt_tokens, sample.output_tokens
    if prompt is None or written is None:
        return None
    return {
        "input_tokens": prompt,
        "output_tokens": written,
        "total_tokens": prompt + written,
        "reasoning_tokens": sample.thinking_tokens or 0,
    }


def _total_usage(task: _Task, samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Tokens of the whole cell; nothing where some are unknown."""
    each = [_usage(sample) for sample in samples]
    known = [usage for usage in each if usage is not None]
    if len(known) < len(each):
        return {}
    names = ("input_tokens", "output_tokens", "total_tokens", "reasoning_tokens")
    return {task.model_name: {name: sum(usage[name] for usage in known) for name in names}}


def _score(sample: Sample) -> dict[str, Any]:
    found = sample.extraction or "no answer found"
    return {
        "value": CORRECT if sample.verdict else INCORRECT,
        "answer": sample.extracted,
        "explanation": f"read by rule {found}, judged by rule {sample.rule}",
        "metadata": {"extraction": sample.extraction, "rule": sample.rule, "flags": sample.flags},
    }


def _summary(made: inspect_log.Sample, usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": made.id,
        "epoch": made.epoch,
        "input": made.input[:SHORT],
        "target": made.target[:SHORT],
        "choices": made.choices,
        "metadata": {k: v for k, v in made.metadata.items() if len(str(v)) < SHORT},
        "scores": made.scores,
        "model_usage": usage,
        "completed": True,
        "message_count": len(made.messages),
    }
