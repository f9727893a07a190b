"""The pool: columns, planted rates, and that each planted defect is there and nothing else is."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.demo.test_world import read_back
from workflow_scripts.common.errors import ConfigError
from workflow_scripts.demo.benchmarks import BenchmarkSettings, benchmark_problems
from workflow_scripts.demo.defects import DRAWING
from workflow_scripts.demo.pool import DEFECTS, PoolSettings, make_pool
from workflow_scripts.demo.sources import BOILERPLATE

SETTINGS = PoolSettings()
ROWS, TRUTH = make_pool(SETTINGS)
PLANTED = TRUTH["planted"]
COLUMNS = [
    *("question", "thinking_trajectories", "attempt", "solution", "source_type", "metadata"),
    *("domain", "isqwen7bcorrect", "isqwen32bcorrect", "isgeminicorrect", "gemini_length"),
    "cot_type",
]


def lines(defect: str) -> list[int]:
    return [item if isinstance(item, int) else item["line"] for item in PLANTED[defect]]


BAD = {line for defect in DEFECTS if defect != "boilerplate" for line in lines(defect)}
CLEAN = [row for at, row in enumerate(ROWS) if at not in BAD]


def grams(question: str) -> set[tuple[str, ...]]:
    words = question.split("\n\n")[0].lower().split()
    return {tuple(words[at : at + 8]) for at in range(len(words) - 7)}


def is_drawn(question: str) -> bool:
    return "[asy]" in question or DRAWING in question


def is_image(question: str) -> bool:
    return "![Image]" in question


def is_numbered(question: str) -> bool:
    return re.match(r"p\d\. |\*\*\d\.\*\* ", question) is not None


def test_same_seed_same_pool() -> None:
    small = PoolSettings(rows=400)
    assert make_pool(small) == make_pool(small)
    assert make_pool(small)[0] != make_pool(PoolSettings(seed=7, rows=400))[0]


def test_columns_and_types() -> None:
    assert len(ROWS) == 8000
    for row in ROWS:
        assert list(row) == COLUMNS
        assert isinstance(ast.literal_eval(row["metadata"]), dict)
        assert row["thinking_trajectories"] is None or len(row["thinking_trajectories"]) == 1


@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_at_the_given_rate(defect: str) -> None:
    assert len(PLANTED[defect]) == SETTINGS.count(defect) > 0


def test_one_defect_per_line() -> None:
    counts = Counter(line for defect in DEFECTS for line in lines(defect))
    assert max(counts.values()) == 1


@pytest.mark.parametrize(
    ("defect", "holds"),
    [
        (
            "api_error",
            lambda row: not row["attempt"] and not any(row["thinking_trajectories"] or ()),
        ),
        ("null_solution", lambda row: row["solution"] is None),
        ("wrong_teacher", lambda row: row["isgeminicorrect"] is False),
        ("ascii_art", lambda row: is_drawn(row["question"])),
        ("image_reference", lambda row: is_image(row["question"])),
        ("broken_numbering", lambda row: is_numbered(row["question"])),
        ("too_easy", lambda row: row["isqwen7bcorrect"] or row["isqwen32bcorrect"]),
        ("boilerplate", lambda row: row["question"].startswith(BOILERPLATE)),
    ],
)
def test_defect_is_where_it_was_planted_and_nowhere_else(
    defect: str, holds: Callable[[dict], bool]
) -> None:
    assert [at for at, row in enumerate(ROWS) if holds(row)] == sorted(lines(defect))


def test_null_labels() -> None:
    names = ("isqwen7bcorrect", "isqwen32bcorrect")
    found = [at for at, row in enumerate(ROWS) if any(row[name] is None for name in names)]
    assert found == sorted(lines("null_label") + lines("null_solution"))


def test_copies_come_after_what_they_copy_and_share_eight_words() -> None:
    for item in PLANTED["duplicate"]:
        assert item["of"] < item["line"]
        assert ROWS[item["of"]] == ROWS[item["line"]]
    for item in PLANTED["near_duplicate"]:
        first, second = (ROWS[item[key]]["question"] for key in ("of", "line"))
        assert item["of"] < item["line"]
        assert first != second
        assert grams(first) & grams(second)


def test_contaminated_rows_and_no_others_share_eight_words_with_a_benchmark() -> None:
    tests = benchmark_problems(BenchmarkSettings())
    known = {gram for problems in tests.values() for p in problems for gram in grams(p.question)}
    found = [at for at, row in enumerate(ROWS) if not known.isdisjoint(grams(row["question"]))]
    assert found == sorted(lines("contaminated"))
    for item in PLANTED["contaminated"]:
        original = tests[item["of"]["dataset"]][item["of"]["position"]].question
        assert original in ROWS[item["line"]]["question"]


def test_unplanted_rows_share_no_eight_words() -> None:
    counts = Counter(
        gram
        for row in CLEAN
        if not row["question"].startswith(BOILERPLATE)
        for gram in grams(row["question"])
    )
    assert counts.most_common(1)[0][1] == 1


def test_clean_rows_are_right_and_enough() -> None:
    assert len(CLEAN) >= 1600
    for row in CLEAN:
        trace = row["thinking_trajectories"][0]
        modulus = 1000 if "three" in row["question"] or "1000" in row["question"] else 100
        last = read_back(row["question"].replace(BOILERPLATE, ""), modulus)[-1]
        assert trace.splitlines()[-1].startswith(f"So {last}")
        assert row["isgeminicorrect"] is True
        assert row["isqwen7bcorrect"] is row["isqwen32bcorrect"] is False


def test_domains_are_skewed_and_sources_spelt_as_released() -> None:
    domains = Counter(row["domain"] for row in CLEAN).most_common()
    assert len(domains) > 30
    assert domains[0][1] > 8 * domains[-1][1]
    sources = Counter(row["source_type"] for row in CLEAN)
    assert sources["qq8933/AIME_1983_2024"] > 100
    assert sources["Idavidrein/gpqa"] > 80
    assert not sources.keys() & {"codegenning/usacobench_formatted"}


def test_entry_script_writes_pool_and_truth(tmp_path: Path) -> None:
    pool, planted = tmp_path / "pool.jsonl", tmp_path / "planted.json"
    command = [sys.executable, "-m", "workflow_scripts.demo.make_pool"]
    paths = ["--pool", str(pool), "--planted", str(planted)]
    subprocess.run([*command, *paths, "--settings", '{"seed": 42, "rows": 300}'], check=True)
    rows, truth = make_pool(PoolSettings(rows=300))
    assert [json.loads(line) for line in pool.read_text().splitlines()] == rows
    assert json.loads(planted.read_text()) == json.loads(json.dumps(truth))
    done = subprocess.run(
        [*command, *paths, "--settings", '{"row": 300}'], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "unknown key row; known: seed, rows" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_many_defects_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"at most 0\.75.*'too_easy': 0\.6.*sum 0\.92"):
        make_pool(PoolSettings(too_easy=0.6))
