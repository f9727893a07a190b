"""A study in the forms of other projects, read back with their readers and ours."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import yaml
from datasets import load_dataset
from huggingface_hub import DatasetCard, ModelCard, parse_eval_result_entries

from tests.exchange import made_study
from workflow_scripts.analysis.tables import POINTS, read_table
from workflow_scripts.cli import main
from workflow_scripts.common.records import from_json, read_record
from workflow_scripts.common.settings.imported import Imported
from workflow_scripts.exchange import inspect_log, lm_eval
from workflow_scripts.exchange.every_eval_ever import Instance, Log
from workflow_scripts.exchange.results_folder import ResultsFolder
from workflow_scripts.exchange.thinking import split

FORMS = ("every-eval-ever", "inspect", "lm-eval", "hub-results", "dataset", "model")


@pytest.fixture(scope="session")
def exported(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    words = ["--format", "all", "--owner", "lab", "--licence", "mit", "--out", str(out)]
    assert main(["export", str(study), *words]) == 0
    return out


@pytest.fixture(scope="session")
def rows(study):
    """Verdicts of every sample by model, benchmark, cell, question and draw."""
    grades = pl.concat(
        [pl.read_parquet(path) for path in sorted((study / "grades").glob("*.parquet"))]
    )
    key = ("model", "dataset", "method", "budget", "question_id", "sample")
    return {
        tuple(row[name] for name in key): row["verdict"] for row in grades.iter_rows(named=True)
    }


def counts(study: Path) -> dict[tuple[str, str, str, str], float]:
    points = read_table(study / "analysis/points.csv", POINTS)
    names = ("model", "dataset", "method", "budget")
    return {tuple(r[n] for n in names): r["accuracy"] for r in points.iter_rows(named=True)}


def test_all_forms_are_written_and_nothing_else(exported):
    assert {path.name for path in exported.iterdir()} == set(FORMS)
    assert not list(exported.rglob("*.part"))


def logs(exported: Path) -> list[tuple[Path, Log]]:
    found = sorted((exported / "every-eval-ever").glob("data/*/*/*/*.json"))
    return [(path, read_record(path, Log)) for path in found]


def test_every_eval_ever_keeps_every_sample_and_verdict(exported, study, rows):
    """Joined by `evaluation_result_id` alone, as its readers do."""
    seen, told = {}, {}
    for path, log in logs(exported):
        base = {"maker/base": "base", "lab/tiny-s1k": "s1k"}[log.model_info.id]
        told |= {
            (base, *r.evaluation_name.split(".")): r.score_details.score
            for r in log.evaluation_results
        }
        results = {r.evaluation_result_id: r for r in log.evaluation_results}
        samples = path.with_name(f"{path.stem}_samples.jsonl")
        for line in samples.read_text().splitlines():
            one = from_json(Instance, json.loads(line), str(samples))
            assert one.evaluation_name == results[one.evaluation_result_id].evaluation_name
            cell = (*one.evaluation_name.split("."), one.sample_id, int(one.metadata["draw"]))
            seen[base, *cell] = one.evaluation.is_correct
    assert seen == rows and len(rows) == 2 * made_study.SAMPLES
    assert told == counts(study)


def test_every_eval_ever_lies_where_its_validator_wants_it(exported):
    for path, log in logs(exported):
        detail = log.detailed_evaluation_results
        samples = path.with_name(f"{path.stem}_samples.jsonl")
        assert detail.file_path == str(samples.relative_to(exported / "every-eval-ever"))
        assert detail.checksum == hashlib.sha256(samples.read_bytes()).hexdigest()
        assert detail.total_rows == len(samples.read_text().splitlines())
        assert all(isinstance(v, str) for v in log.model_info.additional_details.values())


def test_every_eval_ever_names_the_same_study_the_same_again(study, exported, tmp_path):
    again = ["export", str(study), "--format", "every-eval-ever", "--owner", "lab"]
    assert main([*again, "--out", str(tmp_path)]) == 0
    assert [path.name for path, _ in logs(tmp_path)] == [path.name for path, _ in logs(exported)]


def test_token_counts_of_every_eval_ever_add_up(exported):
    path, _ = logs(exported)[0]
    lines = path.with_name(f"{path.stem}_samples.jsonl").read_text().splitlines()
    for one in map(json.loads, lines):
        usage, facts = one["token_usage"], one["metadata"]
        parts = ("thinking_tokens", "answer_tokens")
        assert usage["output_tokens"] == sum(int(facts[name]) for name in parts)
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_inspect_logs_read_back_equal_in_verdict_text_and_draw(exported, study, rows):
    results, seen = ResultsFolder(study), {}
    for model in results.models:
        for cell in results.cells(model.name):
            task = f"{cell.dataset}-{cell.method}-{cell.budget}"
            (path,) = (exported / "inspect" / model.name).glob(f"*_{task}_*.eval")
            log = inspect_log.read([path], Imported("inspect", {}))
            texts = {(s.question.question_id, s.sample): s for s in results.samples(cell)}
            for row in log.rows:
                ours = texts[row.own_id, row.sample]
                assert (row.reasoning, row.response) == (ours.thinking_text, ours.answer_text)
                assert (row.extracted, row.gold) == (ours.extracted, ours.question.gold)
                assert row.tokens == ours.output_tokens
                seen[model.name, *cell.name.split("/"), row.own_id, row.sample] = row.verdict
    assert seen == rows


def test_inspect_headers_have_the_accuracy_of_the_points(exported, study):
    told = {}
    for path in sorted((exported / "inspect").glob("*/*.eval")):
        header = json.loads(inspect_log.zipfile.ZipFile(path).read("header.json"))
        cell = header["eval"]["task_args"]
        value = header["results"]["scores"][0]["metrics"]["accuracy"]["value"]
        told[path.parent.name, cell["benchmark"], cell["method"], cell["budget"]] = value
    assert told == counts(study)


def test_lm_eval_files_read_back_equal_in_verdict_text_and_draw(exported, study, rows):
    results, seen = ResultsFolder(study), {}
    for model in results.models:
        (folder,) = (exported / "lm-eval").glob(f"*__*{model.name}")
        for cell in results.cells(model.name):
            task = f"{cell.dataset}_{cell.method}_{cell.budget}"
            paths = sorted(folder.glob(f"samples_{task}_*.jsonl"))
            log = lm_eval.read(paths, Imported("lm-eval", {}))
            texts = {(s.question.question_id, s.sample): s for s in results.samples(cell)}
            for row in log.rows:
                ours, parts = texts[row.own_id, row.sample], split(row)
                assert parts.answer == ours.answer_text
                assert parts.thinking == ours.thinking_text.strip("\n")
                assert row.extracted == ours.extracted
                seen[model.name, *cell.name.split("/"), row.own_id, row.sample] = row.verdict
    assert seen == rows


def test_lm_eval_results_of_one_draw_are_the_points(exported, study):
    (path, second) = sorted((exported / "lm-eval").glob("*s1k/results_*.json"))
    found = json.loads(path.read_text())["results"]
    for (model, dataset, method, budget), accuracy in counts(study).items():
        if model == "s1k" and dataset == "algebra":
            assert found[f"{dataset}_{method}_{budget}"]["exact_match,s1flow"] == accuracy
    again = json.loads(second.read_text())["results"]
    assert {task.split("_")[0] for task in again} == {"riddles"}  # the only one with two draws
    both = (found["riddles_natural_infinite"], again["riddles_natural_infinite"])
    mean = sum(one["exact_match,s1flow"] for one in both) / 2
    assert mean == pytest.approx(counts(study)["s1k", "riddles", "natural", "infinite"])


def test_hub_results_are_read_by_the_hub_s_own_classes(exported, study):
    folder = exported / "hub-results"
    (path,) = (folder / "s1k/.eval_results").iterdir()
    (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text()))
    accuracy = counts(study)["s1k", "riddles", "natural", "infinite"]
    assert (entry.dataset_id, entry.task_id) == ("maker/riddles", "hard")
    assert entry.dataset_revision == made_study.COMMIT
    assert entry.value == pytest.approx(100 * accuracy)
    assert "all 12 questions" in entry.notes
    index = yaml.safe_load((folder / "s1k.model-index.yaml").read_text())["model-index"]
    assert {r["dataset"]["type"] for r in index[0]["results"]} == {"algebra", "maker/riddles"}


def test_named_methods_are_variants_in_files_of_their_own(study, tmp_path):
    words = ["--format", "hub-results", "--method", "truncation", "--model", "s1k"]
    assert main(["export", str(study), *words, "--out", str(tmp_path)]) == 0
    made = sorted(path.name for path in tmp_path.rglob(".eval_results/*"))
    assert made == ["riddles_truncation_16.yaml", "riddles_truncation_infinite.yaml"]


def test_the_set_loads_and_its_card_is_valid(exported):
    folder = exported / "dataset/s1k"
    (row,) = load_dataset(str(folder), split="train", cache_dir=str(exported / "cache"))
    assert (row["question"], row["trace"]) == ("What is <1> + 1?", "One and one.")
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == "mit" and card.data.size_categories == "n<1K"
    assert "/home/me" not in card.content  # folders of the machine stay here
    assert "`pool.jsonl`" in card.text and "880 eligible rows" in card.text


def test_a_set_of_traces_that_were_made_here_says_so(own_study, tmp_path):
    """Its rows are in no other pool, and its card names who wrote them."""
    made = own_study / "traces/pools/ours"
    made.mkdir(parents=True)
    rows = pl.read_parquet(own_study / "curation/pool.parquet")
    mine = rows.with_columns(trace=pl.lit("My own words."))
    mine.write_parquet(made / "pool.parquet", metadata={"settings": '{"teachers":["big"]}'})
    shutil.copy(own_study / "curation/contamination.json", made)
    chosen = own_study / "curation/sets/s1k.parquet"
    frame = pl.read_parquet(chosen).with_columns(trace=pl.lit("My own words."))
    frame.write_parquet(chosen, metadata={"settings": "{}"})
    words = ["export", str(own_study), "--format", "dataset", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert "by `big` (pool `ours`)" in (tmp_path / "out/dataset/s1k/README.md").read_text()
    (made / "pool.parquet").unlink()
    assert main([*words, "--replace"]) == 1  # a card with another origin would be wrong


def test_the_model_s_folder_states_recipe_data_results_and_licence(exported, study):
    folder = exported / "model/s1k"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    results = ".eval_results/riddles.yaml"
    assert names == {"README.md", "config.json", "model.safetensors", results}
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.base_model) == ("mit", "maker/base")
    found = {r.dataset_name: r.metric_value for r in card.data.eval_results}
    natural = {d: counts(study)["s1k", d, "natural", "infinite"] for d in ("algebra", "riddles")}
    assert found == {d.title(): pytest.approx(100 * value) for d, value in natural.items()}
    for text in ("`learning_rate`: `1e-05`", "of the set `s1k`", "`maker/base`", "Truncation | 16"):
        assert text in card.text


def test_changed_weights_are_not_exported(own_study, tmp_path, capsys):
    path = own_study / "models/s1k/weights/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    out = tmp_path / "out"
    assert main(["export", str(own_study), "--format", "model", "--out", str(out)]) == 1
    assert "another SHA-256" in capsys.readouterr().err
    assert not list(out.iterdir())  # nothing half written


def test_a_table_that_was_changed_by_hand_is_refused(own_study, capsys):
    path = own_study / "analysis/points.csv"
    path.write_text(path.read_text().replace("Truncation", "Cut").replace("0.5", "0.6"))
    assert main(["export", str(own_study), "--format", "inspect"]) == 1
    assert "changed by hand" in capsys.readouterr().err


def test_grades_that_the_points_did_not_count_are_refused(own_study, tmp_path, capsys):
    path = own_study / "grades/s1k.parquet"
    frame = pl.read_parquet(path)
    frame.with_columns(verdict=~pl.col("verdict")).write_parquet(path)
    words = ["--format", "inspect", "--model", "s1k", "--out", str(tmp_path)]
    assert main(["export", str(own_study), *words]) == 1
    said = capsys.readouterr().err
    assert "points.csv counted" in said and "s1flow run report" in said


def test_missing_grades_are_counted_and_refused(own_study, tmp_path, capsys):
    path = own_study / "grades/s1k.parquet"
    pl.read_parquet(path)[3:].write_parquet(path)
    words = ["--format", "lm-eval", "--model", "s1k", "--out", str(tmp_path)]
    assert main(["export", str(own_study), *words]) == 1
    assert "3 of 12 rows have no grade" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "nobody"], "it has: base, s1k"),
        (["--format", "dataset", "--set", "s9k"], "the study selected: s1k"),
        (["--task", "riddles"], "write BENCHMARK=ID"),
        (["--format", "model", "--model", "base"], "trained none of the models"),
    ],
)
def test_what_there_is_not_is_named(study, tmp_path, capsys, words, said):
    asked = ["--format", "hub-results", *words, "--out", str(tmp_path)]
    assert main(["export", str(study), *asked]) == 1
    assert said in capsys.readouterr().err


def test_no_study_is_no_export(tmp_path, capsys):
    assert main(["export", str(tmp_path), "--format", "all"]) == 1
    assert "finish the study first" in capsys.readouterr().err


def test_an_earlier_export_is_replaced_only_when_asked(study, tmp_path, capsys):
    words = ["export", str(study), "--format", "dataset", "--out", str(tmp_path)]
    assert main(words) == 0
    assert main(words) == 1
    assert "--replace" in capsys.readouterr().err
    (tmp_path / "dataset/s1k/stale").touch()
    assert main([*words, "--replace"]) == 0
    assert not (tmp_path / "dataset/s1k/stale").exists()


def test_a_folder_that_is_no_export_is_never_replaced(study, tmp_path, capsys):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/thesis.tex").touch()
    words = ["--format", "dataset", "--out", str(tmp_path), "--replace"]
    assert main(["export", str(study), *words]) == 1
    assert "is no export of s1flow" in capsys.readouterr().err
    assert (tmp_path / "dataset/thesis.tex").exists()


def test_tokens_that_nobody_counted_are_left_out(own_study, tmp_path):
    """As of imported models; no number stands in their place."""
    for path in (own_study / "generations/base").glob("*/natural/infinite.parquet"):
        unknown = pl.lit(None, pl.Int64)
        frame = pl.read_parquet(path).with_columns(thinking_tokens=unknown, answer_tokens=unknown)
        frame.write_parquet(path)
    words = ["--model", "base", "--method", "natural", "--format"]
    for form in ("every-eval-ever", "inspect", "lm-eval"):
        assert main(["export", str(own_study), *words, form, "--out", str(tmp_path / "out")]) == 0
    (samples, *_) = (tmp_path / "out").rglob("*_samples.jsonl")
    assert all("token_usage" not in json.loads(line) for line in samples.open())
    (log, *_) = (tmp_path / "out").rglob("*.eval")
    (row, *_) = inspect_log.read([log], Imported("inspect", {})).rows
    assert (row.tokens, row.reasoning_tokens) == (None, None)


def test_samples_of_a_cell_come_once_each(study):
    results = ResultsFolder(study)
    for model in results.models:
        for cell in results.cells(model.name):
            found = Counter((s.question.question_id, s.sample) for s in results.samples(cell))
            assert set(found.values()) == {1}
