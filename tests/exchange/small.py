"""The questions of questions.json as benchmarks, the options of a choice in another order."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow_scripts.common.tables.benchmark import BENCHMARK, Question
from workflow_scripts.exchange import import_generations
from workflow_scripts.exchange.harness import Answered, Log

HERE = Path(__file__).resolve().parent
FILES = HERE / "files"
ROWS: dict[str, list[dict[str, Any]]] = json.loads((HERE / "questions.json").read_text())
LETTERS = "ABCD"


def questions(name: str) -> list[Question]:
    """One benchmark, "math" or "choice"."""
    return [_question(name, place, row) for place, row in enumerate(ROWS[name])]


def _question(name: str, place: int, row: dict[str, Any]) -> Question:
    options = row["options"][::-1] if "options" in row else None
    gold, prompt = row["answer"], row["problem"]
    if options:
        gold = LETTERS[options.index(row["options"][LETTERS.index(gold)])]
        listed = [f"{letter}) {text}" for letter, text in zip(LETTERS, options, strict=True)]
        prompt = "\n".join([prompt, "", *listed])
    return Question(name, row["id"], place, row["problem"], prompt, gold, name, options)


def answered(question: str, response: str = "\\boxed{49}", **more: Any) -> Answered:
    """A row of a harness."""
    given = {"place": "own.jsonl:1", "own_id": "", "prompt": question, **more}
    return Answered(questions=(question,), response=response, **given)


def log_of(*rows: Answered) -> Log:
    """Rows as a log."""
    return Log("test", "", "", "", rows)


def benchmark(folder: Path, name: str) -> Path:
    """The table of one benchmark."""
    path = folder / "benchmarks" / f"{name}.parquet"
    BENCHMARK.write(path, BENCHMARK.frame([vars(one) for one in questions(name)]), {})
    return path


def written(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def imported(
    folder: Path, kind: str, files: Mapping[str, Sequence[Path | str]], **more: Any
) -> Namespace:
    """What rule import_generations makes of the files of each benchmark."""
    named = {name: [str(file) for file in own] for name, own in files.items() if own}
    args = Namespace(
        settings={
            "seed": 0,
            "name": "theirs",
            "imported": {"format": kind, "files": named, **more},
            "first": {},
            "out": str(folder / "generations/theirs"),
        },
        benchmarks=[benchmark(folder, name) for name in files],
        threads=1,
        manifest=folder / "generations/theirs/manifest.json",
        rows=folder / "imported/theirs/rows.parquet",
        facts=folder / "imported/theirs/facts.json",
    )
    import_generations.work(args)
    return args
