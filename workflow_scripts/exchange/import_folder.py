"""Outputs of another harness as a results folder of their own, without a config or the workflow.

The same tables by the same functions as in a study: benchmarks, generations, grades, the harness's
verdicts beside ours, points. Questions are those of another study's benchmarks (`against`), or,
without one, those of the files themselves with the right answers that stand there.
"""

import re
from argparse import Namespace
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.analysis import count_points
from workflow_scripts.analysis.tables import OUTCOMES
from workflow_scripts.common.artifacts import write_text
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.common.methods import INFINITE, NATURAL_ARM
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.settings.base import as_json
from workflow_scripts.common.settings.imported import FormatName, Imported
from workflow_scripts.common.source_files import log_files
from workflow_scripts.common.tables.benchmark import BENCHMARK, Question, read_questions
from workflow_scripts.exchange import check_imports, import_generations
from workflow_scripts.exchange.harness import Answered, Log
from workflow_scripts.exchange.import_generations import READERS
from workflow_scripts.exchange.joining import letter
from workflow_scripts.exchange.matching import Matcher, listed_options, text_hash
from workflow_scripts.file_content import content_of
from workflow_scripts.grading import grade
from workflow_scripts.grading.one_answer import default_kind

FORMS: tuple[tuple[str, FormatName], ...] = (  # how a file's name tells who wrote it
    (r"\.eval$", "inspect"),
    (r"samples_.+\.jsonl$", "lm-eval"),
    (r"details_.+\.parquet$", "lighteval"),
    (r"output(-rs\d+)?(_chunk_\d+)?\.jsonl(-async)?$", "nemo-skills"),
    (r"\.json$", "inspect"),
    (r"\.jsonl$", "jsonl"),
)
BESIDE = re.compile(r"^results_.*\.json$")  # what lm-eval and lighteval write beside their rows
GRADING = {"timeout": 5.0, "memory_mb": 2048, "last_number": False}
ANALYSIS = {"confidence": 0.95, "slack_tokens": 10}


@dataclass(frozen=True)
class Part:
    """Files of one benchmark, as the config names them, and its table."""

    benchmark: str
    files: tuple[str, ...]
    table: Path
    draws: int


def guessed(files: Sequence[str]) -> FormatName:
    """The format that the names of files tell; UserError where it is none or several."""
    rows = [name for name in files if not BESIDE.match(Path(name).name)]
    kinds: set[FormatName | None] = {
        next((kind for pattern, kind in FORMS if re.search(pattern, Path(name).name)), None)
        for name in rows
    }
    found: FormatName | None = kinds.pop() if len(kinds) == 1 else None
    if found is None:
        raise UserError(
            f"{len(rows)} files, and their names do not tell which harness wrote them; name it: "
            f"--format {' | '.join(READERS)}"
        )
    return found


def make(
    name: str, files: Sequence[str], asked: Imported, against: Path | None, out: Path, threads: int
) -> list[Part]:
    """Write the results folder `out` of one model; the parts that its files fell into.

    asked    format, metric, columns, ... ; its `files` and `samples` are found here
    against  results folder whose benchmarks are asked; None: the files' own questions
    """
    paths = [path for name in log_files(files) for path in [Path(name)]]
    parts = _parts(paths, asked, against, out)
    settings = replace(
        asked,
        files={part.benchmark: part.files for part in parts},
        samples={part.benchmark: part.draws for part in parts},
    )
    _tables(name, settings, parts, out, threads)
    write_text(out / "imported" / f"{name}.yaml", overlay(name, settings))
    return parts


def overlay(name: str, settings: Imported) -> str:
    """The entry of `models:` that has the same in a study, as YAML."""
    entry = {"name": name, "imported": as_json(settings)}
    text = yaml.safe_dump([entry], sort_keys=False, allow_unicode=True)
    return f"# Add this to `models:` of a study; files are relative to where it runs.\n{text}"


# -------------------------------------------------------------------------- files by benchmark


def _parts(paths: Sequence[Path], asked: Imported, against: Path | None, out: Path) -> list[Part]:
    known = _known(against)
    groups = _by_task(paths, asked)
    parts: dict[str, list[tuple[tuple[str, ...], Log]]] = defaultdict(list)
    for task, (names, log) in groups.items():
        parts[_benchmark_of(task, log, known) if known else _slug(task)].append((names, log))
    made = []
    for benchmark, found in parts.items():
        if len(found) > 1:
            raise InputError(
                f"{found[0][0][0]} and {found[1][0][0]} are of several tasks with the questions of "
                f"'{benchmark}' ({len(found)} in all), and a model has one answer to each: name "
                "the files of one"
            )
        files = tuple(file for names, _ in found for file in names)
        rows = [row for _, log in found for row in log.rows]
        table = out / "benchmarks" / f"{benchmark}.parquet"
        questions = known.get(benchmark) or _own_questions(benchmark, rows)
        facts = provenance({}, origin=", ".join(files))
        BENCHMARK.write(table, BENCHMARK.frame([vars(one) for one in questions]), facts)
        made.append(Part(benchmark, files, table, _draws(rows)))
    return made


def _known(against: Path | None) -> dict[str, list[Question]]:
    if against is None:
        return {}
    tables = sorted((against / "benchmarks").glob("*.parquet"))
    if not tables:
        raise InputError(f"{against} is no results folder: no table in {against / 'benchmarks'}")
    every = {path.stem: read_questions([path]) for path in tables}
    outcomes = against / "analysis" / "outcomes.parquet"
    if not outcomes.is_file():
        return every
    rows = OUTCOMES.read(outcomes).select("dataset", "question_id").unique().iter_rows()
    asked = set(rows)  # a study may ask the first questions alone
    kept = {name: [q for q in own if (name, q.question_id) in asked] for name, own in every.items()}
    return {name: own for name, own in kept.items() if own}


def _by_task(paths: Sequence[Path], asked: Imported) -> dict[str, tuple[tuple[str, ...], Log]]:
    """What belongs together: files of one task, by the name that the harness gives it."""
    read = READERS[asked.format]
    rows = [path for path in paths if not BESIDE.match(path.name)]
    tasks: dict[str, list[Path]] = defaultdict(list)
    for path in rows:
        tasks[_task_of(path, asked)].append(path)
    return {
        task: (tuple(map(str, own)), read(own, replace(asked, task=None)))
        for task, own in tasks.items()
    }


def _task_of(path: Path, asked: Imported) -> str:
    dated = re.match(r"(?:samples|details)_(.+)_\d{4}-\d\d-\d\dT", path.name)
    if dated:
        return dated[1]
    if asked.format == "inspect":
        alone = replace(asked, model=None)
        return str(READERS["inspect"]([path], alone).settings.get("task", path.stem))
    return path.parent.name if asked.format == "nemo-skills" else path.stem


def _benchmark_of(task: str, log: Log, known: dict[str, list[Question]]) -> str:
    """The benchmark that has most of a log's questions; InputError where none has any.

    task  its name: of benchmarks that have equally many, the one that it names
    """
    some = log.rows[:200]
    counts = {
        name: sum(matcher.find(row) is not None for row in some)
        for name, matcher in ((name, Matcher(own)) for name, own in known.items())
    }
    best = max(counts, key=lambda name: (counts[name], _slug(name) in _slug(task)))
    if not counts[best]:
        raise InputError(
            f"{some[0].place}: no benchmark of the study ({', '.join(known)}) has a question with "
            f"this text: {next(iter(some[0].questions), '')[:120]!r}"
        )
    return best


def _draws(rows: Sequence[Answered]) -> int:
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[text_hash(next(iter(row.questions), row.prompt or ""))] += 1
    return max(counts.values(), default=1)


def _slug(task: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-") or "imported"


def _own_questions(benchmark: str, rows: Sequence[Answered]) -> list[Question]:
    """A benchmark of the files' own questions; InputError where they hold no right answers."""
    found: dict[str, Question] = {}
    for row in rows:
        text = next(iter(row.questions), row.prompt or "")
        name = text_hash(text)
        if name in found:
            continue
        if row.gold is None:
            raise InputError(
                f"{row.place} holds no right answer, so nothing can be graded by it; name a study "
                "that has these questions: --against RESULTS"
            )
        options = listed_options(row) if letter(row.gold) else ()
        kind = "choice" if options else default_kind(row.gold)
        gold = letter(row.gold) or row.gold
        found[name] = Question(
            benchmark, name, len(found), text, row.prompt or text, gold, kind, list(options) or None
        )
    return list(found.values())


# ------------------------------------------------------------------------------------- tables


def _tables(name: str, asked: Imported, parts: list[Part], out: Path, threads: int) -> None:
    benchmarks = [part.table for part in parts]
    rows, facts = out / "imported" / name / "rows.parquet", out / "imported" / name / "facts.json"
    manifest = out / "generations" / name / "manifest.json"
    grades = out / "grades" / f"{name}.parquet"
    settings = {
        "seed": 0,
        "name": name,
        "imported": as_json(asked),
        "first": {},
        "out": str(out / "generations" / name),
        "content": content_of([file for part in parts for file in part.files]),
    }
    import_generations.work(
        Namespace(
            settings=settings, benchmarks=benchmarks, threads=threads,
            manifest=manifest, rows=rows, facts=facts,
        )
    )  # fmt: skip
    cells = [
        out / "generations" / name / part.benchmark / NATURAL_ARM / f"{INFINITE}.parquet"
        for part in parts
    ]
    grade.work(
        Namespace(
            settings={"seed": 0, **GRADING}, generations=cells, benchmarks=benchmarks,
            imported=[rows], grades=grades, threads=threads,
        )
    )  # fmt: skip
    verdicts = out / "imported" / "verdicts.csv"
    odd = out / "imported" / "disagreements.csv"
    check_imports.work(
        Namespace(rows=[rows], grades=[grades], verdicts=verdicts, disagreements=odd)
    )
    analysis = out / "analysis"
    count_points.work(
        Namespace(
            settings=_study(name, parts), generations=cells, grades=[grades], engines=[manifest],
            benchmarks=benchmarks, golds=[], imports=[facts], points=analysis / "points.csv",
            outcomes=analysis / "outcomes.parquet", repeats=analysis / "repeats.csv",
            quality=analysis / "quality.json",
        )
    )  # fmt: skip


def _study(name: str, parts: list[Part]) -> dict[str, Any]:
    """Settings of rule count_points for one model with its natural end alone."""
    most = max(part.draws for part in parts)
    method = {
        "method": NATURAL_ARM,
        "samples": most,
        "temperature": 1.0 if most > 1 else 0.0,
    }
    inference = {"budgets": [INFINITE], "methods": [method]}
    draws = {part.benchmark: part.draws for part in parts}
    return {
        "seed": 0,
        "analysis": ANALYSIS,
        "inference": inference,
        "models": [{"name": name, "title": name, "trained": False, "draws": draws}],
        "benchmarks": [
            {"name": part.benchmark, "title": part.benchmark, "first": "all", "samples": None}
            for part in parts
        ],
    }
