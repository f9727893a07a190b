"""The rule: one grade for every generation, only the answer text read."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from workflow_scripts.common.errors import InputError
from workflow_scripts.common.tables.benchmark import BENCHMARK
from workflow_scripts.common.tables.generation import GENERATION
from workflow_scripts.common.tables.grade import GRADE
from workflow_scripts.grading.grade import work

SETTINGS = {"timeout": 5.0, "memory_mb": 2048, "last_number": False, "seed": 42}


def generation(question: str, method: str, answer: str | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(GENERATION.schema)
    key = {"model": "m", "dataset": "d", "method": method, "budget": "500", "sample": 0}
    texts = {"answer_text": answer, "thinking_text": r"surely \boxed{73}"}
    return {**row, **key, **texts, "question_id": question}


@pytest.fixture
def files(tmp_path: Path) -> argparse.Namespace:
    common = {"dataset": "d", "question": "?", "prompt": "?"}
    questions = [
        {**common, "question_id": "q1", "position": 0, "gold": "073", "kind": "integer"},
        {**common, "question_id": "q2", "position": 1, "gold": "B", "kind": "choice",
         "options": ["one", "two", "three", "four"]},
    ]  # fmt: skip
    BENCHMARK.write(tmp_path / "b.parquet", BENCHMARK.frame(questions), {})
    cells = {
        "natural": ["\nFinal Answer: 73.", "Final Answer: (B) two"],
        "truncation": ["I cannot tell", None],
    }
    for method, answers in cells.items():
        rows = [generation(f"q{i}", method, a) for i, a in enumerate(answers, 1)]
        GENERATION.write(tmp_path / f"{method}.parquet", GENERATION.frame(rows), {})
    return argparse.Namespace(
        generations=[tmp_path / "natural.parquet", tmp_path / "truncation.parquet"],
        benchmarks=[tmp_path / "b.parquet"],
        imported=[],
        grades=tmp_path / "grades.parquet",
        settings=SETTINGS,
        threads=1,
    )


def test_every_generation_gets_one_grade(files: argparse.Namespace) -> None:
    work(files)
    grades = GRADE.read(files.grades)
    assert grades.height == 4
    assert grades["verdict"].to_list() == [True, True, False, False]
    assert grades["extraction"].to_list()[:2] == ["final-answer", "answer"]
    assert grades["no_answer"].to_list() == [False, False, True, True]


def test_same_input_same_grades(files: argparse.Namespace) -> None:
    work(files)
    first = GRADE.read(files.grades).drop("seconds")
    work(files)
    assert first.equals(GRADE.read(files.grades).drop("seconds"))


def test_a_generation_without_question_is_an_error(files: argparse.Namespace) -> None:
    path = files.generations[0]
    frame = GENERATION.read(path).with_columns(question_id=pl.lit("q9") + pl.col("question_id"))
    GENERATION.write(path, frame, {})
    with pytest.raises(InputError, match="2 generations of questions that no benchmark has.*q9q1"):
        work(files)


def test_an_interrupt_ends_in_one_line_without_an_orphan(tmp_path: Path) -> None:
    common = {"dataset": "d", "question": "?", "prompt": "?", "gold": "5", "kind": "math"}
    questions = [{**common, "question_id": f"q{i}", "position": i} for i in range(40)]
    BENCHMARK.write(tmp_path / "b.parquet", BENCHMARK.frame(questions), {})
    slow = r"$\boxed{\binom{3000000}{1500000}+%d}$"
    rows = [generation(f"q{i}", "natural", slow % i) for i in range(40)]
    GENERATION.write(tmp_path / "g.parquet", GENERATION.frame(rows), {})
    command = [
        sys.executable, "-m", "workflow_scripts.grading.grade",
        "--generations", str(tmp_path / "g.parquet"), "--benchmarks", str(tmp_path / "b.parquet"),
        "--imported",
        "--grades", str(tmp_path / "out.parquet"), "--threads", "2",
        "--settings", json.dumps({**SETTINGS, "timeout": 120.0}), "--log", str(tmp_path / "log"),
    ]  # fmt: skip
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,
        # a job in the background of a shell inherits that interrupts are ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while not children(running.pid) or "answers:" not in (tmp_path / "log").read_text():
        assert running.poll() is None  # comparisons begin when the answers are found
        time.sleep(0.1)
    workers = children(running.pid)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    said = [line.strip() for line in errors.splitlines() if line.strip()]
    assert said == ["interrupted", f"full log: {tmp_path / 'log'}"]
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert len(workers) == 2 and not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    assert not (tmp_path / "out.parquet").exists()


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid` (Linux)."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
