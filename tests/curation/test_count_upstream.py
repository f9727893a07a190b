"""Tokens that a pool took upstream: counted where there are texts, assumed where there are none."""

from argparse import Namespace
from pathlib import Path

from tokenizers import Tokenizer

from tests.curation.stage import load, raw_row
from workflow_scripts.common.tables.pool import POOL
from workflow_scripts.common.tables.upstream import Upstream, UpstreamWork
from workflow_scripts.curation import count_upstream


def test_work_of_teacher_solvers_and_graders(tmp_path: Path, tokenizer: Path) -> None:
    rows = [
        raw_row(1),
        raw_row(2, isqwen7bcorrect=None, isgeminicorrect=None),
        raw_row(3, thinking_trajectories=[None]),
    ]
    pool = load(tmp_path, rows)
    settings = {"tokenizer": {"path": str(tokenizer)}, "seed": 1}
    count_upstream.work(
        Namespace(pool=pool, upstream=tmp_path / "upstream.json", settings=settings)
    )
    found = Upstream.read(tmp_path / "upstream.json")
    made = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))

    def tokens(row: dict[str, str | None], *names: str) -> int:
        texts = [row[name] or "" for name in names]
        return sum(len(made.encode(text, add_special_tokens=False).ids) for text in texts)

    by_answer = {row["attempt"]: row for row in POOL.read(pool).iter_rows(named=True)}
    one, two, three = (by_answer[f"Final Answer: {i}"] for i in (1, 2, 3))
    graded = ("question", "solution", "attempt")

    def work(kind: str, name: str, rows: list[dict], read: tuple, written: tuple) -> UpstreamWork:
        sums = [sum(tokens(row, *names) for row in rows) for names in (read, written)]
        return UpstreamWork(kind, name, len(rows), *sums)

    every, asked, answered = [one, two, three], ("question",), ("attempt",)
    assert found.rows == 3 and found.tokenizer == str(tokenizer)
    assert found.work == [
        work("teacher", "", [one, two], asked, ("trace", "attempt")),
        work("solver", "qwen32b_correct", every, asked, answered),
        work("solver", "qwen7b_correct", [one, three], asked, answered),
        work("grader", "qwen32b_correct", every, graded, ()),
        work("grader", "qwen7b_correct", [one, three], graded, ()),
        work("grader", "teacher_correct", [one, three], graded, ()),
    ]
