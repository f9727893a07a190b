"""A solver answers the pool: rules answer_pool, cut_pool and grade_pool by their own settings."""

import json
from argparse import Namespace
from pathlib import Path

import yaml

from tests.curation.stage import load, raw_row, run_filters
from tests.inference import world
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.curation import ask_pool, regenerate_difficulty
from workflow_scripts.grading import grade
from workflow_scripts.inference import cut, generate
from workflow_scripts.rule_settings import RuleSettings
from workflow_scripts.workflow import Study

ROOT = Path(__file__).resolve().parents[2]
SOLVER, LABEL = "qwen7b", "qwen7b_correct"


def slices(folder: Path) -> RuleSettings:
    """What the rules of a small study get whose labels of difficulty are made here."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["results"] = str(folder)
    config["curation"]["relabel"]["difficulty"] = True
    config["inference"] |= {"context": 400, "answer_tokens": 12, "budgets": ["infinite"]}
    scripted = {"kind": "scripted", "device": "cpu", "max_sequences": 16}
    config["inference"]["engine"] |= {**scripted, "options": {"mean_length": 24}}
    return RuleSettings(Study(config))


def test_every_row_that_was_asked_has_a_verdict(tmp_path: Path, exam: Path) -> None:
    load(tmp_path, [raw_row(i, isqwen7bcorrect=None) for i in range(5)])
    paths = run_filters(tmp_path, [exam], difficulty={"drop_if_correct": [], "null_label": "keep"})
    rules = slices(tmp_path)
    asked, model = tmp_path / "asked.parquet", world.write_model(tmp_path / "model")
    manifest, grades = tmp_path / "manifest.json", tmp_path / "grades.parquet"
    ask_pool.work(Namespace(**vars(paths), benchmark=asked, settings=json.loads(rules.ask_pool())))
    job = {"model": model, "manifest": manifest, "log": None, "threads": 1, "gpus": 0}
    settings = json.loads(rules.answer_pool(SOLVER))
    generate.work(Namespace(**job, benchmarks=[asked], settings=settings))
    settings = json.loads(rules.cut_pool(SOLVER))
    cut.work(Namespace(model=model, manifest=manifest, benchmark=asked, settings=settings))
    cell = tmp_path / f"curation/solvers/{SOLVER}/pool/natural/infinite.parquet"
    ids = set(BENCHMARK.read(asked)["question_id"])
    answers = GENERATION.read(cell)
    assert set(answers["question_id"]) == ids and len(ids) == 5
    settings = json.loads(rules.grade())
    files = {"generations": [cell], "benchmarks": [asked], "imported": [], "grades": grades}
    grade.work(Namespace(**files, threads=1, settings=settings))
    verdicts = GRADE.read(grades)
    assert set(verdicts["question_id"]) == ids and set(verdicts["dataset"]) == {"pool"}
    out = {**vars(paths), "difficulty": tmp_path / "d.parquet", "agreement": tmp_path / "a.json"}
    settings = {**json.loads(rules.regenerate_difficulty()), "labels": [LABEL]}
    regenerate_difficulty.work(Namespace(**out, grades=[grades], settings=settings))
    agreement = json.loads(out["agreement"].read_text())[LABEL]
    assert agreement["asked"] == 5 and agreement["compared"] == 0  # the pool has no such labels
