"""A finished results folder, as other projects' forms are written from it.

Every number comes from its tables and manifests: accuracy and intervals from points.csv, samples
from the generation and grade tables, questions from the benchmark tables. What does not fit
together is refused, and so is a table that was changed by hand.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.analysis.tables import POINTS, file_hash, read_table
from workflow_scripts.common.artifacts import read_facts, read_json
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.history import DONE, SUFFIX
from workflow_scripts.common.methods import NATURAL_ARM
from workflow_scripts.common.model import LOCATION, Location, ModelCard, read_content
from workflow_scripts.common.records import read_record
from workflow_scripts.common.tables.benchmark import BENCHMARK, Question
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.common.tables.manifests import EngineManifest, TrainingManifest
from workflow_scripts.reporting.naming import titled

UNFINISHED = "finish the study first: `s1flow run report`"
IDS = ("opening_ids", "thinking_ids", "delimiter_ids", "answer_ids")
ROW = ("question_id", "sample")


@dataclass(frozen=True)
class Wanted:
    """What to take of a study; an empty tuple is everything."""

    models: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One draw of one question in one cell, with its verdict.

    Token counts are null where the tables have none: models that were imported.
    """

    question: Question
    sample: int
    thinking_text: str
    answer_text: str
    prompt_tokens: int | None
    thinking_tokens: int | None
    answer_tokens: int | None
    spliced_tokens: int | None
    answer_spliced_tokens: int | None
    budget_tokens: int | None
    n_used: int | None
    end: str
    loop: bool | None
    answer_cut: bool | None
    chain_id: str | None
    same_as: str | None
    verdict: bool
    extracted: str | None
    extraction: str | None
    rule: str | None
    flags: list[str]
    no_answer: bool

    @property
    def output_tokens(self) -> int | None:
        """Tokens behind the prompt, those included that were put there."""
        if self.thinking_tokens is None or self.answer_tokens is None:
            return None
        return self.thinking_tokens + self.answer_tokens + (self.answer_spliced_tokens or 0)

    def facts(self) -> dict[str, Any]:
        """What other forms have no field for, by our names; nothing that is unknown."""
        known = {
            "budget_tokens": self.budget_tokens,
            "thinking_tokens": self.thinking_tokens,
            "spliced_tokens": self.spliced_tokens,
            "answer_tokens": self.answer_tokens,
            "answer_spliced_tokens": self.answer_spliced_tokens,
            "n_used": self.n_used,
            "end": self.end,
            "loop": self.loop,
            "answer_cut": self.answer_cut,
            "chain_id": self.chain_id,
            "same_as": self.same_as,
            "extraction": self.extraction,
            "rule": self.rule,
            "flags": self.flags or None,
            "no_answer": self.no_answer,
            "category": self.question.category,
        }
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class ModelFacts:
    """A model of the study.

    base    name of the model that it was trained from
    card    null where the folder holds no model.json
    source  what the config names: a hub id or a folder; null for models trained here
    """

    name: str
    title: str
    trained: bool = False
    base: str | None = None
    card: ModelCard | None = None
    source: str | None = None
    engine: EngineManifest | None = None
    training: TrainingManifest | None = None

    @property
    def hub_id(self) -> str | None:
        """Its repository on the hub, where it is from there."""
        from_hub = self.card is not None and self.card.revision is not None
        return self.source if from_hub else None


@dataclass(frozen=True)
class BenchmarkFacts:
    """A benchmark of the study.

    questions  asked ones, in file order
    total      questions that its file holds
    source     as the config has it: {"hub": ..., "subset": ..., "split": ...} or {"files": [...]}
    commit     of the hub's repository; "" for files
    """

    name: str
    title: str
    questions: tuple[Question, ...]
    total: int
    source: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""

    @property
    def hub_id(self) -> str | None:
        """Its repository on the hub, where it is from there."""
        return self.source.get("hub")

    @property
    def part(self) -> str:
        """Which of its questions were asked, in words."""
        asked = len(self.questions)
        return (
            f"all {asked} questions"
            if asked == self.total
            else f"{asked} of {self.total} questions"
        )


@dataclass(frozen=True)
class Cell:
    """One cell of a study: its row in points.csv and where its samples lie.

    temperature  of its draws, where the tables say it
    """

    point: Mapping[str, Any]
    path: Path
    temperature: float | None = None

    @property
    def dataset(self) -> str:
        """Name of its benchmark."""
        return self.point["dataset"]

    @property
    def method(self) -> str:
        """Name of its method."""
        return self.point["method"]

    @property
    def budget(self) -> str:
        """Name of its budget."""
        return self.point["budget"]

    @property
    def name(self) -> str:
        """`BENCHMARK/METHOD/BUDGET`."""
        return f"{self.dataset}/{self.method}/{self.budget}"

    @cached_property
    def frame(self) -> tuple[str, str] | None:
        """What the model saw before and after the question's prompt; None where no table says."""
        text = read_facts(self.path).get("prompt_frame")
        before, after = json.loads(text) if text else ("", "")
        return (before, after) if text else None

    def shown(self, question: Question) -> str | None:
        """All that the model saw of a question."""
        return None if self.frame is None else self.frame[0] + question.prompt + self.frame[1]

    @property
    def votes(self) -> bool:
        """Whether its accuracy is that of votes over the draws."""
        return self.point["sampled"] and not self.point["capped"]

    @property
    def natural(self) -> bool:
        """Whether this is the plain question, thought about until the model stops."""
        return self.point["kind"] == NATURAL_ARM


class ResultsFolder:
    """A results folder, opened for export. InputError says what it lacks, and the fix."""

    def __init__(self, folder: Path, wanted: Wanted | None = None) -> None:
        self.folder = folder
        self.wanted = wanted or Wanted()
        if not (folder / "analysis/points.csv").exists():
            raise InputError(f"{folder} holds no analysis/points.csv; {UNFINISHED}")
        self._check_hash()
        self._check_wanted()

    @cached_property
    def study(self) -> str:
        """Name of the study."""
        path = self.folder / "study.json"
        return read_json(path)["study"] if path.exists() else self.folder.resolve().name

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Settings of the analysis: models, benchmarks, inference."""
        facts = _facts(self.folder / "analysis/outcomes.parquet")
        return json.loads(facts.get("settings", "{}"))

    @cached_property
    def git_commit(self) -> str:
        """Commit of the code that counted the points."""
        return _facts(self.folder / "analysis/outcomes.parquet").get("git_commit", "unknown")

    @cached_property
    def confidence(self) -> float:
        """Of the intervals in points.csv."""
        return self.settings["analysis"]["confidence"]

    @cached_property
    def points(self) -> pl.DataFrame:
        """Rows of points.csv that are wanted, with titles."""
        frame = titled(read_table(self.folder / "analysis/points.csv", POINTS))
        for column, names in self._asked().items():
            frame = frame.filter(pl.col(column).is_in(names)) if names else frame
        return frame

    @cached_property
    def models(self) -> tuple[ModelFacts, ...]:
        """Models with wanted cells, in the order of the study."""
        entries = {entry["name"]: entry for entry in self.settings.get("models", [])}
        rows = self.points.select("model", "model_title").unique("model", maintain_order=True)
        return tuple(self._model(n, title, entries.get(n, {})) for n, title in rows.iter_rows())

    @cached_property
    def benchmarks(self) -> dict[str, BenchmarkFacts]:
        """Benchmarks with wanted cells, by name."""
        rows = self.points.select("dataset", "dataset_title").unique("dataset", maintain_order=True)
        return {name: self._benchmark(name, title) for name, title in rows.iter_rows()}

    def cells(self, model: str, dataset: str | None = None) -> list[Cell]:
        """Wanted cells of a model in the order of the study."""
        rows = self.points.filter(pl.col("model") == model)
        rows = rows if dataset is None else rows.filter(pl.col("dataset") == dataset)
        return [self._cell(row) for row in rows.iter_rows(named=True)]

    def samples(self, cell: Cell) -> list[Sample]:
        """Samples of a cell, in the order of the benchmark and of draws.

        InputError where grades or questions are missing, or verdicts differ from points.csv.
        """
        rows = GENERATION.read(cell.path).drop(*IDS)
        key = ["model", "dataset", "method", "budget", *ROW]
        joined = rows.join(self._grades(cell.point["model"]), on=key, how="inner")
        if joined.height != rows.height:
            raise InputError(
                f"{cell.path}: {rows.height - joined.height} of {rows.height} rows have no grade; "
                f"{UNFINISHED}"
            )
        self._check_verdicts(cell, joined)
        questions = {q.question_id: q for q in self.benchmarks[cell.dataset].questions}
        unknown = set(joined["question_id"]) - questions.keys()
        if unknown:
            raise InputError(
                f"{cell.path}: question {sorted(unknown)[0]!r} is not among those asked of "
                f"{cell.dataset}; {UNFINISHED}"
            )
        names = [item.name for item in fields(Sample) if item.name != "question"]
        made = [
            Sample(questions[row["question_id"]], *(row[name] for name in names))
            for row in joined.iter_rows(named=True)
        ]
        return sorted(made, key=lambda one: (one.question.position, one.sample))

    def delimiter(self, model: ModelFacts) -> str:
        """The text between thinking and answer of a model."""
        form = model.engine.form if model.engine else None
        return form.delimiters["answer_start"] if form else "</think>"

    def model_id(self, model: ModelFacts, owner: str) -> str:
        """A model's name as hubs write it: its own there, or `OWNER/STUDY-MODEL`."""
        return model.hub_id or f"{owner}/{self.study}-{model.name}"

    def when(self, model: str) -> str | None:
        """When the model's generations were finished: ISO, UTC; None where no log says so."""
        path = self.folder / f"logs/generate/{model}{SUFFIX}"
        lines = path.read_text().splitlines() if path.exists() else []
        ends = [line["at"] for line in map(_json_line, lines) if line.get("outcome") == DONE]
        return ends[-1] if ends else None

    def set_names(self) -> list[str]:
        """Names of the training sets that were selected."""
        return sorted(path.stem for path in (self.folder / "curation/sets").glob("*.parquet"))

    def _asked(self) -> dict[str, tuple[str, ...]]:
        return {
            "model": self.wanted.models,
            "dataset": self.wanted.benchmarks,
            "method": self.wanted.methods,
            "budget": self.wanted.budgets,
        }

    def _check_hash(self) -> None:
        path = self.folder / "analysis/points.csv"
        quality = self.folder / "analysis/quality.json"
        recorded = read_json(quality).get("sha256", {}) if quality.exists() else {}
        if recorded.get(path.name, file_hash(path)) != file_hash(path):
            raise InputError(
                f"{path} differs from the hash that was recorded when it was written: it was "
                "changed by hand; delete it and run again"
            )

    def _check_wanted(self) -> None:
        frame = read_table(self.folder / "analysis/points.csv", POINTS)
        for column, names in self._asked().items():
            known = frame[column].unique(maintain_order=True).to_list()
            absent = [name for name in names if name not in known]
            if absent:
                raise UserError(
                    f"{self.folder} has no {column} {absent[0]!r}; it has: {', '.join(known)}"
                )
        if self.points.is_empty():
            raise UserError(f"{self.folder} has no cell that is all you asked for")

    def _check_verdicts(self, cell: Cell, joined: pl.DataFrame) -> None:
        """Verdicts must be those that points.csv counted; votes are counted in another way."""
        if cell.votes:
            return
        right = joined.group_by("question_id").agg(pl.col("verdict").mean())["verdict"].sum()
        asked = joined["question_id"].n_unique()
        counted, questions = cell.point["correct"], cell.point["questions"]
        if asked != questions or abs(right - counted) > 1e-6 * max(1, questions):
            raise InputError(
                f"{cell.path} and its grades have {right:g} of {asked} right, but points.csv "
                f"counted {counted:g} of {questions}; {UNFINISHED}"
            )

    def _model(self, name: str, title: str, entry: Mapping[str, Any]) -> ModelFacts:
        card = self.folder / f"models/{name}/model.json"
        place = card.with_name(LOCATION)
        engine = self.folder / f"generations/{name}/manifest.json"
        training = self.folder / f"training/{name}/manifest.json"
        return ModelFacts(
            name,
            title,
            bool(entry.get("trained")),
            entry.get("base"),
            read_content(card) if card.exists() else None,
            read_record(place, Location).source if place.exists() else None,
            EngineManifest.read(engine) if engine.exists() else None,
            TrainingManifest.read(training) if training.exists() else None,
        )

    def _benchmark(self, name: str, title: str) -> BenchmarkFacts:
        path = self.folder / f"benchmarks/{name}.parquet"
        frame = BENCHMARK.read(path).sort("position")
        entries = {entry["name"]: entry for entry in self.settings.get("benchmarks", [])}
        first = entries.get(name, {}).get("first", "all")
        asked = frame if first == "all" else frame.filter(pl.col("position") < first)
        facts = read_facts(path)
        settings = json.loads(facts.get("settings", "{}"))
        return BenchmarkFacts(
            name,
            title,
            tuple(Question(**row) for row in asked.iter_rows(named=True)),
            frame.height,
            settings.get("source", {}),
            facts.get("commit", ""),
        )

    def _cell(self, row: dict[str, Any]) -> Cell:
        path = self.folder / f"generations/{row['path']}.parquet"
        if not path.exists():
            raise InputError(f"{path} does not exist; {UNFINISHED}")
        return Cell(row, path, self._temperature(row))

    def _temperature(self, row: Mapping[str, Any]) -> float | None:
        """That of the study, where the method has none of its own."""
        return None if row["sampled"] else self.settings.get("inference", {}).get("temperature")

    def _grades(self, model: str) -> pl.DataFrame:
        if model not in self._read_grades:
            self._read_grades[model] = GRADE.read(self.folder / f"grades/{model}.parquet")
        return self._read_grades[model]

    @cached_property
    def _read_grades(self) -> dict[str, pl.DataFrame]:
        return {}


def _facts(path: Path) -> dict[str, str]:
    if not path.exists():
        raise InputError(f"{path} does not exist; {UNFINISHED}")
    return read_facts(path)


def _json_line(line: str) -> dict[str, Any]:
    try:
        return json.loads(line)
    except ValueError:  # a line that a kill cut off
        return {}


def stamp(at: datetime) -> str:
    """A time for a file name: 2026-11-22T04-40-00."""
    return at.strftime("%Y-%m-%dT%H-%M-%S")


_UNPORTABLE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def portable(name: str) -> str:
    """A name as part of a path that every system takes. UserError where nothing is left of it."""
    made = _UNPORTABLE.sub("_", name).rstrip(". ")
    if not made or made == "data":
        raise UserError(f"{name!r} cannot be the name of an exported folder; choose another")
    return made


def as_json(value: Any) -> Any:
    """Records as JSON objects, without keys that stand for nothing."""
    if is_dataclass(value):
        pairs = ((item.name, getattr(value, item.name)) for item in fields(value))
        return {name: as_json(inner) for name, inner in pairs if inner is not None}
    if isinstance(value, dict):
        return {name: as_json(inner) for name, inner in value.items() if inner is not None}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value
