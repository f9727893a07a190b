import json
from dataclasses import replace

import polars as pl
import pytest

from tests.analysis.small_study import CELL, SMALL, arguments, cell_file, count, kinds, rewrite
from tests.analysis.synthetic import Plan, write_study
from tests.records import engine_manifest, tokens
from workflow_scripts.analysis import count_points, measure
from workflow_scripts.analysis.tables import (
    CONTRASTS,
    METRICS,
    OUTCOMES,
    REPEATS,
    VOTES,
    read_table,
)
from workflow_scripts.common.errors import InputError
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE


def test_a_clean_study_has_every_cell_and_no_finding(study):
    points, findings = count(study)
    assert points.height == 2 * 2 * 5
    assert findings == []


def test_a_model_has_the_cells_of_its_own_methods_and_lacks_no_others(tmp_path):
    own = [{"method": "natural"}, {"method": "class-short"}]
    plan = replace(SMALL, own={"base": own})
    paths = write_study(tmp_path, plan)
    args = arguments(tmp_path, paths, plan)
    points, findings = count(args)
    assert findings == []
    cells = points.filter(model="base", dataset="algebra").select("method", "budget").rows()
    assert cells == [("natural", "infinite"), ("class-short", "infinite")]
    assert points.filter(model="s1k").height == 2 * 5
    cell_file(args, "base/riddles/class-short/infinite").unlink()
    args.generations = [path for path in args.generations if path.exists()]
    lacking = [f["where"] for f in count(args)[1] if f["kind"] == "missing-cell"]
    assert lacking == ["base/riddles/class-short/infinite"]
    measure.work(args)
    contrasts = read_table(args.contrasts, CONTRASTS)
    found = {(row["model"], row["estimand"]) for row in contrasts.iter_rows(named=True)}
    assert found == {("base", "prompt"), *(("s1k", name) for name in ("cut", "extend", "train"))}


def test_a_cell_counted_by_hand(tmp_path):
    plan = Plan(questions=4, budgets=(8,), datasets=("riddles",), models=("base",),
                methods=[{"method": "truncation"}])  # fmt: skip
    paths = write_study(tmp_path, plan)
    path = paths["generations"][0]
    rows = pl.read_parquet(path).with_columns(
        thinking_tokens=pl.Series([8, 19, 3, 6]),
        budget_tokens=pl.Series([8, 8, 8, 8]),
        answer_tokens=pl.Series([5, 1, 2, 2]),
        answer_spliced_tokens=pl.Series([4, 4, 0, 4]),
        spliced_tokens=pl.Series([0, 2, 0, 0]),
        end=pl.Series(["forced", "forced", "natural", "context"]),
        loop=pl.Series([False, True, False, False]),
        answer_cut=pl.Series([True, False, False, False]),
        same_as=pl.Series([None, None, None, "natural/infinite"], dtype=pl.String),
    )
    rewrite(path, rows)
    grades = pl.read_parquet(paths["grades"][0]).with_columns(
        verdict=pl.Series([True, False, True, True]),
        no_answer=pl.Series([False, True, False, False]),
        flags=pl.Series([["percent"], [], [], []], dtype=pl.List(pl.String)),
    )
    rewrite(paths["grades"][0], grades)
    row = count(arguments(tmp_path, paths, plan))[0].row(0, named=True)
    assert (row["correct"], row["questions"], row["accuracy"]) == (3, 4, 0.75)
    assert row["mean_thinking_tokens"] == 9
    assert row["median_thinking_tokens"] == 7
    assert row["max_thinking_tokens"] == 19
    assert row["over_budget"] == 1  # 19 > 8 + 10; 18 would not be
    assert row["mean_answer_tokens"] == 2.5
    assert row["mean_answer_spliced_tokens"] == 3
    assert row["mean_total_tokens"] == 14.5
    assert [row[f"ended_{end}"] for end in ("natural", "forced", "context")] == [1, 2, 1]
    assert (row["no_answer"], row["flagged"], row["loops"], row["answer_cut"]) == (1, 1, 1, 1)
    assert row["same_as_share"] == 0.25
    assert row["chance"] == 0.25  # four options
    # 46 tokens, 2 of them spliced, at 60 s for 120,000 tokens
    assert row["gpu_seconds"] == pytest.approx(44 * 60 / 120000)
    assert row["path"] == "base/riddles/truncation/8"


def test_slack_allows_ten_tokens_over_the_budget(tmp_path):
    plan = Plan(questions=2, budgets=(8,), datasets=("algebra",), models=("base",),
                methods=[{"method": "truncation"}])  # fmt: skip
    paths = write_study(tmp_path, plan)
    path = paths["generations"][0]
    rewrite(path, pl.read_parquet(path).with_columns(thinking_tokens=pl.Series([18, 19])))
    points, findings = count(arguments(tmp_path, paths, plan))
    assert points["over_budget"].to_list() == [1]
    assert kinds(findings) == ["over-budget"]


def test_a_missing_cell_is_named_and_not_averaged(study):
    study.generations.remove(cell_file(study))
    points, findings = count(study)
    assert points.filter(pl.col("path") == CELL).is_empty()
    missing = [f for f in findings if f["kind"] == "missing-cell"]
    assert [f["where"] for f in missing] == [CELL]
    assert missing[0]["severity"] == "error"
    orphans = [f for f in findings if f["kind"] == "grade-without-generation"]
    assert [(f["where"], f["count"]) for f in orphans] == [(CELL, 12)]


def test_an_empty_cell_is_named_once(study):
    rewrite(cell_file(study), GENERATION.frame([]))
    points, findings = count(study)
    assert points.filter(pl.col("path") == CELL).is_empty()
    assert kinds(findings).count("empty-cell") == 1
    assert "missing-cell" not in kinds(findings)


def test_a_short_cell_is_named_with_its_gap(study):
    path = cell_file(study)
    rewrite(path, pl.read_parquet(path).head(9))
    points, findings = count(study)
    row = points.filter(pl.col("path") == CELL).row(0, named=True)
    assert (row["questions"], row["expected_questions"]) == (9, 12)
    short = [f for f in findings if f["kind"] == "short-cell"]
    assert [(f["where"], f["count"]) for f in short] == [(CELL, 3)]


def test_duplicated_rows_are_counted_once_and_named(study):
    before, _ = count(study)
    path = cell_file(study)
    frame = pl.read_parquet(path)
    rewrite(path, pl.concat([frame, frame.head(3)]))
    after, findings = count(study)
    assert after.equals(before)
    doubled = [f for f in findings if f["kind"] == "duplicate-generations"]
    assert [(f["where"], f["count"]) for f in doubled] == [(CELL, 3)]


def test_which_duplicate_counts_does_not_depend_on_row_order(study):
    path = cell_file(study)
    frame = pl.read_parquet(path)
    other = frame.head(3).with_columns(thinking_tokens=pl.lit(3, pl.Int64))
    rewrite(path, pl.concat([frame, other]))
    first, _ = count(study)
    rewrite(path, pl.concat([other, frame]))
    second, _ = count(study)
    assert first.equals(second)


def test_duplicated_grades_are_named(study):
    path = study.grades[0]
    frame = pl.read_parquet(path)
    rewrite(path, pl.concat([frame, frame.head(2).with_columns(verdict=~pl.col("verdict"))]))
    _, findings = count(study)
    assert kinds(findings) == ["duplicate-grades"]


def test_an_ungraded_generation_makes_its_cell_short(study):
    path = study.grades[1]
    grades = pl.read_parquet(path)
    first = grades.filter(pl.concat_str("dataset", "method", "budget", separator="/")
                          == "algebra/truncation/16").head(1)  # fmt: skip
    rewrite(path, grades.join(first, on=list(GRADE.key), how="anti"))
    points, findings = count(study)
    assert points.filter(pl.col("path") == CELL)["questions"].to_list() == [11]
    assert sorted(kinds(findings)) == ["generation-without-grade", "short-cell"]


def test_cells_and_questions_of_another_study_are_ignored_and_named(study):
    before, _ = count(study)
    path = cell_file(study)
    frame = pl.read_parquet(path)
    stranger = frame.head(1).with_columns(question_id=pl.lit("q999"))
    other = frame.with_columns(method=pl.lit("force-aha-1"))
    rewrite(path, pl.concat([frame, stranger, other]))
    after, findings = count(study)
    assert after.equals(before)
    assert sorted(kinds(findings)) == ["unexpected-cell", "unknown-question"]


def test_a_trained_model_without_its_base_is_named(study):
    for name in ("generations", "grades"):
        setattr(
            study,
            name,
            [p for p in getattr(study, name) if "base" not in str(p).split("study")[-1]],
        )
    study.settings["models"] = [m for m in study.settings["models"] if m["name"] != "base"]
    _, findings = count(study)
    assert [(f["kind"], f["where"]) for f in findings] == [("no-base", "s1k")]


def test_an_engine_without_times_gives_a_dash_and_a_note(study):
    idle = engine_manifest("base", tokens=tokens(decoded=0, seconds=0.0))
    study.engines[0].write_text(json.dumps(idle.to_json()))
    points, findings = count(study)
    assert points.filter(pl.col("model") == "base")["gpu_seconds"].null_count() == 10
    assert points.filter(pl.col("model") == "s1k")["gpu_seconds"].null_count() == 0
    assert kinds(findings) == ["no-engine-time"]


def test_an_engine_manifest_of_another_version_is_refused_by_name(study):
    held = json.loads(study.engines[0].read_text())
    del held["gpu_seconds"]
    study.engines[0].write_text(json.dumps(held | {"wall_seconds": 3.0}))
    with pytest.raises(InputError) as refused:
        count(study)
    assert str(study.engines[0]) in str(refused.value)
    assert "no gpu_seconds, unknown wall_seconds" in str(refused.value)
    assert "delete it and run again" in str(refused.value)


def test_models_decoded_by_different_engines_are_a_warning(study):
    manifest = json.loads(study.engines[0].read_text())
    study.engines[0].write_text(json.dumps(manifest | {"engine": "scripted, exact"}))
    _, findings = count(study)
    assert kinds(findings) == ["mixed-engines"]
    assert "base: scripted, exact; s1k: scripted" in findings[0]["message"]


def test_two_models_of_one_server_are_one_engine(study):
    for path, name in zip(study.engines, ("base", "s1k (v2)"), strict=True):
        engine = f"server 0.32.0 of {name} (root /models/{name}), chat adapter 1, bfloat16, fast"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"engine": engine}))
    assert kinds(count(study)[1]) == []
    newer = engine.replace("0.32.0", "0.33.0")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"engine": newer}))
    assert kinds(count(study)[1]) == ["mixed-engines"]


def test_chains_that_do_not_repeat_are_noted(study):
    manifest = json.loads(study.engines[1].read_text())
    check = {"chains": 20, "ids": 900, "equal": 18, "mean_common_share": 0.99, "rate": 0.9}
    study.engines[1].write_text(json.dumps(manifest | {"prefix_check": check}))
    _, findings = count(study)
    assert [(f["kind"], f["where"], f["count"]) for f in findings] == [("chains-differ", "s1k", 2)]


def test_answers_that_hit_their_cap_are_a_warning(study):
    path = cell_file(study)
    rewrite(path, pl.read_parquet(path).with_columns(answer_cut=pl.lit(True)))
    _, findings = count(study)
    assert [(f["kind"], f["count"]) for f in findings] == [("answers-cut", 12)]


def test_a_file_that_is_no_generation_table_is_an_error(study):
    path = cell_file(study)
    rewrite(path, pl.DataFrame({"model": ["s1k"]}))
    with pytest.raises(InputError, match="truncation/16.parquet"):
        count_points.work(study)


def test_a_file_that_is_no_parquet_is_an_error(study):
    cell_file(study).write_text("not a table")
    with pytest.raises(InputError, match="no parquet file"):
        count_points.work(study)


def test_a_file_that_is_damaged_inside_is_an_error_with_the_fix(study):
    path = cell_file(study)
    data = bytearray(path.read_bytes())
    data[8 : len(data) // 2] = bytes(len(data) // 2 - 8)  # the footer is whole
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"{path.name} is damaged.*; delete it and run again"):
        count_points.work(study)


def test_a_missing_benchmark_is_an_error(study):
    study.benchmarks.pop()
    with pytest.raises(InputError, match="riddles"):
        count_points.work(study)


def test_only_the_first_questions_are_expected(study):
    study.settings["benchmarks"][0]["first"] = 5
    points, findings = count(study)
    algebra = points.filter(pl.col("dataset") == "algebra")
    assert set(algebra["expected_questions"]) == {5}
    assert set(algebra["questions"]) == {5}
    assert set(kinds(findings)) == {"unknown-question"}


def test_names_of_questions_do_not_matter_for_counts(study):
    before, _ = count(study)
    rename = pl.concat_str(pl.lit("x"), pl.col("question_id"))
    for path in (*study.generations, *study.grades, *study.benchmarks):
        rewrite(path, pl.read_parquet(path).with_columns(question_id=rename))
    after, _ = count(study)
    assert after.equals(before)


def test_outcomes_hold_one_row_per_generation(study):
    count(study)
    assert OUTCOMES.read(study.outcomes).height == 2 * 2 * 5 * 12


NOISY = Plan(
    questions=6,
    budgets=(16,),
    datasets=("algebra",),
    models=("base",),
    methods=[
        {"method": "natural"},
        {"method": "natural", "repeat": 1},
        {"method": "token-conditional"},
        {"method": "truncation"},
    ],
)


@pytest.fixture
def noisy(tmp_path):
    return arguments(tmp_path, write_study(tmp_path, NOISY), NOISY)


def test_a_repeated_run_is_compared_draw_by_draw_and_is_no_point(noisy):
    again = cell_file(noisy, "natural-repeat-1/infinite")
    rows = pl.read_parquet(again)
    ids = rows["thinking_ids"].to_list()
    ids[0], ids[3] = [*ids[0], 5], ids[3][:-1]
    rewrite(again, rows.with_columns(thinking_ids=pl.Series(ids, dtype=pl.List(pl.Int32))))
    grades = pl.read_parquet(noisy.grades[0])
    run, asked = pl.col("method"), pl.col("question_id")
    flipped = (run == "natural-repeat-1") & (asked == "q003")
    verdict = pl.when(run.str.starts_with("natural")).then(flipped).otherwise("verdict")
    rewrite(noisy.grades[0], grades.with_columns(verdict=verdict))
    points, findings = count(noisy)
    assert set(points["method"]) == {"natural", "truncation", "token-conditional"}
    assert findings == []
    row = read_table(noisy.repeats, REPEATS).row(0, named=True)
    assert (row["method"], row["generations"], row["ids_differ"]) == ("natural-repeat-1", 6, 2)
    assert (row["verdicts_differ"], row["became_right"], row["became_wrong"]) == (1, 1, 0)


def test_a_repeated_run_without_its_first_has_no_numbers(noisy):
    noisy.generations.remove(cell_file(noisy, "natural/infinite"))
    kept = pl.read_parquet(noisy.grades[0]).filter(pl.col("method") != "natural")
    rewrite(noisy.grades[0], kept)
    assert kinds(count(noisy)[1]) == ["missing-cell"]
    row = read_table(noisy.repeats, REPEATS).row(0, named=True)
    assert (row["generations"], row["ids_differ"]) == (None, None)
    assert row["note"] == "base/algebra: no generation of natural"


def test_what_exceeds_a_budget_that_a_prompt_states_is_measured_and_no_error(noisy):
    path = cell_file(noisy, "token-conditional/16")
    rewrite(path, pl.read_parquet(path).with_columns(thinking_tokens=pl.Series([27, 26] * 3)))
    points, findings = count(noisy)
    assert findings == []
    row = points.row(by_predicate=pl.col("method") == "token-conditional", named=True)
    assert row["over_budget"] == 3  # 27 > 16 + 10
    noisy.settings["analysis"]["budget_error_targets"] = [16]
    measure.work(noisy)
    metrics = read_table(noisy.metrics, METRICS)
    row = metrics.row(by_predicate=pl.col("method") == "token-conditional", named=True)
    assert (row["control_percent"], row["control_paper_percent"]) == (50.0, 0.0)
    assert row["budget_error_percent"] == pytest.approx(100 * (26.5 - 16) / 16)


def test_questions_with_fewer_draws_than_others_are_named(noisy):
    noisy.settings["inference"] |= {"samples": 2, "temperature": 0.8}
    for path in noisy.generations:
        rows = pl.read_parquet(path)
        rewrite(path, pl.concat([rows, rows.with_columns(sample=pl.lit(1, pl.Int64))]))
    grades = pl.read_parquet(noisy.grades[0])
    second = grades.with_columns(sample=pl.lit(1, pl.Int64), verdict=pl.lit(value=False))
    lost = (pl.col("method") == "truncation") & (pl.col("question_id") == "q002")
    rewrite(noisy.grades[0], pl.concat([grades, second.filter(~lost)]))
    points, findings = count(noisy)
    assert kinds(findings) == ["generation-without-grade", "fewer-draws"]
    assert findings[1]["where"] == "base/algebra/truncation/16"
    assert findings[1]["message"].startswith("questions with fewer than 2 draws")
    natural = points.row(by_predicate=pl.col("method") == "natural", named=True)
    assert natural["correct"] == pytest.approx(grades.filter(method="natural")["verdict"].sum() / 2)
    measure.work(noisy)
    contrasts = read_table(noisy.contrasts, CONTRASTS)
    cut = contrasts.row(by_predicate=pl.col("estimand") == "cut", named=True)
    note = "1 questions have fewer than 2 draws"
    assert (cut["difference"], cut["note"]) == (None, f"base/truncation/16: {note}")
    votes = read_table(noisy.votes, VOTES).filter(method="truncation")
    assert votes.select("k", "majority", "note").rows() == [(None, None, note)]


def test_tables_of_earlier_versions_count_no_spliced_answers(tmp_path):
    plan = Plan(questions=3, budgets=(8,), datasets=("riddles",), models=("base",),
                methods=[{"method": "truncation"}])  # fmt: skip
    paths = write_study(tmp_path, plan)
    rows = pl.read_parquet(paths["generations"][0]).drop("answer_spliced_tokens")
    rewrite(paths["generations"][0], rows)
    row = count(arguments(tmp_path, paths, plan))[0].row(0, named=True)
    assert row["mean_answer_spliced_tokens"] == 0
    assert row["mean_total_tokens"] == row["mean_thinking_tokens"] + row["mean_answer_tokens"]
