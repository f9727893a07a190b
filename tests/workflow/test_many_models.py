"""Forty models: 5,400 cells, and command lines that a shell takes (bash stops at 131,072 bytes)."""

import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.analysis.synthetic import FORMATS, Plan, write_study
from tests.workflow.snakemake_run import copy_checkout, snakemake
from workflow_scripts.common.job import combinations

SEEDS = range(39)
MODELS = ("base", *(f"s1k-seed-{seed}" for seed in SEEDS))
PLAN = Plan(questions=2, models=MODELS)
CELLS = 40 * 3 * 45
LIMIT = 20_000


def overlay() -> dict:
    """The full study with 40 models and the benchmarks of the made-up study."""
    trained = [
        {"name": f"s1k-seed-{seed}", "train": {"base": "base", "set": "s1k", "seed": seed}}
        for seed in SEEDS
    ]
    return {
        "models": [{"name": "base", "path": "org/base"}, *trained],
        "benchmarks": [
            {"name": name, "format": kind, "first": 2, "source": {"hub": f"org/{name}"}}
            for name, kind in FORMATS.items()
        ],
        "inference": {"budgets": list(PLAN.budgets)},
        "analysis": {"budget_error_targets": [8, 16]},
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = copy_checkout(tmp_path_factory.mktemp("many"))
    (where / "own.yaml").write_text(yaml.safe_dump(overlay()))
    return where


@pytest.fixture(scope="module")
def commands(checkout: Path) -> dict[str, str]:
    """Shell command of each rule; of rules with many jobs the longest."""
    words = ("-n", "-p", "--cores", "8", "--configfile", "own.yaml", "--", "report", "audit_grades")
    done = snakemake(checkout, *words)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = {}
    printed = r"^Shell command: (exec python -m workflow_scripts\..*)$"
    for line in re.findall(printed, done.stdout + done.stderr, re.M):
        name = line.split()[3].rsplit(".", 1)[1]
        found[name] = max(found.get(name, ""), line, key=len)
    return found


def test_no_command_line_outgrows_a_shell(commands: dict[str, str]) -> None:
    many = {"count_points", "write_report", "view_samples", "grade", "audit_grades"}
    assert many <= set(commands)
    assert {name: len(c.encode()) for name, c in commands.items() if len(c.encode()) > LIMIT} == {}


def test_every_cell_of_forty_models_is_counted(checkout: Path, commands: dict[str, str]) -> None:
    write_study(checkout / "results", PLAN)
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail; {commands['count_points']}"],
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(checkout / "results/analysis/points.csv").height == CELLS
    assert pl.read_parquet(checkout / "results/analysis/outcomes.parquet").height == 2 * CELLS


def test_braces_stand_for_every_combination_in_order() -> None:
    found = combinations("g/{a,b}/{x/1,x/inf}.parquet")
    assert list(map(str, found)) == [
        f"g/{model}/{cell}.parquet" for model in "ab" for cell in ("x/1", "x/inf")
    ]
    assert combinations("one.parquet") == [Path("one.parquet")]
    assert combinations("odd{name}.parquet") == [Path("odd{name}.parquet")]
