"""The funnel adds up, every dropped row has one reason, and the page shows what it must."""

from pathlib import Path

import polars as pl
import pytest

from tests.curation.stage import load, load_exam, raw_row, run_filters, run_select, run_summary
from workflow_scripts.common.tables.pool import DECISIONS, SELECTED
from workflow_scripts.curation.row_counts import (
    DOMAIN_SPELLINGS,
    OWN,
    POOL_SOURCES,
    SET_DOMAINS,
    balance,
    domain_table,
    length_shift,
)


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path):
    folder = tmp_path_factory.mktemp("summary")
    question = "How far does a snail crawl along a wet garden wall during one rainy night in May?"
    rows = [raw_row(i) for i in range(20)]
    rows += [raw_row(20, solution=None), raw_row(21, isgeminicorrect=False)]
    rows += [raw_row(22, question=f"Well: {question}"), raw_row(23, isqwen32bcorrect=True)]
    rows += [raw_row(24, isqwen7bcorrect=None), {**raw_row(3), "attempt": "Other"}]
    rows += [raw_row(25, question="[asy] a [/asy]", source_type="my/own")]
    load(folder, rows)
    paths = run_filters(folder, [load_exam(folder, [{"problem": question, "answer": "3"}])])
    sets = [run_select(paths, name, 8, tokenizer) for name in ("s1k", "random")]
    return paths, run_summary(paths, sets), sets


def test_funnel_adds_up(summary) -> None:
    funnel = pl.read_csv(summary[1].funnel)
    assert funnel.columns == ["stage", "reason", "removed", "remaining", "paper"]
    left = 27
    for stage, reason, removed, remaining, _ in funnel.rows():
        if stage != "selection" and reason != "total":
            left -= removed
            assert remaining == left
    reasons = dict(funnel.filter(pl.col("reason") != "total").select("reason", "removed").rows())
    assert reasons == {
        "no-solution": 1,
        "asymptote": 1,
        "teacher-wrong": 1,
        "benchmark-ngram": 1,
        "duplicate-exact": 1,
        "solved-by-qwen32b": 1,
        "unlabelled": 1,
        "s1k": 12,
        "random": 14,
    }
    totals = dict(funnel.filter(pl.col("reason") == "total").select("stage", "paper").rows())
    assert totals["pool"] == 59_029 and totals["difficulty"] == 24_496


def test_every_pool_row_has_exactly_one_reason(summary) -> None:
    paths, out, _ = summary
    dropped = pl.read_parquet(out.dropped)
    kept = DECISIONS.read(paths.difficulty).filter("keep")["row_id"]
    pool = pl.read_parquet(paths.pool)["row_id"]
    assert not dropped["row_id"].is_duplicated().any()
    assert sorted([*dropped["row_id"], *kept]) == sorted(pool)


def test_tables_count_rows(summary) -> None:
    domains, sources = pl.read_csv(summary[1].domains), pl.read_csv(summary[1].sources)
    assert domains.columns[:5] == ["domain", "pool", "eligible", "selected", "paper"]
    assert sources.columns[:5] == ["source_name", "pool", "eligible", "selected", "paper"]
    for table in (domains, sources):
        assert table["pool"].sum() == 27 and table["eligible"].sum() == 20
        assert table["selected"].sum() == table["selected_random"].sum() == 8
    assert dict(sources.select("source_name", "paper").rows())["NuminaMATH"] == 278
    assert dict(sources.select("source_name", "pool").rows())["my/own"] == 1
    assert set(domains["set"]) == set(sources["set"]) == {"s1k"}


def test_easy_rows_count_for_the_sets_that_take_them(tmp_path: Path, tokenizer: Path) -> None:
    load(tmp_path, [raw_row(i, isqwen7bcorrect=i < 10) for i in range(25)])
    paths = run_filters(tmp_path, [load_exam(tmp_path, [{"problem": "Why?", "answer": "3"}])])
    sets = [run_select(paths, name, 8, tokenizer) for name in ("longest", "s1k")]
    out = run_summary(paths, sets)
    funnel = pl.read_csv(out.funnel).filter(pl.col("stage") == "selection")
    assert dict(funnel.select("reason", "removed").rows()) == {"longest": 17, "s1k": 7}
    assert pl.read_csv(out.domains)["eligible"].sum() == 25
    assert set(pl.read_csv(out.sources)["set"]) == {"longest"}
    assert "selected by `longest`" in out.report.read_text()


def test_own_sources_are_told_apart_up_to_a_number(tmp_path: Path, tokenizer: Path) -> None:
    rows = [raw_row(i, source_type=f"lab/{i % 23}") for i in range(60)]
    load(tmp_path, rows)
    paths = run_filters(tmp_path, [load_exam(tmp_path, [{"problem": "Why?", "answer": "3"}])])
    out = run_summary(paths, [run_select(paths, "random", 8, tokenizer)])
    sources = pl.read_csv(out.sources)
    assert sources.height == OWN + 1 and sources["pool"].sum() == 60
    assert dict(sources.select("source_name", "pool").rows())["unknown"] == 6


def test_page(summary) -> None:
    page = summary[1].report.read_text()
    for text in (
        "# Curation",
        "59,029",
        "The plain rule (one shared 8-gram) would remove 1 rows",
        "1 rows come from none of the 16 named sources",
        "snail crawl along a wet garden wall",
        "`s1k`: 8 domain-draw",
        "entropy",
        "solved-by-qwen32b",
    ):
        assert text in page
    assert len(page.split()) < 2500  # five minutes at 500 words a minute
    frame = SELECTED.read(summary[2][0])
    assert frame["row_id"][0] in page or frame["question"][0][:40] in page


def test_further_draws_of_a_set_are_told_of(summary) -> None:
    paths, _, sets = summary
    assert "Tables show" not in run_summary(paths, sets).report.read_text()
    page = run_summary(paths, sets, shown=["s1k"]).report.read_text()
    assert "Tables show the first draw of each set; 1 more, one for each further" in page
    assert "`random`" not in page.split("## Where")[0]


def test_without_sets(summary, tmp_path: Path) -> None:
    out = run_summary(summary[0], [])
    assert "no set yet" in out.report.read_text()
    assert pl.read_csv(out.domains)["selected"].null_count() == 3


def test_balance_by_hand() -> None:
    even, skewed = balance([5, 5, 5, 5]), balance([6, 2])
    assert even is not None and skewed is not None
    assert (even.entropy, even.even, even.largest) == (2.0, 2.0, 0.25)
    assert round(skewed.entropy, 4) == 0.8113 and skewed.smallest == 0.25
    assert balance([0]) is None


def test_length_shift_by_hand() -> None:
    before = pl.DataFrame({"domain": ["A", "A", "B"], "trace_characters": [10, 30, 7]})
    after = pl.DataFrame({"domain": ["A"], "trace_characters": [30]})
    assert length_shift(before, after).row(0, named=True) == {
        "domain": "A",
        "eligible": 20.0,
        "rows": 2,
        "selected": 30.0,
        "selected_rows": 1,
        "ratio": 1.5,
    }


def test_paper_counts_under_msc_names() -> None:
    labels = pl.DataFrame(
        {
            "row_id": ["a", "b", "c"],
            "domain": ["Functions of a complex variable", "geometry", "Basket weaving"],
        }
    )
    table = domain_table(labels, labels["row_id"], {})
    assert dict(table.select("domain", "paper").rows()) == {
        "Functions of a complex variable": 32,
        "geometry": 109,
        "Basket weaving": None,
    }
    assert set(DOMAIN_SPELLINGS) <= set(SET_DOMAINS) and sum(POOL_SOURCES.values()) == 59_029
