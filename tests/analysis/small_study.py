"""A small made-up study, and the rules of analysis over its files."""

import json
from argparse import Namespace
from pathlib import Path

import polars as pl

from tests.analysis.synthetic import Plan
from workflow_scripts.analysis import count_points
from workflow_scripts.analysis.tables import POINTS, read_table

SMALL = Plan(
    questions=12,
    budgets=(16, "infinite"),
    datasets=("algebra", "riddles"),
    methods=[
        {"method": "natural"},
        {"method": "truncation"},
        {"method": "force", "phrase": "Wait", "n": [1]},
    ],
)
CELL = "s1k/algebra/truncation/16"


def arguments(root: Path, paths: dict[str, list[Path]], plan: Plan = SMALL) -> Namespace:
    names = ("generations", "grades", "engines", "benchmarks", "golds")
    return Namespace(
        **{name: list(paths[name]) for name in names},
        imports=[],
        points=root / "points.csv",
        outcomes=root / "outcomes.parquet",
        quality=root / "quality.json",
        metrics=root / "metrics.csv",
        contrasts=root / "contrasts.csv",
        pairs=root / "pairs.csv",
        votes=root / "votes.csv",
        draws=root / "draws.csv",
        repeats=root / "repeats.csv",
        checks=root / "checks.json",
        settings=plan.settings(),
    )


def count(args: Namespace) -> tuple[pl.DataFrame, list[dict]]:
    count_points.work(args)
    return read_table(args.points, POINTS), json.loads(args.quality.read_text())["findings"]


def kinds(findings: list[dict]) -> list[str]:
    return [finding["kind"] for finding in findings]


def cell_file(args: Namespace, cell: str = CELL) -> Path:
    return next(path for path in args.generations if str(path).endswith(cell + ".parquet"))


def rewrite(path: Path, frame: pl.DataFrame) -> None:
    frame.write_parquet(path)
