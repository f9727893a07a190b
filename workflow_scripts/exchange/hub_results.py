"""Results as the Hugging Face hub shows them: `.eval_results/*.yaml`, and a card's model-index.

The first form (docs of the hub, "Evaluation results") names a benchmark of the hub and a task of
its eval.yaml, so questions from files have a place in the second alone. Values are percent. The
plain natural end is what others report as a model's result, so it alone is written unless methods
or budgets are asked for by name. Both are made and read by huggingface_hub's own classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, eval_result_entries_to_yaml
from huggingface_hub.repocard_data import eval_results_to_model_index

from workflow_scripts.common.artifacts import write_text
from workflow_scripts.exchange.results_folder import (
    BenchmarkFacts,
    Cell,
    ModelFacts,
    ResultsFolder,
    portable,
)

FOLDER = ".eval_results"
# Tasks that benchmarks of the hub name in their eval.yaml; others: their subset, or "default".
TASKS = {
    "Idavidrein/gpqa": "diamond",
    "TIGER-Lab/MMLU-Pro": "mmlu_pro",
    "openai/gsm8k": "gsm8k",
}
DIGITS = 10  # as points.csv is written


@dataclass(frozen=True)
class Naming:
    """How results are named on the hub.

    tasks       benchmark -> task id in its eval.yaml, where TASKS does not know it
    source_url  where the samples can be seen
    """

    tasks: Mapping[str, str] = field(default_factory=dict)
    source_url: str | None = None


def write(results: ResultsFolder, out: Path, naming: Naming) -> list[Path]:
    """Write `MODEL/.eval_results/*.yaml` and `MODEL.model-index.yaml` below `out`; the files.

    The latter is for a card's metadata, so it lies beside what can be published as it is.
    """
    made = []
    for model in results.models:
        name = portable(model.name)
        made += write_entries(results, model, out / name, naming)
        index = out / f"{name}.model-index.yaml"
        write_text(index, _yaml({"model-index": model_index(results, model)}))
        made.append(index)
    return made


def write_entries(
    results: ResultsFolder, model: ModelFacts, folder: Path, naming: Naming
) -> list[Path]:
    """Write a file for every told cell of a benchmark of the hub; the files."""
    made = []
    for cell in told(results, model):
        benchmark = results.benchmarks[cell.dataset]
        if benchmark.hub_id is None:
            continue
        entry = _entry(results, model, cell, naming)
        path = folder / FOLDER / f"{portable(_stem(cell))}.yaml"
        write_text(path, _yaml(eval_result_entries_to_yaml([entry])))
        made.append(path)
    return made


def told(results: ResultsFolder, model: ModelFacts) -> list[Cell]:
    """Cells that are told of a model: the natural end, or those that were asked for by name."""
    cells = results.cells(model.name)
    named = results.wanted.methods or results.wanted.budgets
    return cells if named else [cell for cell in cells if cell.natural]


def unlisted(results: ResultsFolder) -> list[str]:
    """Benchmarks that are none of the hub, so that `.eval_results` has no place for them."""
    return [name for name, facts in results.benchmarks.items() if facts.hub_id is None]


def model_index(results: ResultsFolder, model: ModelFacts) -> list[dict[str, Any]]:
    """The metadata block of a model card."""
    return eval_results_to_model_index(model.title, index_results(results, model))


def index_results(results: ResultsFolder, model: ModelFacts) -> list[EvalResult]:
    """The results of a model card's metadata."""
    return [_indexed(results, cell) for cell in told(results, model)]


def percent(share: float) -> float:
    """A share of 1 as percent, without digits that the table does not have."""
    return round(100 * share, DIGITS)


def _entry(
    results: ResultsFolder, model: ModelFacts, cell: Cell, naming: Naming
) -> EvalResultEntry:
    benchmark = results.benchmarks[cell.dataset]
    hub_id = benchmark.hub_id or ""
    task = naming.tasks.get(cell.dataset) or TASKS.get(hub_id)
    return EvalResultEntry(
        dataset_id=hub_id,
        task_id=task or benchmark.source.get("subset") or "default",
        dataset_revision=benchmark.commit or None,
        value=percent(cell.point["accuracy"]),
        date=results.when(model.name),
        source_url=naming.source_url,
        source_name="s1flow samples" if naming.source_url else None,
        notes=_notes(results, cell, benchmark),
    )


def _notes(results: ResultsFolder, cell: Cell, benchmark: BenchmarkFacts) -> str:
    point = cell.point
    low, high = percent(point["ci_low"]), percent(point["ci_high"])
    return (
        f"s1flow, {point['title']}, budget {cell.budget}; {benchmark.part}; "
        f"{100 * results.confidence:g} % interval {low:.1f} to {high:.1f}"
    )


def _indexed(results: ResultsFolder, cell: Cell) -> EvalResult:
    benchmark, point = results.benchmarks[cell.dataset], cell.point
    return EvalResult(
        task_type="text-generation",
        dataset_type=benchmark.hub_id or benchmark.name,
        dataset_name=benchmark.title,
        dataset_config=benchmark.source.get("subset"),
        dataset_split=benchmark.source.get("split"),
        dataset_revision=benchmark.commit or None,
        dataset_args={"questions": point["questions"], "of": benchmark.total},
        metric_type="accuracy",
        metric_name=f"accuracy in percent: {point['title']}, budget {cell.budget}",
        metric_value=percent(point["accuracy"]),
        metric_args={
            "method": cell.method,
            "budget": cell.budget,
            "low": percent(point["ci_low"]),
            "high": percent(point["ci_high"]),
            "confidence": results.confidence,
        },
    )


def _stem(cell: Cell) -> str:
    """The plain result has the benchmark's name; variants say what they are."""
    return cell.dataset if cell.natural else f"{cell.dataset}_{cell.method}_{cell.budget}"


def _yaml(value: Sequence[Any] | Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
