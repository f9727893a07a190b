"""Small finished studies, as results folders."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tests.analysis.small_study import arguments, count
from tests.analysis.synthetic import Plan, write_study
from workflow_scripts.analysis.contrasts import Rule

PLAN = Plan(
    questions=60,
    budgets=(16, "infinite"),
    datasets=("algebra", "riddles"),
    methods=[{"method": "natural"}, {"method": "truncation"}],
)
RULE = Rule(confidence=0.95, smallest_effect=5, flips=500, seed=1)
Change = Callable[[pl.DataFrame], pl.DataFrame]


def finished(root: Path, plan: Plan = PLAN) -> Path:
    """A results folder with everything that comparing reads."""
    tables = root / "analysis"
    tables.mkdir(parents=True)
    _counted(tables, write_study(root, plan), plan)
    return root


def _counted(tables: Path, paths: dict[str, list[Path]], plan: Plan) -> None:
    count(arguments(tables, paths, plan))


def rewritten(root: Path, name: str, change: Change) -> None:
    """A study's file after a change, and its points and outcomes counted anew."""
    path = root / name
    change(pl.read_parquet(path)).write_parquet(path)
    recounted(root)


def recounted(root: Path, plan: Plan = PLAN) -> None:
    paths = {
        "generations": sorted(root.glob("generations/*/*/*/*.parquet")),
        "grades": sorted(root.glob("grades/*.parquet")),
        "engines": sorted(root.glob("generations/*/manifest.json")),
        "benchmarks": sorted(root.glob("benchmarks/*.parquet")),
        "golds": [root / "grades/golds.json"],
    }
    _counted(root / "analysis", paths, plan)


@pytest.fixture(scope="session")
def original(tmp_path_factory) -> Path:
    return finished(tmp_path_factory.mktemp("compared") / "one")


@pytest.fixture
def pair(original, tmp_path) -> tuple[Path, Path]:
    """Two equal studies; the second is for changing."""
    return original, Path(shutil.copytree(original, tmp_path / "two"))
