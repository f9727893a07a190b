"""Published files through the demo's base model, the engine, the grader and the report."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.curation.real_data import DATA, FOLDERS, OWN
from tests.workflow.snakemake_run import ROOT, copy_checkout, snakemake

FIRST = {"math500": 100, "aime24": "all"}
QUESTIONS = {OWN: {"math500": 12, "aime24": 6}, DATA: {"math500": 100, "aime24": 30}}
ROWS = {OWN: {"math500": 12, "aime24": 6}, DATA: {"math500": 500, "aime24": 30}}

pytestmark = pytest.mark.slow


def overlay(data: Path) -> dict:
    """The demo's settings, with MATH500 and AIME24 and without training."""
    demo = yaml.safe_load((ROOT / "profiles/demo/study.yaml").read_text())
    base = {key: value for key, value in demo["models"][0].items() if key != "methods"}
    demo |= {"study": "real", "results": "results/real", "models": [base]}
    demo["benchmarks"] = [
        {
            "name": name,
            "format": kind,
            "first": FIRST[name],
            "source": {"files": [str(data / file)]},
            "columns": {},
        }
        for name, kind, file in (
            ("math500", "math", "math500.jsonl"),
            ("aime24", "integer", "aime24.jsonl"),
        )
    ]
    methods = [{"method": "truncation"}, {"method": "force", "phrase": "Wait", "n": [1]}]
    demo["inference"] |= {"budgets": [16, "infinite"], "context": 1024, "methods": methods}
    return demo


@pytest.fixture(scope="module", params=FOLDERS)
def data(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture(scope="module")
def results(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = copy_checkout(tmp_path_factory.mktemp("real"))
    shutil.copytree(ROOT / "data", where / "data", dirs_exist_ok=True)
    (where / "real.yaml").write_text(yaml.safe_dump(overlay(data)))
    done = snakemake(where, "report", "--cores", "2", "--configfile", "real.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return where / "results/real"


def test_every_cell_holds_every_question(data: Path, results: Path) -> None:
    points = pl.read_csv(results / "analysis/points.csv")
    assert points.height == 2 * 4
    assert dict(points.select("dataset", "questions").unique().iter_rows()) == QUESTIONS[data]
    assert (points["no_answer"] + points["correct"] <= points["questions"]).all()


def test_golds_are_the_files_own(data: Path, results: Path) -> None:
    tables = {name: pl.read_parquet(results / f"benchmarks/{name}.parquet") for name in FIRST}
    assert tables["aime24"]["kind"].unique().to_list() == ["integer"]
    assert {name: table.height for name, table in tables.items()} == ROWS[data]


def test_the_report_speaks_of_both(results: Path) -> None:
    text = (results / "report/report.md").read_text()
    assert "math500" in text.lower() and "aime24" in text.lower()
    assert (results / "report/samples.html").stat().st_size > 10_000
