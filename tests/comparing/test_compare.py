"""Two and more finished studies side by side: claims, places, changes, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from tests.comparing.conftest import PLAN, RULE, finished, recounted, rewritten
from workflow_scripts import cli
from workflow_scripts.common.errors import InputError, UserError
from workflow_scripts.comparing.compare import compare, write
from workflow_scripts.comparing.differences import DIFFERENCES, table
from workflow_scripts.comparing.page import Comparison, markdown
from workflow_scripts.comparing.terminal import lines


def found(*words: object, fail_if: tuple[str, ...] = ()) -> Comparison:
    return compare([str(word) for word in words], fail_if, RULE)[0]


def spoilt(folder: Path, share: float, model: str = "s1k", dataset: str = "algebra") -> None:
    """A planted regression: some right answers of one model at its natural end become wrong."""

    def change(grades: pl.DataFrame) -> pl.DataFrame:
        here = (pl.col("dataset") == dataset) & (pl.col("budget") == "infinite")
        number = pl.col("question_id").str.slice(1).cast(pl.Int64)
        lost = here & (number % 100 < 60 * share)
        return grades.with_columns(verdict=pl.col("verdict") & ~lost)

    rewritten(folder, f"grades/{model}.parquet", change)


def test_equal_studies_differ_in_nothing(pair) -> None:
    same = found(*pair)
    assert len(same.tested) == 2 * 2 * 3  # models, benchmarks, cells
    assert same.claims == []
    assert {one.row["difference"] for one in same.tested} == {0.0}
    assert all(one.row["p_adjusted"] == 1 for one in same.tested)
    assert all(one.row["difference_low"] < 0 < one.row["difference_high"] for one in same.tested)
    assert same.findings == []
    places = same.places.filter(pl.col("scope") == "all")
    letters = dict(places.select("model", "letters").iter_rows())
    assert letters["A/s1k"] == letters["B/s1k"]
    assert "the studies answer alike" in markdown(same, "")


def test_a_planted_regression_is_found_where_it_is_and_nowhere_else(pair) -> None:
    spoilt(pair[1], 0.6)
    told = found(*pair)
    claims = [one.row for one in told.claims]
    assert {(row["model_b"], row["dataset"], row["verdict"]) for row in claims} == {
        ("s1k", "algebra", "worse")
    }
    for row in claims:
        assert row["difference_high"] < 0
        assert row["gained"] == 0
        assert row["lost"] == round(-row["difference"] / 100 * row["questions"])
    assert any("worse" in line for line in lines(told))


def test_a_regression_ends_a_call_with_status_1_and_says_why(pair, tmp_path, capsys) -> None:
    spoilt(pair[1], 0.6)
    words = ["compare", *map(str, pair), "--flips", "500", "--out", str(tmp_path / "out")]
    condition = "upper(s1k/algebra natural) < 0"
    assert cli.main([*words, "--fail-if", condition]) == 1
    said = capsys.readouterr().err
    assert "fails: s1k/algebra natural@infinite, B against A:" in said
    assert f"`{condition}` holds" in said
    assert cli.main([*words, "--fail-if", "upper(s1k/riddles natural) < 0"]) == 0
    written = json.loads((tmp_path / "out/conditions.json").read_text())
    assert [one["holds"] for one in written] == [False]
    assert cli.main([*words, "--fail-if", "algebra"]) == 1
    assert "is no condition" in capsys.readouterr().err


def test_files_hold_the_differences_that_the_page_shows(pair, tmp_path) -> None:
    spoilt(pair[1], 0.4)
    told, tables = compare([str(pair[0]), f"new={pair[1]}"], (), RULE)
    files = write(told, tables, tmp_path / "out")
    assert all(path.exists() for path in files)
    differences = pl.read_csv(tmp_path / "out/differences.csv")
    assert differences.columns == list(DIFFERENCES)
    assert differences.height == len(told.differences)
    assert set(differences["study_b"]) == {"new"}
    page = (tmp_path / "out/comparison.html").read_text()
    assert "<svg" in page
    assert "s1k" in page
    text = (tmp_path / "out/comparison.md").read_text()
    changed = "## What was changed"
    assert text.index(changed) < text.index("## What can be told apart") < text.index("## Places")


def test_numbers_are_those_of_the_studies_own_tables(pair) -> None:
    spoilt(pair[1], 0.4)
    key = ["model", "dataset", "method", "budget"]
    rows = table(found(*pair).differences).rename({"model_a": "model"})
    for folder, column in zip(pair, ("accuracy_a", "accuracy_b"), strict=True):
        own = pl.read_csv(folder / "analysis/points.csv").select(*key, "accuracy")
        both = rows.join(own, on=key)
        assert both.height == rows.height
        assert both.filter((pl.col(column) - pl.col("accuracy")).abs() > 1e-9).is_empty()


def test_two_models_of_one_study(original) -> None:
    told = found(f"{original}:base", f"{original}:s1k")
    assert {(o.match.model_a, o.match.model_b) for o in told.tested} == {("base", "s1k")}
    assert set(told.places["model"]) == {"A/base", "B/s1k"}


def test_three_studies_each_against_the_first(pair, tmp_path) -> None:
    third = Path(shutil.copytree(pair[0], tmp_path / "three"))
    spoilt(third, 0.6)
    told = found(*pair, third)
    assert {one.row["study_b"] for one in told.tested} == {"B", "C"}
    assert {one.row["study_b"] for one in told.claims} == {"C"}
    scope = told.places.filter((pl.col("scope") == "benchmark") & (pl.col("name") == "algebra"))
    letters = dict(scope.select("model", "letters").iter_rows())
    assert letters["A/s1k"] == letters["B/s1k"] != letters["C/s1k"]


def test_several_draws_are_compared_by_the_question(tmp_path) -> None:
    plan = replace(PLAN, draws={"algebra": 3, "riddles": 3}, methods=[{"method": "natural"}])
    one = finished(tmp_path / "one", plan)
    other = finished(tmp_path / "other", replace(plan, seed=7))
    row = next(o.row for o in found(one, other).tested if o.dataset == "algebra")
    assert (row["draws_a"], row["draws_b"]) == (3, 3)
    assert row["questions"] == PLAN.questions
    assert row["difference_low"] < row["difference"] < row["difference_high"]


def test_tokens_that_nobody_counted_are_a_dash(pair, tmp_path) -> None:
    path = pair[1] / "analysis/outcomes.parquet"
    nobody = pl.lit(None, pl.Int64).alias("thinking_tokens")
    pl.read_parquet(path).with_columns(nobody).write_parquet(path)
    told, tables = compare([*map(str, pair)], (), RULE)
    write(told, tables, tmp_path / "out")
    text = (tmp_path / "out/comparison.md").read_text()
    assert "nan" not in text.lower()
    assert "| no change | – |" in text or "| not resolved | – |" in text
    rows = table(told.differences)
    assert rows["thinking_b"].null_count() == rows["extra_tokens"].null_count() == rows.height
    assert rows["thinking_a"].null_count() == 0


def test_changed_settings_stand_first_and_places_do_not_count(pair) -> None:
    for folder, name, temperature in zip(pair, ("a", "b"), (0.0, 0.7), strict=True):
        path = next(iter(sorted(folder.glob("generations/s1k/algebra/*/*.parquet"))))
        facts = {
            "settings": json.dumps(
                {
                    "inference": {"temperature": temperature, "context": 432},
                    "store": f"results/{name}/store",
                    "out": f"results/{name}/generations/s1k/algebra",
                    "source": {"files": [f"results/{name}/world/math.jsonl"]},
                }
            ),
            "model": name * 64,
        }
        source = {"settings": json.dumps({"source": {"files": [f"results/{name}/world/a.jsonl"]}})}
        for file, own in ((path, facts), (folder / "benchmarks/algebra.parquet", source)):
            copied = pl.read_parquet(file)
            copied.write_parquet(file, metadata=own)
    changes = found(*pair).changes["B"]
    assert [(c.key, c.values, c.where) for c in changes.settings] == [
        ("inference.temperature", ("0.0", "0.7"), ("decode s1k",))
    ]
    assert [c.key for c in changes.versions] == ["decode s1k: model"]


def test_a_study_that_records_nothing_is_not_called_unchanged(pair) -> None:
    for path in pair[1].rglob("*.parquet"):
        pl.read_parquet(path).write_parquet(path)
    shutil.rmtree(pair[1] / "training")
    told = found(*pair)
    assert told.changes["B"].silent == (1,)
    assert "Files of B record no settings or versions" in markdown(told, "")
    assert "changed from A to B: not known, B records nothing" in list(lines(told))


# ------------------------------------------------------------------------------- bad input


def test_another_question_under_an_id_is_left_out_and_told(pair) -> None:
    def change(questions: pl.DataFrame) -> pl.DataFrame:
        other = pl.col("question_id").is_in(["q001", "q002"])
        text = pl.when(other).then(pl.lit("Otherwise ") + pl.col("question"))
        return questions.with_columns(question=text.otherwise("question"))

    rewritten(pair[1], "benchmarks/algebra.parquet", change)
    told = found(*pair)
    rows = {one.row["questions"] for one in told.tested if one.dataset == "algebra"}
    assert rows == {PLAN.questions - 2}
    (finding,) = told.findings
    assert (finding.kind, finding.severity, finding.count) == ("other-question", "error", 2)
    assert "q001, q002" in markdown(told, "")
    assert any(line.startswith("error: algebra, A and B") for line in lines(told))


def test_golds_that_differ_are_left_out_and_told(pair) -> None:
    gold = pl.when(pl.col("question_id") == "q003").then(pl.lit("-1")).otherwise("gold")
    rewritten(pair[1], "benchmarks/algebra.parquet", lambda rows: rows.with_columns(gold=gold))
    told = found(*pair)
    (finding,) = told.findings
    assert (finding.kind, finding.count) == ("other-gold", 1)
    assert "q003 ('6' and '-1')" in finding.message


def test_studies_of_other_questions_are_refused(pair) -> None:
    text = pl.lit("Not ") + pl.col("question")
    for name in PLAN.datasets:
        rewritten(pair[1], f"benchmarks/{name}.parquet", lambda r: r.with_columns(question=text))
    with pytest.raises(UserError) as error:
        found(*pair)
    assert "share no question" in str(error.value)
    assert "one id, two questions" in str(error.value)


def test_a_cell_that_lacks_questions_has_no_number_and_no_condition_passes_it(pair) -> None:
    path = "generations/s1k/algebra/truncation/16.parquet"
    rewritten(pair[1], path, lambda rows: rows.head(50))
    told = found(*pair, fail_if=("algebra truncation@16 < -90",))
    (short,) = [one for one in told.differences if one.change is None]
    assert short.row["note"] == "B: 50 of 60 questions"
    assert any(finding.kind == "own-errors" for finding in told.findings)
    assert "Without a number" in markdown(told, "")
    assert [one.holds for one in told.judged if one.difference is short] == [True]


def test_tables_of_two_runs_are_refused(pair) -> None:
    outcomes = pair[1] / "analysis/outcomes.parquet"
    pl.read_parquet(outcomes).with_columns(verdict=~pl.col("verdict")).write_parquet(outcomes)
    with pytest.raises(InputError) as error:
        found(*pair)
    assert "they are of two runs, or one is half-written" in str(error.value)


def test_a_points_file_edited_by_hand_is_told(pair) -> None:
    path = pair[1] / "analysis/points.csv"
    path.write_text(path.read_text().replace("Model s1k", "My model"))
    assert [finding.kind for finding in found(*pair).findings] == ["edited-by-hand"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: shutil.rmtree(f / "analysis"), "has not come that far; run it to its end"),
        (lambda f: (f / "analysis/outcomes.parquet").write_bytes(b"PAR1"), "is damaged"),
        (
            lambda f: (f / "analysis/points.csv").write_text("model,data"),
            "ends in the middle of a line",
        ),
        (lambda f: (f / "benchmarks/algebra.parquet").unlink(), "without the questions' texts"),
        (lambda f: shutil.rmtree(f), "is no folder; name the `results` of a study"),
    ],
)
def test_half_written_results_are_refused_by_name(pair, damage, words: str) -> None:
    damage(pair[1])
    with pytest.raises(InputError) as error:
        found(*pair)
    assert words in str(error.value)
    assert str(pair[1]) in str(error.value)


def test_models_that_no_name_matches_are_asked_for(original, tmp_path) -> None:
    plan = replace(PLAN, models=("mine", "yours"))
    other = finished(tmp_path / "other", plan)
    with pytest.raises(UserError) as error:
        found(original, other)
    assert f"Name the two to compare, {original}:base {other}:mine" in str(error.value)
    with pytest.raises(UserError) as error:
        found(f"{original}:s2k", other)
    assert "has no results of a model 's2k' (there are: base, s1k)" in str(error.value)
    assert found(f"{original}:s1k", f"{other}:yours").tested
    told = found(original, f"{other}:yours")  # one model faces all
    assert {one.match.model_a for one in told.tested} == {"base", "s1k"}
    assert set(told.places["model"]) == {"A/base", "A/s1k", "B/yours"}


def test_one_study_is_no_comparison(original) -> None:
    with pytest.raises(UserError, match="two results folders or more"):
        found(original)
    with pytest.raises(UserError, match="two studies are called 'x'"):
        found(f"x={original}", f"x={original}")


def test_recounting_a_study_changes_nothing(pair) -> None:
    before = (pair[1] / "analysis/points.csv").read_bytes()
    recounted(pair[1])
    assert (pair[1] / "analysis/points.csv").read_bytes() == before


def test_a_benchmark_under_two_names_is_told_not_joined(pair) -> None:
    renamed = pl.col("dataset").replace({"algebra": "maths"})
    for path in [*pair[1].glob("grades/*.parquet"), *pair[1].glob("analysis/*.parquet")]:
        pl.read_parquet(path).with_columns(dataset=renamed).write_parquet(path)
    (pair[1] / "benchmarks/algebra.parquet").rename(pair[1] / "benchmarks/maths.parquet")
    points = pair[1] / "analysis/points.csv"
    points.write_text(points.read_text().replace(",algebra,", ",maths,"))
    told = found(*pair)
    assert {one.dataset for one in told.tested} == {"riddles"}
    messages = {finding.kind: finding.message for finding in told.findings}
    told_of = messages["other-benchmark-name"]
    assert told_of == "'algebra' and 'maths' share 60 questions, not paired"
    assert messages["lone-benchmark"].startswith("only in")
