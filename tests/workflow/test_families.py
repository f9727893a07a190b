"""One study of six architectures on the CPU, each with its own form: cells are fresh generations.

Models are tiny and random (tests/zoo.py); vLLM's CPU build decodes them in float32.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests import zoo
from tests.workflow.fresh_cells import INSTRUCTION, PROMPTS
from tests.workflow.snakemake_run import ROOT, copy_checkout, snakemake

pytest.importorskip("vllm")

FIRST = {"demo-math": 3, "demo-choice": 2}
BUDGETS = [4, 16, 48, "infinite"]
METHODS = [
    {"method": "natural"},
    {"method": "natural-prompted"},
    {"method": "truncation"},
    {"method": "force", "phrase": "Wait", "n": [1, 2]},
    {"method": "class-short"},
    {"method": "class-long"},
    {"method": "token-conditional", "budgets": [16], "forced": True},
    {"method": "native"},
    {"method": "no-thinking"},
]
CELLS = 1 + 1 + 4 + 2 * 4 + 1 + 1 + 1 + 1 + 1
POINTS = CELLS - 1  # natural-prompted answers a question of its own


def overlay(folder: Path, names: tuple[str, ...]) -> dict:
    """The demo's questions, six models with forms of their own."""
    kinds = {"demo-math": ("math", "math"), "demo-choice": ("choice", "choice")}
    world = "results/zoo/world"
    return {
        "study": "zoo",
        "results": "results/zoo",
        "benchmarks": [
            {"name": name, "format": kind, "first": FIRST[name], "columns": {},
             "instruction": INSTRUCTION,
             "source": {"files": [f"{world}/{file}.jsonl"]}}
            for name, (kind, file) in kinds.items()
        ],
        "models": [
            {"name": name, "path": str(folder / name), **zoo.FAMILIES[name].form} for name in names
        ],
        "inference": {
            "budgets": BUDGETS,
            "methods": METHODS,
            "class_prompts": {
                "short": PROMPTS["class-short"],
                "long": PROMPTS["class-long"],
            },
            "context": zoo.CONTEXT,
            "answer_tokens": zoo.ANSWER,
            "engine": {"device": "cpu", "dtype": "float32", "max_sequences": 64},
        },
        "analysis": {"budget_error_targets": [4, 16, 48]},
    }  # fmt: skip


def study(where: Path, names: tuple[str, ...]) -> Path:
    """Run a study of some families up to its points; its results."""
    copy_checkout(where)
    for name in names:
        zoo.save(zoo.FAMILIES[name], where / "zoo" / name)
    (where / "own.yaml").write_text(yaml.safe_dump(overlay(where / "zoo", names)))
    config = ["--configfile", "profiles/demo/study.yaml", "own.yaml"]
    target = "results/zoo/analysis/points.csv"
    done = snakemake(where, "--cores", "2", *config, "--", target)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return where / "results/zoo"


def differing(results: Path, name: str) -> tuple[int, list[str]]:
    """Rows decoded anew in a process of its own, and those that differ."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "tests.workflow.fresh_cells", str(results), name]
    done = subprocess.run(
        words, cwd=results.parents[1], capture_output=True, text=True, env=environment
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("@@")]
    assert done.returncode == 0 and told, done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads(told[-1][2:])


def check(results: Path, names: tuple[str, ...]) -> None:
    """Every row of every cell is its fresh generation; ends by themselves and at budgets occur."""
    for name in names:
        count, odd = differing(results, name)
        assert not odd, f"{name}: {len(odd)} of {count} differ: " + "\n".join(odd[:3])
        assert count == CELLS * sum(FIRST.values())
        files = list((results / "generations" / name).glob("*/*/*.parquet"))
        ends = pl.concat([pl.read_parquet(path, columns=["end"]) for path in files])["end"]
        told = set(ends.unique())
        assert {"natural", "forced"} <= told <= {"natural", "forced", "context"}, name
    points = pl.read_csv(results / "analysis/points.csv")
    assert points.height == len(names) * POINTS * len(FIRST)


@pytest.mark.slow
def test_every_cell_of_six_architectures_is_a_fresh_generation(tmp_path: Path) -> None:
    names = tuple(zoo.FAMILIES)
    check(study(tmp_path, names), names)
