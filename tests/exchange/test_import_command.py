"""`s1flow import`: a folder that compare reads, an entry that a config takes, what it says."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.exchange.small import FILES, benchmark, written
from workflow_scripts.analysis.tables import OUTCOMES, POINTS, read_table
from workflow_scripts.cli import main
from workflow_scripts.common.source_files import EXPORT_MARKER, log_files
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.common.tables.imported import IMPORTED_ROWS
from workflow_scripts.workflow import Study

HOME = Path(__file__).resolve().parents[2]
CHOICE = FILES / "inspect/choice.eval"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that the command names itself lie in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def points(folder: Path) -> list[dict[str, Any]]:
    """The cells of a results folder."""
    return read_table(folder / "analysis/points.csv", POINTS).to_dicts()


def test_the_marker_of_an_export_alone_is_skipped(tmp_path: Path) -> None:
    names = ["a.jsonl", "b.json", ".c.json", "notes.txt", f"deep/{EXPORT_MARKER}", EXPORT_MARKER]
    for name in names:
        written(tmp_path / "out" / name, [{}])
    assert [Path(name).name for name in log_files("out")] == [".c.json", "a.jsonl", "b.json"]
    assert log_files(f"out/{EXPORT_MARKER}") == [f"out/{EXPORT_MARKER}"]  # named: never skipped


def test_files_alone_are_a_study_of_their_own_questions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["import", str(CHOICE), "--name", "a"]) == 0
    said = capsys.readouterr().out
    assert "inspect_ai 0.3.285: mockllm/model" in said
    assert "tiny-choice: 3 responses, 3 right by our grader; 1 of 3 judged otherwise by" in said
    (cell,) = points(Path("imported/a"))
    assert (cell["model"], cell["method"], cell["budget"], cell["accuracy"]) == (
        "a", "natural", "infinite", 1.0,
    )  # fmt: skip


def test_two_harnesses_on_the_questions_of_one_study_are_compared(tmp_path: Path) -> None:
    for name in ("math", "choice"):
        benchmark(tmp_path / "study", name)
    for name, files in (("a", CHOICE), ("b", FILES / "lighteval")):
        assert main(["import", str(files), "--against", "study", "--name", name]) == 0
    asked = {row["dataset"]: row["questions"] for row in points(Path("imported/b"))}
    assert asked == {"choice": 3, "math": 4}
    rows = IMPORTED_ROWS.read(Path("imported/b/imported/b/rows.parquet"))
    assert sorted(rows["question_id"].unique()) == ["c1", "c2", "c3", "m1", "m2", "m3", "m4"]
    assert main(["compare", "imported/a", "imported/b", "--flips", "100"]) == 0
    (found,) = pl.read_csv("comparison/differences.csv").to_dicts()
    assert (found["dataset"], found["questions"]) == ("choice", 3)


def test_every_finding_is_said_once(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file = next((FILES / "lm_eval").glob("samples_tiny_math*"))
    assert main(["import", str(file), "--name", "c"]) == 0
    said = capsys.readouterr()
    assert (said.out + said.err + caplog.text).count("tokens-unknown") == 1
    assert "tokens-unknown, c/tiny-math: 8: " in said.out


def test_no_question_of_the_study_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark(tmp_path / "study", "math")
    assert main(["import", str(CHOICE), "--against", "study"]) == 1
    assert "no benchmark of the study (math) has a question with this text" in (
        capsys.readouterr().err
    )


def test_the_entry_that_is_written_is_a_model_of_a_config(tmp_path: Path) -> None:
    benchmark(tmp_path / "study", "choice")
    assert main(["import", str(CHOICE), "--against", "study", "--name", "theirs"]) == 0
    (entry,) = yaml.safe_load(Path("imported/theirs/imported/theirs.yaml").read_text())
    config = yaml.safe_load((HOME / "config.yaml").read_text())
    config["models"] = [*config["models"], entry]
    config["benchmarks"][0]["name"] = "choice"
    study = Study(config)
    assert study.imported == ["theirs"]
    assert study.imported_files("theirs") == [str(CHOICE)]
    assert study.cell_paths("theirs") == ("natural/infinite",)


def test_our_own_export_comes_back_with_its_draws_and_verdicts(study: Path) -> None:
    """Two benchmarks of the same 12 questions, one drawn twice: a run of the form for each draw."""
    wanted = ["--model", "base", "--method", "natural", "--out", "out"]
    assert main(["export", str(study), "--format", "lm-eval", *wanted]) == 0
    made = next(Path("out").rglob(EXPORT_MARKER)).parent
    assert main(["import", str(made), "--against", str(study), "--name", "back"]) == 0
    rows = IMPORTED_ROWS.read(Path("imported/back/imported/back/rows.parquet"))
    counts = [("algebra", 12), ("riddles", 24)]
    assert rows.group_by("dataset").len().sort("dataset").rows() == counts
    key = ["dataset", "question_id", "sample"]
    ours = GRADE.read(study / "grades/base.parquet").filter(method="natural", budget="infinite")
    both = rows.join(ours, on=key, how="inner")
    assert both.height == 36
    assert both.filter(pl.col("score") != pl.col("verdict").cast(pl.Float64)).is_empty()
    asked = {row["dataset"]: row["questions"] for row in points(Path("imported/back"))}
    assert asked == {"algebra": 12, "riddles": 12}
    outcomes = OUTCOMES.read(Path("imported/back/analysis/outcomes.parquet"))
    assert outcomes.group_by("dataset").len().sort("dataset").rows() == counts


def test_cells_of_one_benchmark_are_several_answers_to_a_question(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--model", "base", "--benchmark", "algebra", "--out", "out"]
    assert main(["export", str(study), "--format", "lm-eval", *wanted]) == 0
    assert main(["import", "out", "--against", str(study), "--name", "back"]) == 1
    assert "are of several tasks with the questions of 'algebra' (5 in all)" in (
        capsys.readouterr().err
    )


def test_bad_words_are_one_message(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words, said in (
        (["absent.eval"], "absent.eval does not exist"),
        ([str(CHOICE), "--name", "Ours!"], "--name 'Ours!': small letters"),
        ([str(written(tmp_path / "a.csv", [{}]))], "name it: --format lm-eval"),
        ([str(CHOICE), "--model", "gpt"], "no model is called 'gpt'"),
    ):
        assert main(["import", *words]) == 1
        assert said in capsys.readouterr().err
