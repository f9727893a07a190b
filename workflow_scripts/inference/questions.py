"""The questions of a study, from the benchmark tables."""

from pathlib import Path
from typing import Any

import polars as pl

from workflow_scripts.common.errors import ConfigError, InputError
from workflow_scripts.common.tables.benchmark import BENCHMARK, Question


def read_questions(paths: list[Path], first: dict[str, Any]) -> list[Question]:
    """Questions with position < `first[dataset]` of each table, in file order."""
    return [question for path in paths for question in _read(path, first)]


def _read(path: Path, first: dict[str, Any]) -> list[Question]:
    frame = BENCHMARK.read(path).sort("position")
    if frame.is_empty():
        raise InputError(f"{path} holds no questions")
    limit = first.get(frame["dataset"][0], "all")
    if limit != "all":
        if not isinstance(limit, int) or limit < 1:
            raise ConfigError(f"benchmarks[].first is {limit!r}; use a number above 0 or 'all'")
        frame = frame.filter(pl.col("position") < limit)
    return [Question(**row) for row in frame.iter_rows(named=True)]
