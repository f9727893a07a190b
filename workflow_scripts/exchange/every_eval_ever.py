"""Every Eval Ever, version 0.3.0: one JSON per model and benchmark, and a JSONL of its samples.

Written as the project's datastore has them: `data/BENCHMARK/DEVELOPER/MODEL/UUID.json` beside
`UUID_samples.jsonl`. A result is a cell of the study; a sample names the result that it is of.
Source: schemas and validator of github.com/evaleval/every_eval_ever (MIT).
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workflow_scripts.common.artifacts import atomic, write_json
from workflow_scripts.common.home import version
from workflow_scripts.common.provenance import digest
from workflow_scripts.exchange.results_folder import (
    BenchmarkFacts,
    Cell,
    ModelFacts,
    ResultsFolder,
    Sample,
    as_json,
    portable,
)

SCHEMA_VERSION = "0.3.0"
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
_INTERVAL = "wilson score, of the effective number of questions where they are drawn repeatedly"

Texts = dict[str, str]  # the form allows texts alone as values


@dataclass(frozen=True)
class SourceMetadata:
    """Who reports the results."""

    source_type: str
    source_organization_name: str
    evaluator_relationship: str
    source_name: str | None = None
    additional_details: Texts | None = None


@dataclass(frozen=True)
class Library:
    """A program and its version."""

    name: str
    version: str
    additional_details: Texts | None = None


@dataclass(frozen=True)
class ModelInfo:
    """The model; `additional_details` names how it is deployed and whether its weights are open."""

    name: str
    id: str
    additional_details: Texts
    developer: str | None = None
    inference_engine: Texts | None = None


@dataclass(frozen=True)
class SourceData:
    """The questions: a hub data set ("hf_dataset") or another source ("other")."""

    dataset_name: str
    source_type: str
    hf_repo: str | None = None
    hf_split: str | None = None
    samples_number: int | None = None
    additional_details: Texts | None = None


@dataclass(frozen=True)
class Metric:
    """What the score is; shares of 1."""

    lower_is_better: bool = False
    metric_id: str = "accuracy"
    metric_name: str = "accuracy"
    metric_kind: str = "accuracy"
    metric_unit: str = "proportion"
    score_type: str = "continuous"
    min_score: float = 0.0
    max_score: float = 1.0
    evaluation_description: str | None = None
    additional_details: Texts | None = None


@dataclass(frozen=True)
class Interval:
    """A confidence interval."""

    lower: float
    upper: float
    confidence_level: float
    method: str


@dataclass(frozen=True)
class Uncertainty:
    """How sure the score is; `num_samples` counts questions."""

    confidence_interval: Interval
    num_samples: int


@dataclass(frozen=True)
class Score:
    """The number itself."""

    score: float
    uncertainty: Uncertainty
    details: Texts


@dataclass(frozen=True)
class GenerationConfig:
    """How the samples were decoded."""

    generation_args: dict[str, Any]
    additional_details: Texts


@dataclass(frozen=True)
class Result:
    """One cell of the study."""

    evaluation_result_id: str
    evaluation_name: str
    source_data: SourceData
    metric_config: Metric
    score_details: Score
    generation_config: GenerationConfig
    evaluation_timestamp: str | None = None


@dataclass(frozen=True)
class Detailed:
    """Where the samples lie, and their SHA-256."""

    format: str
    file_path: str
    hash_algorithm: str
    checksum: str
    total_rows: int


@dataclass(frozen=True)
class Log:
    """One model on one benchmark."""

    schema_version: str
    evaluation_id: str
    retrieved_timestamp: str
    source_metadata: SourceMetadata
    model_info: ModelInfo
    eval_library: Library
    evaluation_results: list[Result]
    detailed_evaluation_results: Detailed | None = None
    evaluation_timestamp: str | None = None


@dataclass(frozen=True)
class Input:
    """The question as the benchmark has it, its answer, and `formatted`: all the model saw."""

    raw: str
    reference: list[str]
    choices: list[str] | None = None
    formatted: str | None = None


@dataclass(frozen=True)
class Output:
    """The answer's text and the thinking before it."""

    raw: list[str]
    reasoning_trace: list[str] | None = None


@dataclass(frozen=True)
class Attribution:
    """Which answer was read, and by which rule."""

    turn_idx: int
    source: str
    extracted_value: str
    extraction_method: str
    is_terminal: bool


@dataclass(frozen=True)
class Evaluation:
    """The verdict."""

    score: float
    is_correct: bool


@dataclass(frozen=True)
class Usage:
    """Tokens, those included that were put into the thinking or before the answer."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    reasoning_tokens: int | None = None


@dataclass(frozen=True)
class Instance:
    """One draw of one question in one cell."""

    schema_version: str
    evaluation_id: str
    model_id: str
    evaluation_name: str
    evaluation_result_id: str
    sample_id: str
    sample_hash: str
    interaction_type: str
    input: Input
    output: Output
    answer_attribution: list[Attribution]
    evaluation: Evaluation
    metadata: Texts
    token_usage: Usage | None = None


@dataclass(frozen=True)
class Publisher:
    """Who exports: an organisation or a person, and how they are related to the model."""

    owner: str = "local"
    relationship: str = "other"


def write(results: ResultsFolder, out: Path, publisher: Publisher, at: datetime) -> list[Path]:
    """Write every wanted model and benchmark below `out`; returns the files, samples beside logs.

    The same study gives the same names and evaluation ids, so that an export is a replacement of
    an earlier one, not another record.
    """
    made = []
    for model in results.models:
        for dataset, facts in results.benchmarks.items():
            cells = results.cells(model.name, dataset)
            if cells:
                made += _write_pair(_Pair(results, model, facts, publisher, at), cells, out)
    return made


@dataclass(frozen=True)
class _Pair:
    results: ResultsFolder
    model: ModelFacts
    benchmark: BenchmarkFacts
    publisher: Publisher
    at: datetime

    @property
    def model_id(self) -> str:
        return self.results.model_id(self.model, self.publisher.owner)

    @property
    def key(self) -> str:
        """Equal for equal weights on equal questions, whenever they are exported."""
        card = self.model.card
        asked = [(q.question_id, q.prompt, q.gold) for q in self.benchmark.questions]
        return digest([self.results.study, card.digest if card else self.model.name, asked])

    @property
    def evaluation_id(self) -> str:
        return f"{self.benchmark.name}/{self.model_id}/{self.key}"

    @property
    def uuid(self) -> str:
        """A UUID of version 4 that is the same for the same evaluation."""
        content = hashlib.sha256(self.evaluation_id.encode()).digest()[:16]
        return str(uuid.UUID(bytes=content, version=4))

    @property
    def folder(self) -> str:
        developer, _, name = self.model_id.partition("/")
        return "/".join(["data", *map(portable, (self.benchmark.name, developer, name))])


def _write_pair(pair: _Pair, cells: Sequence[Cell], out: Path) -> list[Path]:
    samples = out / pair.folder / f"{pair.uuid}_samples.jsonl"
    rows, checksum = _write_lines(samples, _instances(pair, cells))
    log = Log(
        schema_version=SCHEMA_VERSION,
        evaluation_id=pair.evaluation_id,
        evaluation_timestamp=pair.results.when(pair.model.name),
        retrieved_timestamp=str(int(pair.at.timestamp())),
        source_metadata=SourceMetadata(
            source_type="evaluation_run",
            source_name=f"s1flow study {pair.results.study}",
            source_organization_name=pair.publisher.owner,
            evaluator_relationship=pair.publisher.relationship,
        ),
        model_info=_model_info(pair),
        eval_library=Library("s1flow", version(), {"git_commit": pair.results.git_commit}),
        evaluation_results=[_result(pair, cell) for cell in cells],
        detailed_evaluation_results=Detailed(
            "jsonl", f"{pair.folder}/{samples.name}", "sha256", checksum, rows
        ),
    )
    path = samples.with_name(f"{pair.uuid}.json")
    write_json(path, as_json(log))
    return [path, samples]


def _write_lines(path: Path, records: Iterable[Instance]) -> tuple[int, str]:
    """Rows written and the SHA-256 of the file."""
    total, rows = hashlib.sha256(), 0
    with atomic(path) as part, part.open("wb") as file:
        for record in records:
            line = json.dumps(as_json(record), ensure_ascii=False).encode() + b"\n"
            total.update(line)
            rows += file.write(line) > 0
    return rows, total.hexdigest()


def _model_info(pair: _Pair) -> ModelInfo:
    model, engine = pair.model, pair.model.engine
    details = {"deployment_type": "self_deployed", "model_availability": "unknown"}
    if model.hub_id:
        details["model_availability"] = "open_weights"
    if model.card:
        details |= {
            "weights_sha256": model.card.digest,
            "parameters": str(model.card.parameters),
            "architecture": model.card.architecture,
            "dtype": model.card.dtype,
        }
        details |= {"revision": model.card.revision} if model.card.revision else {}
    details |= {"trained_from": model.base} if model.base else {}
    facts = (engine.engine_facts or {}) if engine else {}
    name = facts.get("engine")
    versions = facts.get("versions", {})
    return ModelInfo(
        name=model.title,
        id=pair.model_id,
        developer=pair.model_id.partition("/")[0],
        inference_engine={"name": name, "version": versions.get(name, "unknown")} if name else None,
        additional_details=details,
    )


def _result(pair: _Pair, cell: Cell) -> Result:
    point = cell.point
    return Result(
        evaluation_result_id=f"{pair.evaluation_id}#{cell.method}/{cell.budget}",
        evaluation_name=_name(cell),
        evaluation_timestamp=pair.results.when(pair.model.name),
        source_data=_source_data(pair.benchmark),
        metric_config=Metric(
            evaluation_description=f"{pair.benchmark.title}, {point['title']}, budget "
            f"{cell.budget}: share of {pair.benchmark.part} answered right",
            additional_details={"counted": "votes" if cell.votes else "mean over draws"},
        ),
        score_details=Score(
            score=point["accuracy"],
            uncertainty=Uncertainty(
                Interval(point["ci_low"], point["ci_high"], pair.results.confidence, _INTERVAL),
                point["questions"],
            ),
            details={name: str(point[name]) for name in _DETAILS if point[name] is not None},
        ),
        generation_config=_generation_config(pair, cell),
    )


_DETAILS = (
    "correct",
    "no_answer",
    "chance",
    "mean_thinking_tokens",
    "mean_spliced_tokens",
    "mean_answer_tokens",
    "mean_total_tokens",
    "ended_natural",
    "ended_forced",
    "ended_context",
    "loops",
    "answer_cut",
)


def _generation_config(pair: _Pair, cell: Cell) -> GenerationConfig:
    inference = pair.results.settings.get("inference", {})
    thought = cell.point["mean_thinking_tokens"]
    args: dict[str, Any] = {} if thought is None else {"reasoning": bool(thought)}
    args |= {} if cell.temperature is None else {"temperature": cell.temperature}
    engine = pair.model.engine
    details = {
        "method": cell.method,
        "budget_thinking_tokens": cell.budget,
        "phrase": cell.point["phrase"] or "",
        "continuations": str(cell.point["n"]),
        "answer_tokens": str(inference.get("answer_tokens", "unknown")),
        "context": str(inference.get("context", "unknown")),
        "engine": engine.engine if engine else "unknown",
    }
    return GenerationConfig(args, details)


def _source_data(benchmark: BenchmarkFacts) -> SourceData:
    """Questions of the hub carry their repository; of files, only their number and digest."""
    asked = [(q.question_id, q.question, q.gold) for q in benchmark.questions]
    details = {"part": benchmark.part, "questions_digest": digest(asked)}
    named = {"revision": benchmark.commit, "subset": benchmark.source.get("subset")}
    details |= {key: value for key, value in named.items() if value}
    if benchmark.hub_id is None:
        return SourceData(benchmark.name, "other", additional_details=details)
    split = benchmark.source.get("split")
    return SourceData(benchmark.name, "hf_dataset", benchmark.hub_id, split, len(asked), details)


def _instances(pair: _Pair, cells: Sequence[Cell]) -> Iterator[Instance]:
    for cell in cells:
        for sample in pair.results.samples(cell):
            yield _instance(pair, cell, sample)


def _instance(pair: _Pair, cell: Cell, sample: Sample) -> Instance:
    question = sample.question
    gold = [] if question.gold is None else [question.gold]
    content = Input(question.prompt, gold, question.options, cell.shown(question))
    return Instance(
        schema_version=SCHEMA_VERSION,
        evaluation_id=pair.evaluation_id,
        model_id=pair.model_id,
        evaluation_name=_name(cell),
        evaluation_result_id=f"{pair.evaluation_id}#{cell.method}/{cell.budget}",
        sample_id=question.question_id,
        sample_hash=_sample_hash(content),
        interaction_type="single_turn",
        input=content,
        output=Output([sample.answer_text], [sample.thinking_text]),
        answer_attribution=_attributions(sample),
        evaluation=Evaluation(float(sample.verdict), sample.verdict),
        token_usage=_usage(sample),
        metadata=_metadata(cell, sample),
    )


def _attributions(sample: Sample) -> list[Attribution]:
    """Nothing where no answer was found."""
    if sample.extracted is None:
        return []
    rule = sample.extraction or "unknown"
    return [Attribution(0, "output.raw", sample.extracted, rule, True)]


def _usage(sample: Sample) -> Usage | None:
    """Null unless all is known: the form wants all three or none."""
    prompt, written = sample.prompt_tokens, sample.output_tokens
    if prompt is None or written is None:
        return None
    return Usage(prompt, written, prompt + written, sample.thinking_tokens)


def _metadata(cell: Cell, sample: Sample) -> Texts:
    """What the form has no field for; the draw, above all."""
    known = {
        "draw": sample.sample,
        "method": cell.method,
        "budget": cell.budget,
        **sample.facts(),
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in known.items()
    }


def _name(cell: Cell) -> str:
    return f"{cell.dataset}.{cell.method}.{cell.budget}"


def _sample_hash(content: Input) -> str:
    """As the project's converters make it, so that samples of other harnesses join."""
    text = json.dumps(
        {"raw": content.raw, "reference": content.reference}, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()
