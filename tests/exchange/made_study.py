"""A made-up study as a whole results folder, ready to be exported.

Two models, two benchmarks (one from files, one as if from the hub, with two draws a question), a
selected set, and a trained model's folder with weights that are real but hold nothing.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from tests.analysis.small_study import arguments
from tests.analysis.synthetic import Plan, write_study
from tests.records import model_card, training_manifest
from workflow_scripts.analysis import count_points
from workflow_scripts.common.artifacts import write_json, write_text
from workflow_scripts.common.model import ModelCard, write_card
from workflow_scripts.common.model_folder import weight_files, weights_digest
from workflow_scripts.common.provenance import provenance
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.pool import POOL, SELECTED
from workflow_scripts.training.recipe import Recipe

PLAN = Plan(
    questions=12,
    budgets=(16, "infinite"),
    datasets=("algebra", "riddles"),
    draws={"riddles": 2},
    methods=[
        {"method": "natural"},
        {"method": "truncation"},
        {"method": "force", "phrase": "Wait", "n": [1]},
    ],
)
CELLS = 5  # of each model and benchmark: natural, and two methods at two budgets
SAMPLES = 12 * CELLS * (1 + 2)  # of each model
HUB = {"hub": "maker/riddles", "revision": "main", "subset": "hard", "split": "test"}
COMMIT = "c" * 40


def write(root: Path, plan: Plan = PLAN) -> Path:
    """Write the study; returns its results folder."""
    folder = root / "results"
    paths = write_study(folder, plan)
    (folder / "analysis").mkdir()
    args = arguments(folder / "analysis", paths, plan)
    args.imports = []
    args.settings["inference"]["temperature"] = 0.5
    for entry in args.settings["benchmarks"]:
        entry["samples"] = plan.draws.get(entry["name"])
    count_points.work(args)
    write_json(folder / "study.json", {"study": "tiny"})
    _from_hub(folder / "benchmarks/riddles.parquet")
    _set(folder)
    _models(folder)
    return folder


def _from_hub(path: Path) -> None:
    facts = provenance({"source": HUB}, commit=COMMIT)
    BENCHMARK.write(path, BENCHMARK.read(path), facts)


def _set(folder: Path) -> None:
    row = {
        "row_id": "0" * 16,
        "question": "What is <1> + 1?",
        "trace": "One and one.",
        "attempt": "2",
        "solution": "2",
        "source": "made/up",
        "source_name": "MATH",
        "domain": "Number theory",
        "labels": '{"small":false}',
        "teacher_correct": True,
        "trace_tokens": 4,
    }
    pool = provenance({"source": {"files": ["/home/me/pool.jsonl"]}}, origin="pool.jsonl")
    POOL.write(folder / "curation/pool.parquet", POOL.frame([row | {"metadata": "{}"}]), pool)
    chosen = {"tokens": 4, "phase": "pin", "draw": 0, "explanation": "{}"}
    facts = provenance({"seed": 42, "selector": "s1k", "selection": {"size": 1}})
    SELECTED.write(folder / "curation/sets/s1k.parquet", SELECTED.frame([row | chosen]), facts)
    counts = {
        "selector": "s1k",
        "eligible": 880,
        "stages": {"quality": {"entered": 2000, "kept": 1900}},
        "sources": {"MATH": 1},
        "domains": {"Number theory": 1},
        "tokens": {"total": 4, "mean": 4.0, "min": 4, "max": 4},
        "tokenizer": {"path": "/home/me/models/base", "revision": "main"},
    }
    write_json(folder / "curation/sets/s1k.json", counts)
    contamination = {
        "ngram": 8,
        "boilerplate": "separate",
        "boilerplate_questions": 5,
        "benchmarks": {"algebra": {}, "riddles": {}},
    }
    write_json(folder / "curation/contamination.json", contamination)


def _models(folder: Path) -> None:
    weights = folder / "models/s1k/weights"
    weights.mkdir(parents=True)
    save_file({"w": np.zeros(3, np.float32)}, weights / "model.safetensors")
    write_json(weights / "config.json", {"architectures": ["Qwen2ForCausalLM"]})
    write_json(weights / "training_run.json", {"of": "no use elsewhere"})
    write_text(weights / "pickle.bin", "never copied")
    digest = weights_digest(weight_files(weights))
    trained = model_card(name="s1k", path=str(weights), digest=digest, trained=True)
    write_card(folder / "models/s1k/model.json", trained)
    base = model_card(path=str(weights), revision="b" * 40, source="maker/base")
    write_card(folder / "models/base/model.json", base)
    recipe = {"recipe": asdict(Recipe()), "seed": 42, "precision": "bf16"}
    manifest = training_manifest("s1k", settings=recipe, versions={"torch": "2.0"})
    write_json(folder / "training/s1k/manifest.json", manifest.to_json())
    rows = pl.read_parquet(folder / "curation/sets/s1k.parquet", columns=["row_id"])
    rows.write_parquet(folder / "training/s1k/samples.parquet")


def card_of(folder: Path, model: str) -> ModelCard:
    """A model's card."""
    from workflow_scripts.common.model import read_card

    return read_card(folder / f"models/{model}/model.json")
