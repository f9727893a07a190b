"""Targets asked for together, and files that were deleted: the study is made whole in one call."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.workflow.snakemake_run import ROOT, copy_checkout, planned, snakemake

RESULTS = "results/scripted"
CALL = ("--configfile", "scripted.yaml", "--cores", "4")


def overlay() -> dict:
    """The demo's base model on its benchmarks, with the engine that needs no model."""
    demo = yaml.safe_load((ROOT / "profiles/demo/study.yaml").read_text())
    demo |= {"study": "scripted", "results": RESULTS, "models": demo["models"][:1]}
    demo["benchmarks"] = demo["benchmarks"][:1]
    for entry in demo["benchmarks"]:
        entry["first"] = 3
        entry["source"]["files"] = [
            name.replace("results/demo", RESULTS) for name in entry["source"]["files"]
        ]
    del demo["pool"]
    slow = {"step_seconds": 0.02}  # so that two writers of one store would meet
    demo["inference"]["engine"] |= {"kind": "scripted", "options": slow}
    demo["inference"] |= {"threads": 1, "context": 384, "budgets": [8, "infinite"]}
    demo["analysis"]["budget_error_targets"] = [8]
    return demo


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which `estimate` and the study ran in one call, on free cores."""
    where = copy_checkout(tmp_path_factory.mktemp("scripted"))
    shutil.copytree(ROOT / "data", where / "data", dirs_exist_ok=True)
    (where / "scripted.yaml").write_text(yaml.safe_dump(overlay()))
    done = snakemake(where, *CALL, "estimate", "report")
    assert done.returncode == 0, done.stdout + done.stderr
    return where


@pytest.fixture
def deleted(checkout: Path) -> Iterator[Path]:
    """The results folder; what a test deletes is put back."""
    saved = checkout / "saved"
    shutil.copytree(checkout / "results", saved, symlinks=True)
    yield checkout / RESULTS
    shutil.rmtree(checkout / "results")
    shutil.move(saved, checkout / "results")


def test_estimate_and_report_in_one_call(checkout: Path) -> None:
    """Both write one store, and four cores would run them side by side."""
    results = checkout / RESULTS
    manifest = json.loads((results / "generations/base/manifest.json").read_text())
    assert manifest["model"] == json.loads((results / "estimates/base.json").read_text())["model"]
    assert (results / "report/report.html").exists()


def test_a_second_call_has_nothing_to_do(checkout: Path) -> None:
    assert not planned(checkout, *CALL, "estimate", "report")


def test_promised_files_come_back_though_the_report_stands(deleted: Path, checkout: Path) -> None:
    """Nothing is decoded for it: cells are cut from the store."""
    cell = "generations/base/demo-math/truncation/8.parquet"
    for name in (cell, "grades/base.parquet", "plots/scaling.svg", "plots/effects.png"):
        (deleted / name).unlink()
    jobs = planned(checkout, *CALL, "report")
    assert {"cut", "grade", "plot_results", "plot_claims"} <= set(jobs)
    assert "generate" not in jobs


def test_a_deleted_manifest_comes_back_from_the_store(deleted: Path, checkout: Path) -> None:
    (deleted / "generations/base/manifest.json").unlink()
    assert planned(checkout, *CALL, "report")["generate"] == 1
    done = snakemake(checkout, *CALL, f"{RESULTS}/generations/base/manifest.json")
    assert done.returncode == 0, done.stderr
    log = (deleted / "logs/generate/base.log").read_text()
    assert " 0 tokens decoded" in log
