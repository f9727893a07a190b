"""Writing lm-evaluation-harness's files: a task a cell, and a run for every draw.

`MODEL/results_DATE.json` beside `MODEL/samples_TASK_DATE.jsonl`, as `lm_eval --log_samples` leaves
them. The harness has one verdict for a line, so that several draws are several runs, whose dates
differ in their last digits. Records as in lm_eval.py.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import atomic, write_json
from workflow_scripts.common.home import version
from workflow_scripts.exchange import lm_eval
from workflow_scripts.exchange.results_folder import (
    Cell,
    ModelFacts,
    ResultsFolder,
    Sample,
    as_json,
    portable,
)

METRIC, FILTER = "exact_match", "s1flow"
OWN = "s1flow"  # key of a line for what the form has no field for
UNREAD = "[invalid]"  # as the harness's filters say it
UNMEASURED = "N/A"  # as the harness writes a standard error that it did not reckon


@dataclass
class _Run:
    """One run of the harness: draw `number` of every cell, and what its results file will say."""

    number: int
    date: str
    results: dict[str, Any] = field(default_factory=dict)
    configs: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)


def write(results: ResultsFolder, out: Path, owner: str, at: datetime) -> list[Path]:
    """Write every wanted cell of every model below `out`; returns the files."""
    made = []
    for model in results.models:
        when = results.when(model.name)
        started = datetime.fromisoformat(when) if when else at
        made += _write_model(_Writer(results, model, out, owner, started))
    return made


@dataclass(frozen=True)
class _Writer:
    results: ResultsFolder
    model: ModelFacts
    out: Path
    owner: str
    started: datetime

    @property
    def name(self) -> str:
        return self.results.model_id(self.model, self.owner)

    @property
    def folder(self) -> Path:
        return self.out / portable(self.name.replace("/", "__"))

    def run(self, number: int) -> _Run:
        at = self.started.replace(tzinfo=None, microsecond=number)
        return _Run(number, at.isoformat(timespec="microseconds").replace(":", "-"))


def _write_model(writer: _Writer) -> list[Path]:
    runs: list[_Run] = []
    made = []
    for cell in writer.results.cells(writer.model.name):
        samples = writer.results.samples(cell)
        drawn = sorted({sample.sample for sample in samples})
        runs += [writer.run(number) for number in range(len(runs), max(drawn) + 1)]
        for number in drawn:
            own = [sample for sample in samples if sample.sample == number]
            made.append(_write_task(writer, runs[number], cell, own, len(drawn) == 1))
    for run in runs:
        path = writer.folder / f"results_{run.date}.json"
        write_json(path, _results(writer, run))
        made.append(path)
    return made


def _write_task(
    writer: _Writer, run: _Run, cell: Cell, samples: Sequence[Sample], alone: bool
) -> Path:
    """Write the lines of one draw of a cell, and note its results.

    alone  this is the cell's one draw, so that its accuracy is that of points.csv
    """
    task = task_name(cell)
    path = writer.folder / f"samples_{task}_{run.date}.jsonl"
    with atomic(path) as part, part.open("w") as file:
        for sample in samples:
            file.write(json.dumps(_line(writer, cell, sample), ensure_ascii=False) + "\n")
    mean = sum(sample.verdict for sample in samples) / len(samples)
    run.results[task] = {
        "alias": task,
        "sample_len": len(samples),
        f"{METRIC},{FILTER}": cell.point["accuracy"] if alone else mean,
        f"{METRIC}_stderr,{FILTER}": UNMEASURED,
    }
    run.configs[task] = _config(writer, cell)
    run.counts[task] = {"original": len(samples), "effective": len(samples)}
    return path


def task_name(cell: Cell) -> str:
    """`BENCHMARK_METHOD_BUDGET`."""
    return portable(f"{cell.dataset}_{cell.method}_{cell.budget}")


def _line(writer: _Writer, cell: Cell, sample: Sample) -> dict[str, Any]:
    question = sample.question
    doc = as_json(
        {
            "id": question.question_id,
            "problem": question.question,
            "answer": question.gold,
            "options": question.options,
            "category": question.category,
        }
    )
    record = lm_eval.Sample(
        doc_id=question.position,
        doc=doc,
        target=question.gold or "",
        arguments={"gen_args_0": {"arg_0": question.prompt, "arg_1": _drawn_with(writer, cell)}},
        resps=[[response(writer.model, sample)]],
        filtered_resps=[UNREAD if sample.extracted is None else sample.extracted],
        filter=FILTER,
        metrics=[METRIC],
        doc_hash=_hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        prompt_hash=_hash(question.prompt),
        target_hash=_hash(question.gold or ""),
    )
    own = {"method": cell.method, "budget": cell.budget, "draw": sample.sample, **sample.facts()}
    return as_json(record) | {METRIC: float(sample.verdict), OWN: own}


def response(model: ModelFacts, sample: Sample) -> str:
    """Thinking between the model's own marks, and the answer; without thinking the answer."""
    if not sample.thinking_text:
        return sample.answer_text
    form = model.engine.form if model.engine else None
    start, behind = "<think>", "</think>"
    if form is not None:
        start, behind = form.delimiters["think_start"], form.delimiters["answer_start"]
    return f"{start}{sample.thinking_text}{behind}{sample.answer_text}"


def _drawn_with(writer: _Writer, cell: Cell) -> dict[str, Any]:
    inference = writer.results.settings.get("inference", {})
    told = {
        "until": [],
        "temperature": cell.temperature,
        "max_gen_toks": inference.get("context"),
        "do_sample": None if cell.temperature is None else cell.temperature > 0,
    }
    return as_json(told)


def _config(writer: _Writer, cell: Cell) -> dict[str, Any]:
    """The task as the harness would describe it; `metadata` has our numbers of the whole cell."""
    benchmark, point = writer.results.benchmarks[cell.dataset], cell.point
    return as_json(
        {
            "task": task_name(cell),
            "task_alias": f"{benchmark.title}: {point['title']}, budget {cell.budget}",
            "dataset_path": benchmark.hub_id or benchmark.name,
            "dataset_name": benchmark.source.get("subset"),
            "test_split": benchmark.source.get("split"),
            "output_type": "generate_until",
            "num_fewshot": 0,
            "repeats": 1,
            "generation_kwargs": _drawn_with(writer, cell),
            "metric_list": [{"metric": METRIC, "aggregation": "mean", "higher_is_better": True}],
            "filter_list": [{"name": FILTER, "filter": [{"function": FILTER}]}],
            "metadata": {
                "version": 1.0,
                "part": benchmark.part,
                "prompt_frame": cell.frame,
                "accuracy": point["accuracy"],
                "ci_low": point["ci_low"],
                "ci_high": point["ci_high"],
                "confidence": writer.results.confidence,
                "counted": "votes" if cell.votes else "mean over draws",
            },
        }
    )


def _results(writer: _Writer, run: _Run) -> dict[str, Any]:
    tasks = list(run.results)
    engine = writer.model.engine
    record = lm_eval.Results(
        results=run.results,
        configs=run.configs,
        versions=dict.fromkeys(tasks, 1.0),
        config={
            "model": engine.kind if engine else "imported",
            "model_args": as_json({"pretrained": writer.name, "engine": engine and engine.engine}),
            "model_num_parameters": writer.model.card.parameters if writer.model.card else None,
            "model_sha": writer.model.card.digest if writer.model.card else None,
        },
        lm_eval_version=f"none: written by s1flow {version()}",
        model_name=writer.name,
        date=writer.started.timestamp(),
    )
    more = {
        "group_subtasks": {task: [] for task in tasks},
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {task: {METRIC: True} for task in tasks},
        "n-samples": run.counts,
        "git_hash": writer.results.git_commit,
        "model_source": engine.kind if engine else "imported",
        "model_name_sanitized": writer.folder.name,
    }
    return as_json(record) | more


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
